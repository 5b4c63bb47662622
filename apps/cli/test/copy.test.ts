import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { run } from '../src/index.ts'
import { createFakeIo, type FakeIo } from './fake-io.ts'
import { type Ended, runIn } from './run-in-folder.ts'

const BACKUP = 'base_000000010000000000000013'
const fixture = new URL('../../../packages/pg-physical-backup/test/fixtures/odd-files/', import.meta.url).pathname
/** Path and hash of every file of the backup. */
const files = readFileSync(join(fixture, 'files.tsv'), 'utf8')
  .split('\n')
  .map((line) => line.split('\t'))
  .flatMap(([path, kind, , , hash]) => (kind === 'f' ? [`${path} ${hash}`] : []))
  .toSorted()

let io: FakeIo
const at = (...names: readonly string[]): string => join(io.cwd, ...names)

const waltz = (...argv: readonly string[]): Promise<Ended> => runIn(io, argv)

function config(name: string, values: Readonly<Record<string, string>> = {}): string {
  mkdirSync(at(name), { recursive: true })
  writeFileSync(at(`${name}.json`), JSON.stringify({ WALG_FILE_PREFIX: at(name), ...values }))
  return `${name}.json`
}

const copyThere = (...more: readonly string[]): ReturnType<typeof waltz> => waltz('copy', '--from', 'from.json', '--to', 'to.json', ...more)

function objectsIn(name: string): readonly string[] {
  return readdirSync(at(name), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => `${path.slice(at(name).length + 1)} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`)
    .toSorted()
}

const wal = (number: number): string => `wal_005/0000000100000000000000${number.toString(16).padStart(2, '0')}.zst`

beforeEach(() => {
  io = createFakeIo({ now: () => new Date() })
  config('from')
  cpSync(join(fixture, 'repo'), at('from'), { recursive: true })
  mkdirSync(at('from/wal_005'), { recursive: true })
  for (const number of [0x12, 0x13, 0x14, 0x15]) writeFileSync(at('from', wal(number)), `segment ${number}`)
  config('to')
  // What the environment says of a repository must not matter.
  mkdirSync(at('elsewhere'))
  Object.assign(io.env, { WALG_FILE_PREFIX: at('elsewhere'), TZ: 'UTC' })
})
afterEach(() => io[Symbol.dispose]())

