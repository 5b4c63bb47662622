import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sourceOf } from '@waltz/bytes'
import { createFakeIo, type FakeIo } from './fake-io.ts'
import { type Ended, runIn, storeIn } from './run-in-folder.ts'

let io: FakeIo
let root: string

const waltz = (...argv: readonly string[]): Promise<Ended> => runIn(io, argv)

const store = (key: string, text: string): void => storeIn(root, key, text)

const stored = (key: string): string => readFileSync(join(root, key), 'utf8')

beforeEach(() => {
  const chunks: Uint8Array[] = []
  io = createFakeIo({
    stdoutBytes: (bytes) => chunks.push(new Uint8Array(bytes)) > 0,
    stdin: () => sourceOf('from standard input'),
    now: () => new Date(),
  })
  root = join(io.cwd, 'repository')
  mkdirSync(root)
  Object.assign(io.env, { WALG_FILE_PREFIX: root, TZ: 'UTC' })
  Object.assign(io, { bytes: () => Buffer.concat(chunks).toString() })
})
afterEach(() => io[Symbol.dispose]())

const printed = (): string => (io as FakeIo & { readonly bytes: () => string }).bytes()

describe('st ls', () => {
  beforeEach(() => {
    store('note.txt', 'forty-two')
    store('wal_005/1.lz4', 'x')
    store('basebackups_005/base_1/tar_partitions/part_001.tar.lz4', 'xyz')
  })

  it('lists folders, then objects, in the columns that scripts know', async () => {
    const { code, out } = await waltz('st', 'ls')
    expect(code).toBe(0)
    const lines = out.split('\n')
    expect(lines[0]).toMatch(/^type size last modified {2,}name$/)
    expect(lines[1]).toMatch(/^dir {2}0 {4}0001-01-01 00:00:00 \+0000 UTC +basebackups_005\/ {2}$/)
    expect(lines[2]).toMatch(/^dir {2}0 {4}0001-01-01 00:00:00 \+0000 UTC +wal_005\/ {10}$/)
    expect(lines[3]).toMatch(/^obj {2}9 {4}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,9})? [+-]\d{4} \w+ +note\.txt {10}$/)
    expect(lines).toHaveLength(5)
  })

  it('lists everything below with -r, and a folder by its path however it is written', async () => {
    const names = (out: string): string[] =>
      out
        .split('\n')
        .slice(1, -1)
        .map((line) => line.trim().split(/\s+/).at(-1) ?? '')
    expect(names((await waltz('st', 'ls', '-r')).out)).toEqual([
      'basebackups_005/base_1/tar_partitions/part_001.tar.lz4',
      'note.txt',
      'wal_005/1.lz4',
    ])
    expect(names((await waltz('st', 'ls', '/wal_005/')).out)).toEqual(['1.lz4'])
    expect(names((await waltz('st', 'ls', 'nothing/here')).out)).toEqual([])
  })

  it('lists the folders that a pattern names', async () => {
    const { out } = await waltz('st', 'ls', '--glob', 'basebackups_005/base_*')
    expect(out).toMatch(/^basebackups_005\/base_1\/:\ntype .*\ndir .* tar_partitions\/ +\n\n$/)
  })

  it('is JSON for programs', async () => {
    const { out } = await waltz('st', 'ls', '--json')
    expect(JSON.parse(out)).toMatchObject([
      { type: 'dir', name: 'basebackups_005/' },
      { type: 'dir', name: 'wal_005/' },
      { type: 'obj', name: 'note.txt', size: 9 },
    ])
    expect(JSON.parse((await waltz('st', 'ls', 'none', '--json')).out)).toEqual([])
  })
})

describe('st stat', () => {
  it('shows one object, and fails for one that is not there', async () => {
    store('wal_005/1.lz4', 'xyz')
    expect((await waltz('st', 'stat', 'wal_005/1.lz4')).out).toMatch(/\nobj {2}3 .* 1\.lz4 {2,}\n$/)
    const missing = await waltz('st', 'stat', 'wal_005/2.lz4')
    expect([missing.code, missing.out]).toEqual([74, ''])
    expect(missing.err).toContain('wal_005/2.lz4')
  })
})

