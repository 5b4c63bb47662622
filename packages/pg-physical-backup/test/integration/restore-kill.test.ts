import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { markerName } from '../../src/restore/marker.ts'
import { scratch, treeLines, type Scratch } from '../restore-support.ts'

const repository = new URL('../fixtures/odd-files/repo', import.meta.url).pathname
const script = new URL('killed-restore.ts', import.meta.url).pathname

/** Restores in another process, killed before its n-th change. */
function restore(work: Scratch, killBefore = 0): ReturnType<typeof spawnSync> {
  return spawnSync(process.execPath, ['--conditions=source', script, repository, join(work.path, 'data'), String(killBefore)], {
    encoding: 'utf8',
  })
}

const withoutMarker = (lines: readonly string[]): readonly string[] => lines.filter((line) => !line.startsWith('.waltz-restore'))

describe('a restore that is killed with -9', () => {
  let whole: readonly string[] = []
  let changes = 0

  beforeAll(() => {
    using work = scratch()
    const outcome = restore(work)
    if (outcome.status !== 0) throw new Error(String(outcome.stderr))
    changes = Number(outcome.stdout)
    whole = treeLines(join(work.path, 'data'))
  })

  it('was watched', () => {
    expect(changes).toBeGreaterThan(600)
    expect(whole.some((line) => line.startsWith('recovery.signal\t'))).toBe(true)
  })

  it('before any change leaves nothing that could be started, and the same restore works then', () => {
    const points = new Set([1, 2, 3, 4, 5, 6, 9])
    for (let share = 1; share < 5; share++) points.add(Math.floor((changes * share) / 5))
    for (let back = 0; back < 12; back++) points.add(changes - back)
    for (const point of points) {
      using work = scratch()
      const data = join(work.path, 'data')
      expect(restore(work, point).signal).toBe('SIGKILL')
      if (existsSync(join(data, 'global/pg_control'))) {
        // Only the marker was still to go.
        expect(withoutMarker(treeLines(data))).toEqual(whole)
        continue
      }
      const again = restore(work)
      expect({ point, status: again.status, stderr: again.stderr }).toEqual({ point, status: 0, stderr: '' })
      expect(treeLines(data)).toEqual(whole)
    }
  })

  it('again and again, while it clears what the one before left, still gets there', () => {
    using work = scratch()
    const data = join(work.path, 'data')
    expect(restore(work, changes - 20).signal).toBe('SIGKILL')
    for (const point of [1, 4, 50, 500]) {
      expect(restore(work, point).signal).toBe('SIGKILL')
      expect(existsSync(join(data, 'global/pg_control'))).toBe(false)
      expect(existsSync(join(data, markerName))).toBe(true)
    }
    expect(restore(work).status).toBe(0)
    expect(treeLines(data)).toEqual(whole)
  })
})
