import { mkdirSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createFakeIo, type FakeIo } from './fake-io.ts'
import { type Ended, runIn, storeBackup, storeIn } from './run-in-folder.ts'

let io: FakeIo

beforeEach(() => {
  io = createFakeIo({ now: () => new Date() })
  const further = { other: { WALG_FILE_PREFIX: at('other') } }
  Object.assign(io.env, {
    WALG_FILE_PREFIX: at('default'),
    WALG_FAILOVER_STORAGES: JSON.stringify(further),
    TZ: 'UTC',
    TMPDIR: io.cwd,
  })
  for (const name of ['default', 'other']) mkdirSync(at(name))
})
afterEach(() => io[Symbol.dispose]())

const at = (name: string): string => join(io.cwd, name)
const waltz = (...argv: readonly string[]): Promise<Ended> => runIn(io, argv)
const SEGMENT = (number: number): string => `0000000100000000${number.toString(16).toUpperCase().padStart(8, '0')}`

function backup(storage: string, number: number): string {
  return storeBackup(at(storage), { number, start: `2026-03-01T00:${String(number).padStart(2, '0')}:00Z` }, SEGMENT)
}

/** Backups of one cluster in turn, and the WAL of all of them in both. */
function filled(): void {
  for (const [storage, number] of [
    ['default', 2],
    ['other', 4],
    ['default', 6],
    ['other', 8],
  ] as const)
    backup(storage, number)
  for (const storage of ['default', 'other'])
    for (let number = 1; number <= 9; number += 1) storeIn(at(storage), `wal_005/${SEGMENT(number)}.lz4`, 'segment')
}

/** Numbers of the segments that a storage has, and of those that its backups begin in. */
function left(storage: string): { readonly wal: string; readonly backups: string } {
  const numbersIn = (folder: string, pattern: RegExp): string => {
    const names = readdirSync(at(storage)).includes(folder) ? readdirSync(join(at(storage), folder)) : []
    return names.flatMap((name) => pattern.exec(name)?.[1] ?? []).join('')
  }
  return { wal: numbersIn('wal_005', /(.)\.lz4$/), backups: numbersIn('basebackups_005', /(.)_backup_stop_sentinel/) }
}

const UNTOUCHED = { wal: '123456789', backups: '48' }

describe('delete over several storages', () => {
  it.each([undefined, 'other', 'default', 'all'])(
    'looks at all and deletes in all, whatever WALG_TARGET_STORAGE says: %s',
    async (target) => {
      if (target !== undefined) Object.assign(io.env, { WALG_TARGET_STORAGE: target })
      filled()
      const { code, err } = await waltz('delete', 'retain', '2', '--confirm')
      expect([err, code]).toEqual([err, 0])
      expect([left('default'), left('other')]).toEqual([
        { wal: '6789', backups: '6' },
        { wal: '6789', backups: '8' },
      ])
    },
  )

  it('counts a backup that lies in two of them once, and deletes it from both', async () => {
    filled()
    for (const number of [2, 6]) backup('other', number)
    await waltz('delete', 'retain', '3', '--confirm')
    expect([left('default').backups, left('other').backups]).toEqual(['6', '468'])
    await waltz('delete', 'target', `base_${SEGMENT(6)}`, '--confirm')
    expect([left('default').backups, left('other').backups]).toEqual(['', '48'])
  })
})

describe('a storage that is left out by WALTZ_FAILOVER_IGNORE', () => {
  beforeEach(() => {
    filled()
    Object.assign(io.env, { WALTZ_FAILOVER_IGNORE: 'other' })
  })

  it.each([
    { argv: ['delete', 'retain', '1', '--confirm'], backups: '6' },
    { argv: ['delete', 'before', `base_${SEGMENT(6)}`, '--confirm'], backups: '6' },
    { argv: ['delete', 'garbage', '--confirm'], backups: '26' },
    { argv: ['delete', 'everything', '--confirm'], backups: '' },
    { argv: ['delete', 'target', `base_${SEGMENT(6)}`, '--confirm'], backups: '2' },
    { argv: ['retention', 'apply', '--policy', 'last=1'], backups: '6' },
  ])('is not taken for empty: $argv', async ({ argv, backups }) => {
    const { code, out, err } = await waltz(...argv)
    expect([err, code]).toEqual([err, 0])
    expect([left('default'), left('other')]).toEqual([{ wal: '123456789', backups }, UNTOUCHED])
    expect(out).toContain('the storage other is left out (WALTZ_FAILOVER_IGNORE)')
    expect(out).toContain('all WAL stays, because backups in it may need it')
  })

  it('is named in JSON, and changes what a plan is', async () => {
    const plan = JSON.parse((await waltz('delete', 'retain', '1', '--json')).out) as { readonly plan: string; readonly left_out: unknown }
    expect(plan).toMatchObject({ storages: ['default'], left_out: ['other'], deletes: { wal: { objects: 0 } } })
    Object.assign(io.env, { WALTZ_FAILOVER_IGNORE: undefined })
    expect(await waltz('delete', 'retain', '1', '--plan', plan.plan)).toMatchObject({ code: 21 })
    expect(left('default').backups).toBe('26')
  })

  it('stays as it is with FORCE as well, which deletes the WAL elsewhere', async () => {
    expect(await waltz('delete', 'everything', 'FORCE', '--confirm')).toMatchObject({ code: 0 })
    expect([left('default'), left('other')]).toEqual([{ wal: '', backups: '' }, UNTOUCHED])
  })
})

describe('a storage that does not answer', () => {
  beforeEach(() => {
    filled()
    renameSync(at('other'), at('away'))
  })

  it.each([
    ['delete', 'retain', '1', '--confirm'],
    ['delete', 'before', `base_${SEGMENT(6)}`, '--confirm'],
    ['delete', 'garbage', '--confirm'],
    ['delete', 'everything', 'FORCE', '--confirm'],
    ['delete', 'target', `base_${SEGMENT(6)}`, '--confirm'],
    ['retention', 'apply', '--policy', 'last=1'],
    ['retention', 'plan', '--policy', 'last=1'],
  ])('stops the deletion before anything goes: %s %s %s', async (...argv) => {
    const { code, err } = await waltz(...argv)
    expect([code, err]).toEqual([23, expect.stringMatching(/STORAGE_PARTLY_UNAVAILABLE[^]*WALTZ_FAILOVER_IGNORE/)])
    expect(left('default')).toEqual({ wal: '123456789', backups: '26' })
  })

  it('may be left out', async () => {
    Object.assign(io.env, { WALTZ_FAILOVER_IGNORE: 'other' })
    expect(await waltz('delete', 'retain', '1', '--confirm')).toMatchObject({ code: 0 })
    expect(left('default')).toEqual({ wal: '123456789', backups: '6' })
  })
})

describe('garbage of one storage', () => {
  it('says that backups of others may need the WAL', async () => {
    filled()
    const { err } = await waltz('garbage', '--target-storage', 'other')
    expect(err).toContain('the storage default was not looked at: backups in it may need WAL that is called of no use here')
    expect((await waltz('garbage')).err).not.toContain('was not looked at')
  })
})