describe('st put, cat and get', () => {
  it('store compressed and give the same bytes back', async () => {
    writeFileSync(join(io.cwd, 'notes.txt'), 'some text\n'.repeat(500))
    expect((await waltz('st', 'put', 'notes.txt', 'notes/one.txt')).code).toBe(0)
    expect(readdirSync(join(root, 'notes'))).toEqual(['one.txt.lz4'])
    expect(statSync(join(root, 'notes/one.txt.lz4')).size).toBeLessThan(500)
    await waltz('st', 'cat', '--decompress', 'notes/one.txt.lz4')
    expect(printed()).toBe('some text\n'.repeat(500))
    expect((await waltz('st', 'get', 'notes/one.txt.lz4', 'back.txt')).code).toBe(0)
    expect(readFileSync(join(io.cwd, 'back.txt'), 'utf8')).toBe('some text\n'.repeat(500))
    expect(statSync(join(io.cwd, 'back.txt')).mode & 0o777).toBe(0o640 & ~process.umask())
  })

  it('store from standard input, as it is when asked', async () => {
    await waltz('st', 'put', '-s', '--no-compress', './dumps/all.sql')
    expect(stored('dumps/all.sql')).toBe('from standard input')
    await waltz('st', 'cat', 'dumps/all.sql')
    expect(printed()).toBe('from standard input')
  })

  it('replace nothing without --force, compressed or not', async () => {
    store('a.txt', 'old')
    writeFileSync(join(io.cwd, 'new.txt'), 'new')
    const refused = await waltz('st', 'put', '--no-compress', 'new.txt', 'a.txt')
    expect([refused.code, stored('a.txt')]).toEqual([20, 'old'])
    expect((await waltz('st', 'put', '--no-compress', '-f', 'new.txt', 'a.txt')).code).toBe(0)
    expect(stored('a.txt')).toBe('new')
  })

  it('download into a folder under the name of the object, into no file that exists, and leave nothing of a failure', async () => {
    store('wal_005/1.lz4', 'not lz4 at all')
    const damaged = await waltz('st', 'get', 'wal_005/1.lz4', 'out.bin')
    expect(damaged.code).toBe(24)
    expect(existsSync(join(io.cwd, 'out.bin'))).toBe(false)
    mkdirSync(join(io.cwd, 'folder'))
    await waltz('st', 'get', '--no-decompress', 'wal_005/1.lz4', 'folder')
    expect(readFileSync(join(io.cwd, 'folder/1.lz4'), 'utf8')).toBe('not lz4 at all')
    const again = await waltz('st', 'get', '--no-decompress', 'wal_005/1.lz4', 'folder')
    expect([again.code, again.err.includes('there already')]).toEqual([20, true])
  })

  it('print an object without a known extension as it is, and say so', async () => {
    store('odd.xyz', 'plain')
    const { code, err } = await waltz('st', 'cat', '--decompress', 'odd.xyz')
    expect([code, printed()]).toEqual([0, 'plain'])
    expect(err).toContain('without decompressing it')
  })

  it('print all objects that a pattern names', async () => {
    store('a/1', 'one ')
    store('a/2', 'two ')
    store('b/1', 'three')
    await waltz('st', 'cat', '-g', 'a/*')
    expect(printed()).toBe('one two ')
  })

  it('explain what they need', async () => {
    expect((await waltz('st', 'put', 'only-one')).err).toContain('two arguments')
    expect((await waltz('st', 'put', 'missing.txt', 'x')).err).toContain('missing.txt')
    expect((await waltz('st', 'put', '.', 'x')).err).toContain('folder')
    expect((await waltz('st', 'get', 'x', 'y', '--target', 'all')).code).toBe(2)
  })
})

