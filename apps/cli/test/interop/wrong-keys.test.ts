import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fixturePath } from '@waltz/testkit'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeWal, nameOf } from '../../../../packages/wal-archive/test/support/segments.ts'
import { run } from '../../src/index.ts'
import { createFakeIo, type FakeIo } from '../fake-io.ts'

/** What WAL-G was asked with wrong keys, no keys and unusable ones; it exited with 1, or panicked. */
const ciphers = fixturePath('ciphers/keys') === undefined ? undefined : join(fixturePath('ciphers/keys')!, '..')
const key = (name: string): string => join(ciphers ?? '', 'keys', name)

let io: FakeIo
beforeEach(() => {
  io = createFakeIo({ now: () => new Date() })
})
afterEach(() => io[Symbol.dispose]())

async function waltz(env: Readonly<Record<string, string>>, ...argv: readonly string[]): Promise<{ code: number; err: string }> {
  Object.assign(io.env, { WALG_LOG_LEVEL: 'DEVEL', WALG_DOWNLOAD_FILE_RETRIES: '0', WALTZ_WAL_FETCH_DEADLINE: '0s', ...env })
  const code = await run(argv, io)
  return { code, err: io.err() }
}

/** What the reader of a repository has instead of its key, the code of the fault, and the exit codes of wal-fetch and of backup-fetch. */
const READERS: readonly (readonly [string, string, string, Readonly<Record<string, string>>, string, number])[] = [
  [
    'libsodium-none',
    'base_000000010000000000000013',
    'a wrong key',
    { WALG_LIBSODIUM_KEY: 'another-key-of-26-chars-xyz' },
    'CRYPTO_NO_KEY_FITS',
    24,
  ],
  ['pgp-path', 'base_000000010000000000000017', 'a wrong key', { WALG_PGP_KEY_PATH: key('ecc.sec.asc') }, 'CRYPTO_NO_KEY_FITS', 24],
  [
    'pgp-passphrase',
    'base_000000010000000000000019',
    'a wrong passphrase',
    { WALG_PGP_KEY_PATH: key('locked.sec.asc'), WALG_PGP_KEY_PASSPHRASE: 'planted horse' },
    'CRYPTO_PASSPHRASE_WRONG',
    2,
  ],
  ['libsodium-none', 'base_000000010000000000000013', 'no key', {}, 'CODEC_', 24],
  ['pgp-path', 'base_000000010000000000000017', 'no key', {}, 'OBJECT_ENCRYPTED', 2],
  [
    'pgp-path',
    'base_000000010000000000000017',
    'the public key',
    { WALG_PGP_KEY_PATH: key('rsa.pub.asc') },
    'CRYPTO_PRIVATE_KEY_MISSING',
    2,
  ],
]

describe.skipIf(ciphers === undefined)('a repository that WAL-G encrypted, read', () => {
  it.each(READERS)('%s %s with %s', async (name, backup, _, env, fault, exit) => {
    const settings = { WALG_FILE_PREFIX: join(ciphers!, name, 'repo'), ...env }
    const destination = join(io.cwd, 'RECOVERYXLOG')
    const fetched = await waltz(settings, 'wal-fetch', `${backup.slice('base_'.length)}.00000028.backup`, destination)
    // Recovery stops: an archive that cannot be read is not the end of the WAL.
    expect([fetched.code, fetched.err.includes(fault)], fetched.err).toEqual([200, true])
    expect(readdirSync(io.cwd)).toEqual([])

    const target = join(io.cwd, 'data')
    const restored = await waltz(settings, 'backup-fetch', target, backup)
    expect([restored.code, restored.err.includes(fault)], restored.err).toEqual([exit, true])
    expect(`${fetched.err}${restored.err}`).not.toContain('planted')
    // Nothing that a server could start on.
    for (const file of ['global/pg_control', 'PG_VERSION', 'backup_label']) expect(existsSync(join(target, file)), file).toBe(false)
  })
})

describe('a key that cannot work', () => {
  it.each([
    ['a short one', { WALG_LIBSODIUM_KEY: 'planted' }, 'CRYPTO_KEY_INVALID'],
    ['no hex', { WALG_LIBSODIUM_KEY: 'planted-zz', WALG_LIBSODIUM_KEY_TRANSFORM: 'hex' }, 'CRYPTO_KEY_INVALID'],
    [
      'an unknown transform',
      { WALG_LIBSODIUM_KEY: 'planted-key-26-chars-abcde', WALG_LIBSODIUM_KEY_TRANSFORM: 'rot13' },
      'SETTINGS_INVALID',
    ],
    ['no OpenPGP key', { WALG_PGP_KEY: 'planted' }, 'CRYPTO_KEY_INVALID'],
  ])('%s: wal-push stores nothing', async (_, env, fault) => {
    const repository = join(io.cwd, 'repository')
    mkdirSync(repository)
    const segment = join(io.cwd, nameOf(1))
    writeFileSync(segment, makeWal({ first: 1 })[0] ?? '')
    const { code, err } = await waltz({ WALG_FILE_PREFIX: repository, ...env }, 'wal-push', segment)
    expect([code, err.includes(fault)], err).toEqual([2, true])
    expect(err).not.toContain('planted')
    expect(readdirSync(repository)).toEqual([])
    expect(readFileSync(segment).length).toBe(1_048_576)
  })
})

afterAll(() => {
  if (ciphers === undefined) console.warn('SKIPPED: shared/fixtures/ciphers is not beside the checkout')
})
