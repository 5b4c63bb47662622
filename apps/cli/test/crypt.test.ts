import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { run } from '../src/index.ts'
import { createFakeIo, type FakeIo } from './fake-io.ts'

const repository = new URL('../../../packages/pg-physical-backup/test/fixtures/odd-files/repo/', import.meta.url).pathname
const OLD = 'an old key of libsodium, long enough'
const NEW = 'a new key of libsodium, long enough'
const parts = 'basebackups_005/base_000000010000000000000013/tar_partitions'

let io: FakeIo
let root: string

async function waltz(env: Record<string, string>, ...argv: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const before = [io.out().length, io.err().length] as const
  const code = await run(argv, Object.assign(Object.create(io) as FakeIo, { ...io, env: { ...io.env, ...env } }))
  return { code, out: io.out().slice(before[0]), err: io.err().slice(before[1]) }
}

const withOld = { WALG_LIBSODIUM_KEY: OLD }
const withNew = { WALG_LIBSODIUM_KEY: NEW }
const withBoth = { ...withNew, WALTZ_CRYPTO_PREVIOUS_KEYS: JSON.stringify([{ scheme: 'libsodium', WALG_LIBSODIUM_KEY: OLD }]) }

beforeEach(() => {
  io = createFakeIo({ now: () => new Date() })
  root = join(io.cwd, 'repository')
  cpSync(repository, root, { recursive: true })
  mkdirSync(join(root, 'wal_005'))
  for (const name of readdirSync(join(root, parts))) {
    // The extension of a plain name: a segment only has to be decrypted and decompressed here.
    if (name.startsWith('backup_label'))
      writeFileSync(join(root, 'wal_005/000000010000000000000013.zst'), readFileSync(join(root, parts, name)))
  }
  Object.assign(io.env, { WALG_FILE_PREFIX: root, TZ: 'UTC' })
})
afterEach(() => io[Symbol.dispose]())

describe('crypt check', () => {
  it('says that nothing is encrypted, where nothing is and no key is configured', async () => {
    const { code, out, err } = await waltz({}, 'crypt', 'check')
    expect([code, err]).toEqual([0, expect.stringContaining('it is not encrypted')])
    expect(out).toContain('not encrypted')
  })

  it('takes plain objects for a finding where a key is configured, unless they may be read', async () => {
    const { code, err } = await waltz(withOld, 'crypt', 'check')
    expect(code).toBe(23)
    expect(err).toContain('CRYPT_CHECK_FAILED')
    expect((await waltz({ ...withOld, WALTZ_CRYPTO_PLAINTEXT_READS: 'allow' }, 'crypt', 'check')).code).toBe(0)
  })

  it('is quiet about an empty repository', async () => {
    const empty = join(io.cwd, 'empty')
    mkdirSync(empty)
    const { code, err } = await waltz({ ...withOld, WALG_FILE_PREFIX: empty }, 'crypt', 'check')
    expect([code, err]).toEqual([0, expect.stringContaining('no backup and no WAL yet')])
  })
})

describe('crypt rotate', () => {
  it('refuses without a current key', async () => {
    const { code, err } = await waltz({}, 'crypt', 'rotate', '--confirm')
    expect([code, err]).toEqual([2, expect.stringContaining('ENCRYPTION_KEY_ABSENT')])
  })

  it('counts, encrypts, and changes the key; no key is ever shown', async () => {
    const dry = await waltz(withOld, 'crypt', 'rotate')
    expect(dry.code).toBe(0)
    expect(dry.out).toMatch(/^objects size +what\n0 +0 B +current key \(libsodium\)\n\d+ +.* not encrypted\n0 +0 B +no key fits\n$/)
    expect(dry.err).toContain('--confirm does it')
    expect((await waltz(withOld, 'crypt', 'check')).code).toBe(23)

    expect((await waltz(withOld, 'crypt', 'rotate', '--confirm', '--encrypt-plaintext')).code).toBe(0)
    expect((await waltz(withOld, 'crypt', 'check')).err).toContain('the current key opens everything')
    const keyless = await waltz({}, 'crypt', 'check')
    expect([keyless.code, keyless.err]).toEqual([23, expect.stringContaining('it is encrypted, and no key is configured')])
    const wrong = await waltz(withNew, 'crypt', 'check')
    expect([wrong.code, wrong.out]).toEqual([23, expect.stringContaining('no key fits')])
    expect((await waltz(withBoth, 'crypt', 'check')).err).toContain('previous keys are still needed')

    const failed = await waltz(withNew, 'crypt', 'rotate', '--confirm', '--json')
    expect(failed.code).toBe(23)
    expect(JSON.parse(failed.out)).toMatchObject({ rotated: { objects: 0 }, failures: expect.any(Array) })
    const changed = await waltz(withBoth, 'crypt', 'rotate', '--confirm', '--json')
    expect(changed.code).toBe(0)
    expect(JSON.parse(changed.out)).toMatchObject({ failed: { objects: 0 }, already: { objects: 0 }, failures: [] })
    const check = await waltz(withNew, 'crypt', 'check', '--json')
    expect(check.code).toBe(0)
    const { rows } = JSON.parse(check.out) as { rows: { key: string; whole: boolean; object: string }[] }
    expect(rows.every(({ key }) => key === 'current')).toBe(true)
    expect(rows.filter(({ whole }) => whole).map(({ object }) => object)).toEqual([
      `${parts}/pg_control.tar.zst`,
      'wal_005/000000010000000000000013.zst',
    ])
    expect((await waltz(withOld, 'crypt', 'check')).code).toBe(23)
    expect(existsSync(join(root, 'waltz/rotate.json'))).toBe(false)
    expect(readdirSync(join(root, 'wal_005'))).toEqual(['000000010000000000000013.zst'])
    for (const text of [OLD, NEW]) expect(io.out() + io.err()).not.toContain(text)
  })
})