describe('st rm', () => {
  beforeEach(() => {
    for (const key of ['a', 'ab/1', 'ab/2/3', 'abc', 'x/one', 'x/two', 'y/one']) store(key, key)
  })
  const left = async (): Promise<unknown> =>
    JSON.parse((await waltz('st', 'ls', '-r', '--json')).out).map(({ name }: { name: string }) => name)

  it('removes one object, or everything below a folder', async () => {
    expect((await waltz('st', 'rm', 'a')).code).toBe(0)
    expect(await left()).toEqual(['ab/1', 'ab/2/3', 'abc', 'x/one', 'x/two', 'y/one'])
    expect((await waltz('st', 'rm', 'ab')).code).toBe(0)
    expect(await left()).toEqual(['abc', 'x/one', 'x/two', 'y/one'])
  })

  it('removes what a pattern names', async () => {
    await waltz('st', 'rm', '--glob', '[xy]/one')
    expect(await left()).toEqual(['a', 'ab/1', 'ab/2/3', 'abc', 'x/two'])
    await waltz('st', 'rm', '--glob', 'a*')
    expect(await left()).toEqual(['x/two'])
  })

  it('fails when there is nothing, and removes nothing else', async () => {
    for (const path of ['missing', 'abc/', 'x/on', 'x/one/']) expect((await waltz('st', 'rm', path)).code).toBe(74)
    expect(await left()).toHaveLength(7)
  })

  it('refuses flags that exclude each other, and versions where there are none', async () => {
    expect((await waltz('st', 'rm', 'a', '--version-id', '1', '--all-versions')).code).toBe(2)
    expect((await waltz('st', 'rm', 'a', '--all-versions')).code).toBe(25)
    expect(await left()).toHaveLength(7)
  })
})

describe('st check', () => {
  it('tells whether the storage can be read and written', async () => {
    store('there', 'x')
    expect((await waltz('st', 'check', 'read', 'there')).code).toBe(0)
    const missing = await waltz('st', 'check', 'read', 'there', 'gone', 'lost')
    expect([missing.code, missing.err.includes('gone is missing; lost is missing')]).toEqual([23, true])
    expect((await waltz('st', 'check', 'write')).code).toBe(0)
    expect(readdirSync(root)).toEqual(['there'])
  })
})

describe('st copy', () => {
  it('copies between the storages of two config files, whatever the environment says', async () => {
    for (const name of ['from', 'to']) {
      mkdirSync(join(io.cwd, name))
      writeFileSync(join(io.cwd, `${name}.json`), JSON.stringify({ WALG_FILE_PREFIX: join(io.cwd, name) }))
    }
    for (const name of ['x/1', 'x/2', 'y']) {
      mkdirSync(join(io.cwd, 'from/x'), { recursive: true })
      writeFileSync(join(io.cwd, 'from', name), name)
    }
    const { code, out } = await waltz('st', 'copy', '--from', 'from.json', '--to', 'to.json', '--prefix', 'x', '--json')
    expect([code, JSON.parse(out)]).toEqual([0, { objects: 2, bytes: 6 }])
    expect([readdirSync(join(io.cwd, 'to')), readdirSync(join(io.cwd, 'to/x')), readdirSync(root)]).toEqual([['x'], ['1', '2'], []])
  })
})