describe('waltz copy', () => {
  it('copies everything of one config file to the other, and again without sending anything', async () => {
    const { code, out, err } = await copyThere('--allow-missing-wal', '--with-history')
    expect([code, err]).toEqual([0, expect.stringContaining(`copied`)])
    expect(out).toMatch(new RegExp(`^name .*\n${BACKUP} +copied +\\d+ \\(.*\\) +0 *\nWAL +- +3 \\(.*\n$`))
    const copied = objectsIn('to').filter((line) => !line.startsWith('waltz/'))
    expect(copied).toEqual(objectsIn('from').filter((line) => !line.startsWith(wal(0x12))))
    expect(objectsIn('elsewhere')).toEqual([])
    const again = await copyThere('--allow-missing-wal', '--with-history', '--json')
    const result = JSON.parse(again.out) as { readonly backups: readonly unknown[]; readonly wal: unknown }
    expect(result).toMatchObject({ failures: [], left: [], wal: { sent: { objects: 0 }, present: { objects: 3 } } })
    expect(result.backups).toMatchObject([{ name: BACKUP, outcome: 'present', sent: { objects: 0 } }])
  })

  it('encrypts and compresses anew, and a restore of the copy gives every file', async () => {
    config('to', { WALG_LIBSODIUM_KEY: 'a key of libsodium, long enough', WALG_COMPRESSION_METHOD: 'brotli' })
    for (const number of [0x13, 0x14]) await sealed(number)
    const { code, err } = await copyThere('--reencrypt', '--recompress', '--backup-name', 'LATEST')
    expect([code, err]).toEqual([0, expect.stringContaining(`${BACKUP}: copied`)])
    expect(readdirSync(at('to/basebackups_005', BACKUP, 'tar_partitions')).every((name) => name.endsWith('.tar.br'))).toBe(true)
    const plain = await waltz('backup-fetch', at('none'), 'LATEST', '--config', 'wrong.json')
    expect(plain.code).not.toBe(0)
    const { WALG_FILE_PREFIX: _, ...env } = io.env
    const reader = createFakeIo({ env, cwd: io.cwd, now: () => new Date() })
    expect(await run(['backup-fetch', at('data'), 'LATEST', '--config', at('to.json')], reader)).toBe(0)
    expect(objectsIn('data')).toEqual(files)
    const listed = readFileSync(at('to/basebackups_005', BACKUP, 'files_metadata.json'), 'utf8')
    expect(listed).toMatch(/"part_001\.tar\.br":\[/)
    expect(await run(['wal-fetch', '000000010000000000000013', at('fetched'), '--config', at('to.json')], reader)).toBe(200)
    expect(reader.err()).toContain('WAL_CONTENT_WRONG')
    reader[Symbol.dispose]()
  })

  /** A real zstd object in the place of the text. */
  async function sealed(number: number): Promise<void> {
    writeFileSync(at('plain'), `segment ${number}`)
    const env = { WALG_FILE_PREFIX: at('from'), WALG_COMPRESSION_METHOD: 'zstd' }
    const writer = createFakeIo({ env, cwd: io.cwd, now: () => new Date() })
    expect(await run(['st', 'put', '--force', 'plain', wal(number).replace('.zst', '')], writer)).toBe(0)
    writer[Symbol.dispose]()
  }

  it('stores nothing with --dry-run', async () => {
    const { code, out, err } = await copyThere('--dry-run', '--allow-missing-wal', '--json')
    expect([code, JSON.parse(out)]).toMatchObject([0, { dry_run: true, backups: [{ name: BACKUP, outcome: 'copied' }] }])
    expect([err.includes('nothing was stored'), objectsIn('to')]).toEqual([true, []])
  })

  it('names what it leaves, and fails for what should have come', async () => {
    mkdirSync(at('from/basebackups_005/base_000000010000000000000099/tar_partitions'), { recursive: true })
    writeFileSync(at('from/basebackups_005/base_000000010000000000000099/tar_partitions/part_001.tar.zst'), 'x')
    const running = await copyThere('--allow-missing-wal')
    expect([running.code, running.err]).toEqual([
      0,
      expect.stringContaining('base_000000010000000000000099 is not copied: it is being made'),
    ])
    utimesSync(at('from/basebackups_005/base_000000010000000000000099/tar_partitions/part_001.tar.zst'), 1, 1)
    expect((await copyThere('--allow-missing-wal')).err).toContain('it was never finished')
    writeFileSync(at(`from/basebackups_005/base_000000010000000000000098_backup_stop_sentinel.json`), '{')
    const broken = await copyThere('--allow-missing-wal', '--json')
    expect([broken.code, broken.err]).toEqual([24, expect.stringContaining('not everything was copied: base_000000010000000000000098')])
    expect(JSON.parse(broken.out)).toMatchObject({ left: [{ name: 'base_000000010000000000000099' }, { reason: 'sentinel-unreadable' }] })
  })

  it('never replaces what is there', async () => {
    const key = `to/basebackups_005/${BACKUP}/metadata.json`
    mkdirSync(at(key, '..'), { recursive: true })
    writeFileSync(at(key), '{"is_permanent":true}')
    const { code, err, out } = await copyThere('--allow-missing-wal', '--json')
    expect([code, err]).toEqual([21, expect.stringMatching(/COPY_CONFLICT.*More than the permanent mark/s)])
    expect(JSON.parse(out)).toMatchObject({ failures: [{ name: BACKUP, code: 'COPY_CONFLICT' }] })
    expect(readFileSync(at(key), 'utf8')).toBe('{"is_permanent":true}')
    expect(existsSync(at(`to/basebackups_005/${BACKUP}_backup_stop_sentinel.json`))).toBe(false)
  })

  it('refuses what makes no sense', async () => {
    expect(await copyThere()).toMatchObject({ code: 0 })
    for (const [argv, code, text] of [
      [['--from', 'from.json'], 2, '--to names'],
      [['--to', 'to.json'], 2, '--from names'],
      [['--from', 'from.json', '--to', 'none.json'], 2, 'none.json'],
      [['--from', 'from.json', '--to', 'from.json'], 2, 'the same repository'],
      [['--from', 'from.json', '--to', 'to.json', '--reencrypt'], 2, 'has none'],
      [['--from', 'from.json', '--to', 'to.json', '--to-storage', 'spare'], 2, 'no storage'],
      [['--from', 'from.json', '--to', 'to.json', '-b', 'base_none'], 74, 'base_none'],
    ] as const) {
      const end = await waltz('copy', ...argv)
      expect([argv.join(' '), end.code]).toEqual([argv.join(' '), code])
      expect(end.err).toContain(text)
    }
    const { code, err } = await copyThere('--with-history', '--backup-name', BACKUP)
    expect([code, err.includes('copied')]).toEqual([0, true])
  })

  it('refuses a copy that would lack WAL', async () => {
    config('empty')
    cpSync(join(fixture, 'repo'), at('empty'), { recursive: true })
    const end = await waltz('copy', '-f', 'empty.json', '-t', 'to.json')
    expect([end.code, end.err]).toEqual([21, expect.stringContaining('segments of WAL are not in the source')])
    expect(objectsIn('to')).toEqual([])
  })

  it('may copy from and to further storages, and takes credentials but no prefix from the environment', async () => {
    mkdirSync(at('spare'))
    writeFileSync(
      at('to.json'),
      JSON.stringify({ WALG_FILE_PREFIX: at('to'), WALG_FAILOVER_STORAGES: { spare: { WALG_FILE_PREFIX: at('spare') } } }),
    )
    Object.assign(io.env, { WALG_S3_PREFIX: 's3://nowhere/at-all', AWS_ENDPOINT: 'http://127.0.0.1:1' })
    expect((await copyThere('--to-storage', 'spare')).code).toBe(0)
    expect([objectsIn('to').length, objectsIn('spare').length > 5]).toEqual([0, true])
    writeFileSync(
      at('s3.json'),
      JSON.stringify({ WALG_S3_PREFIX: 's3://bucket/x', WALG_S3_MAX_RETRIES: '1', WALTZ_STORAGE_MAX_RETRIES: '0' }),
    )
    Object.assign(io.env, { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_REGION: 'r' })
    const { code, err } = await waltz('copy', '--from', 's3.json', '--to', 'to.json')
    expect([code, err]).toEqual([23, expect.stringContaining('nothing listens there')])
  })
})
