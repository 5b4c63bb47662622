import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { createStatusCache, statusCachePath } from '../src/failover/status-cache.ts'

const folder = mkdtempSync(join(tmpdir(), 'kit-cache-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const path = join(folder, '.walg_storage_ro_status_cache')
const troubles: string[] = []
let count = 0
const cacheAt = (at: string) =>
  createStatusCache({
    path: at,
    now: () => new Date(),
    randomHex: (digits) => String((count += 1)).padStart(digits, '0'),
    onTrouble: (message) => troubles.push(message),
  })

beforeEach(() => {
  troubles.length = 0
  rmSync(path, { force: true })
})

const WAL_G_ENTRY = {
  potential_aliveness: 1234.5,
  actual_aliveness: 1200,
  previous_aliveness: true,
  updated: '2026-01-02T03:04:05.678901234Z',
}

describe('the cache of statuses', () => {
  it('is where WAL-G has it', () => {
    expect(statusCachePath('/home/pg', 'read')).toBe('/home/pg/.walg_storage_ro_status_cache')
    expect(statusCachePath('/home/pg', 'write')).toBe('/home/pg/.walg_storage_rw_status_cache')
    expect(statusCachePath(undefined, 'write')).toBe('/tmp/.walg_storage_rw_status_cache')
  })

  it('reads what WAL-G wrote, keeps it, and writes the same form', async () => {
    writeFileSync(path, JSON.stringify({ 'default#abc': WAL_G_ENTRY, 'strange#1': { anything: 1 } }))
    expect(await cacheAt(path).load()).toEqual(
      new Map([['default#abc', { potential: 1234.5, actual: 1200, alive: true, updatedMs: Date.parse('2026-01-02T03:04:05.678Z') }]]),
    )
    await cacheAt(path).save(new Map([['b#1', { potential: 2, actual: 1, alive: false, updatedMs: 1000 }]]))
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({
      'default#abc': WAL_G_ENTRY,
      'strange#1': { anything: 1 },
      'b#1': { potential_aliveness: 2, actual_aliveness: 1, previous_aliveness: false, updated: '1970-01-01T00:00:01.000Z' },
    })
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder)).toEqual(['.walg_storage_ro_status_cache'])
    expect(troubles).toEqual([])
  })

  it('keeps the newer entry of two', async () => {
    const entry = (updatedMs: number, alive: boolean) => new Map([['a#1', { potential: 1, actual: 1, alive, updatedMs }]])
    await cacheAt(path).save(entry(2000, true))
    await cacheAt(path).save(entry(1000, false))
    expect((await cacheAt(path).load()).get('a#1')).toMatchObject({ alive: true, updatedMs: 2000 })
    await cacheAt(path).save(entry(3000, false))
    expect((await cacheAt(path).load()).get('a#1')).toMatchObject({ alive: false })
  })

  it('is due when it is absent or five minutes old', async () => {
    expect(await cacheAt(path).isDue()).toBe(true)
    writeFileSync(path, '{}')
    expect(await cacheAt(path).isDue()).toBe(false)
    const then = new Date(Date.now() - 301_000)
    utimesSync(path, then, then)
    expect(await cacheAt(path).isDue()).toBe(true)
  })

  it('is a convenience: what is wrong with it is told once and stops nothing', async () => {
    const unwritable = cacheAt(join(folder, 'no/such/folder/cache'))
    await unwritable.save(new Map())
    await unwritable.save(new Map())
    expect(troubles).toEqual([expect.stringContaining('cannot be written (ENOENT)')])
    for (const text of ['{', '[]', 'null', '{"a#1": {"updated": "never"}}']) {
      writeFileSync(path, text)
      expect(await cacheAt(path).load()).toEqual(new Map())
    }
  })
})