describe('st transfer', () => {
  const backup = 'base_000000010000000000000002'
  let spare: string

  beforeEach(() => {
    spare = join(io.cwd, 'spare')
    mkdirSync(spare)
    const config = join(io.cwd, 'failover.json')
    writeFileSync(config, JSON.stringify({ WALG_FILE_PREFIX: root, WALG_FAILOVER_STORAGES: { spare: { WALG_FILE_PREFIX: spare } } }))
    Object.assign(io.env, { WALG_CONFIG_PATH: config })
    store(`basebackups_005/${backup}/tar_partitions/part_001.tar.lz4`, 'part')
    store(`basebackups_005/${backup}/metadata.json`, '{}')
    store(`basebackups_005/${backup}_backup_stop_sentinel.json`, '{}')
    store('basebackups_005/base_000000010000000000000009/metadata.json', '{"unfinished":true}')
    store('wal_005/000000010000000000000002.lz4', 'segment')
  })

  it('moves finished backups, all of them or one', async () => {
    const { code, err } = await waltz(
      'st',
      'transfer',
      'backups',
      '--source',
      'default',
      '--target',
      'spare',
      '--appearance-checks-interval',
      '1ms',
    )
    expect(err).toContain('moved 3 objects in 1 groups')
    expect(code).toBe(0)
    expect(readdirSync(join(root, 'basebackups_005'))).toEqual(['base_000000010000000000000009'])
    expect(readdirSync(join(spare, 'basebackups_005'))).toEqual([backup, `${backup}_backup_stop_sentinel.json`])
  })

  it('moves no backup while a deletion is at work, which would see it in neither storage; a copy disturbs nobody', async () => {
    const lease = 'waltz/deletions/lease.json'
    store(lease, JSON.stringify({ version: 1, id: 'a', host: 'db2', pid: 7, since: '2026-03-01T00:00:00Z', ttlMs: 60_000 }))
    const { code, err } = await waltz('st', 'transfer', 'backups', '--source', 'default', '--target', 'spare')
    expect([code === 0, err]).toEqual([false, expect.stringContaining(`${lease} is held by process 7 on db2`)])
    expect(existsSync(join(spare, 'basebackups_005'))).toBe(false)
    expect((await waltz('st', 'transfer', 'backups', '--source', 'default', '--target', 'spare', '--preserve')).code).toBe(0)
    rmSync(join(root, lease))
    expect((await waltz('st', 'transfer', 'backups', '--source', 'default', '--target', 'spare')).code).toBe(0)
    expect([root, spare].map((folder) => existsSync(join(folder, lease)))).toEqual([false, false])
  })

  it('copies with --preserve, again and again', async () => {
    for (let round = 0; round < 2; round += 1) {
      const { code } = await waltz('st', 'transfer', 'backups', backup, '-s', 'default', '-t', 'spare', '--preserve')
      expect(code).toBe(0)
    }
    expect(readdirSync(join(root, 'basebackups_005'))).toHaveLength(3)
    expect(readdirSync(join(spare, 'basebackups_005'))).toHaveLength(2)
  })

  describe('of chains', () => {
    const delta = 'base_000000010000000000000005_D_000000010000000000000002'
    const other = 'base_000000010000000000000007'
    const sentinelOf = (name: string): string => `basebackups_005/${name}_backup_stop_sentinel.json`
    const move = (...more: readonly string[]): ReturnType<typeof waltz> =>
      waltz('st', 'transfer', 'backups', ...more, '-s', 'default', '-t', 'spare', '--appearance-checks-interval', '1ms')
    const finishedIn = (folder: string): readonly string[] =>
      existsSync(join(folder, 'basebackups_005'))
        ? readdirSync(join(folder, 'basebackups_005')).filter((name) => name.endsWith('.json'))
        : []

    beforeEach(() => {
      store(`basebackups_005/${delta}/tar_partitions/part_001.tar.lz4`, 'delta')
      store(sentinelOf(delta), JSON.stringify({ DeltaFrom: backup, DeltaFullName: backup, DeltaLSN: 1, DeltaCount: 1 }))
      store(`basebackups_005/${other}/tar_partitions/part_001.tar.lz4`, 'other')
      store(sentinelOf(other), '{}')
      // The name says nothing about the time.
      for (const [at, name] of [backup, other, delta].entries()) utimesSync(join(root, sentinelOf(name)), 1000 + at, 1000 + at)
    })

    it('moves them whole, in order of time', async () => {
      expect((await move()).code).toBe(0)
      expect([finishedIn(root), finishedIn(spare)]).toEqual([[], [backup, delta, other].map((name) => `${name}_backup_stop_sentinel.json`)])
      const times = [other, backup, delta].map((name) => statSync(join(spare, sentinelOf(name)), { bigint: true }).mtimeNs)
      expect(times).toEqual(times.toSorted((one, another) => Number(one > another) - Number(one < another)))
    })

    it('cuts none of them for a limit', async () => {
      const { code, err } = await move('--max-backups', '2')
      expect([code, err, finishedIn(spare).length, finishedIn(root).length]).toEqual([
        0,
        expect.stringContaining('the limit is reached'),
        1,
        2,
      ])
      expect((await move('--max-backups', '2')).code).toBe(0)
      expect([finishedIn(spare).length, finishedIn(root).length]).toEqual([3, 0])
    })

    it('does not tear one apart for a name', async () => {
      for (const name of [backup, delta])
        expect(await move(name)).toMatchObject({ code: 21, err: expect.stringContaining('cannot be moved alone') })
      expect(await move(delta, '--preserve')).toMatchObject({ code: 21 })
      expect(finishedIn(spare)).toEqual([])
      expect((await move(other)).code).toBe(0)
      for (const name of [backup, delta]) expect((await move(name, '--preserve')).code).toBe(0)
      expect([finishedIn(spare).length, finishedIn(root).length]).toEqual([3, 2])
      expect((await move(delta)).code).toBe(0)
      expect((await move(backup)).code).toBe(0)
      expect(finishedIn(root)).toEqual([])
    })

    it('leaves what is no whole backup, and says so', async () => {
      store(sentinelOf('base_000000010000000000000008'), '{"LSN"')
      store(sentinelOf('base_00000001000000000000000A'), '{}')
      const { code, err } = await move()
      expect(code).toBe(0)
      expect(err).toContain('base_000000010000000000000009 has no sentinel')
      expect(err).toContain('base_000000010000000000000008 is left where it is')
      expect(err).toContain('base_00000001000000000000000A has a sentinel and no data')
      expect(finishedIn(root)).toHaveLength(2)
    })
  })

  it('moves WAL and files', async () => {
    expect((await waltz('st', 'transfer', 'pg-wals', '--source', 'default', '--target', 'spare')).code).toBe(0)
    expect(readdirSync(join(spare, 'wal_005'))).toEqual(['000000010000000000000002.lz4'])
    expect(existsSync(join(root, 'wal_005'))).toBe(false)
    expect((await waltz('st', 'transfer', 'files', 'wal_005/', '--source', 'spare')).code).toBe(0)
    expect(existsSync(join(root, 'wal_005/000000010000000000000002.lz4'))).toBe(true)
  })

  it('refuses what makes no sense', async () => {
    const cases = [
      ['st', 'transfer', 'pg-wals'],
      ['st', 'transfer', 'pg-wals', '--source', 'default'],
      ['st', 'transfer', 'pg-wals', '--source', 'all', '--target', 'spare'],
      ['st', 'transfer', 'pg-wals', '--source', 'other'],
      ['st', 'transfer', 'pg-wals', '--source', 'spare', '--concurrency', '0'],
    ]
    for (const argv of cases) expect([argv.join(' '), (await waltz(...argv)).code]).toEqual([argv.join(' '), 2])
    expect((await waltz('st', 'transfer', 'backups', 'base_none', '--source', 'spare')).code).toBe(74)
  })

  it('works in all storages, and fails only when all do', async () => {
    store('only-here', 'x')
    const { code, err } = await waltz('st', 'stat', 'only-here', '--target', 'all')
    expect([code, err.includes('storage spare')]).toEqual([0, true])
    expect((await waltz('st', 'stat', 'nowhere', '--target', 'all')).code).toBe(74)
    expect((await waltz('st', 'ls', '--target', 'nobody')).err).toContain('default, spare')
  })
})

