import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { markerName } from '../../src/restore/marker.ts'
import { expectedLines, openRepository, restoreFrom, scratch, treeLines } from '../restore-support.ts'

const fixture = new URL('../fixtures/odd-files', import.meta.url).pathname
const probe = scratch()
/** Mounting needs rights that an ordinary user lacks. */
const canMount = mount(probe.path, 64) && spawnSync('umount', [probe.path]).status === 0
afterAll(() => {
  probe[Symbol.dispose]()
  if (!canMount) console.warn('SKIPPED: a full disk during a restore needs a mount, which is not allowed here')
})

function mount(path: string, sizeKiB: number): boolean {
  return spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeKiB}k,mode=0755`, 'waltz-test', path]).status === 0
}

describe.skipIf(!canMount)('a disk that is full', () => {
  it.each([4, 1000, 3000, 4900])('after %i KiB is told, nothing can be started, and with space the same restore works', async (sizeKiB) => {
    using work = scratch()
    const disk = join(work.path, 'disk')
    mkdirSync(disk)
    expect(mount(disk, sizeKiB)).toBe(true)
    try {
      const data = join(disk, 'data')
      const store = openRepository(join(fixture, 'repo'))
      await expect(restoreFrom(store, data, { spoolDirectory: work.path })).rejects.toMatchObject({
        kind: 'unavailable',
        code: 'RESTORE_NO_SPACE',
        retryable: false,
      })
      expect(existsSync(join(data, 'global/pg_control'))).toBe(false)
      execFileSync('mount', ['-o', 'remount,size=64m', disk])
      const startsOver = existsSync(join(data, markerName))
      const result = await restoreFrom(store, data, { spoolDirectory: work.path })
      expect(result.startedOver).toBe(startsOver)
      expect(treeLines(data)).toEqual(expectedLines(join(fixture, 'files.tsv')))
    } finally {
      execFileSync('umount', [disk])
    }
  })
})