describe('storage', () => {
  it('probe: a table, the settings that fit, and nothing left behind', async () => {
    const { code, out } = await waltz('storage', 'probe', '--size', '1mb', '--concurrency', '1,2')
    expect(out).toMatch(/^result +check +ms +found\n/)
    expect(out).toContain('WALG_DOWNLOAD_CONCURRENCY')
    expect(out).not.toContain('FAILED')
    expect(code).toBe(0)
    expect(readdirSync(root)).toEqual([])
  })

  it('probe: JSON', async () => {
    const { out } = await waltz('storage', 'probe', '--size', '1mb', '--concurrency', '1', '--json')
    expect(JSON.parse(out)).toMatchObject({ storage: 'default', leftovers: [], results: expect.any(Array) })
  })

  it('orphans: lists what is old, and removes it when told to', async () => {
    const name = 'part_001.tar.lz4.tmp.20260101T000000Z-0123456789abcdef'
    store(`basebackups_005/x/${name}`, 'half')
    const { code, out } = await waltz('storage', 'orphans', '--json')
    expect(code).toBe(0)
    const found = JSON.parse(out) as readonly { readonly key: string; readonly removed: boolean }[]
    expect(found.map(({ key, removed }) => [key.startsWith('basebackups_005/x/'), removed])).toEqual([[true, false]])
    await waltz('storage', 'orphans', '--older-than', '0s', '--confirm')
    expect(existsSync(join(root, `basebackups_005/x/${name}`))).toBe(false)
  })
})

describe('groups of commands', () => {
  it('show what is in them', async () => {
    const { code, out } = await waltz('st')
    expect(code).toBe(0)
    for (const name of ['st ls', 'st check read', 'st transfer pg-wals']) expect(out).toContain(name)
    expect((await waltz('st', 'check', '--help')).out).toContain('st check write')
    expect((await waltz('help', 'st', 'transfer')).out).toContain('st transfer files')
    expect((await waltz('st', 'ls', '--help')).out).toContain('Usage: waltz st ls [PATH]')
  })

  it('name what is meant', async () => {
    expect((await waltz('st', 'sl')).err).toContain('did you mean st ls')
    expect((await waltz('st', 'check', 'everything')).code).toBe(2)
  })
})
