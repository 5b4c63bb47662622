import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { sourceOf } from '@waltz/bytes'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { run } from '../src/index.ts'
import { createFakeIo, type FakeIo } from './fake-io.ts'

const armored = (name: string): string =>
  readFileSync(new URL(`../../../packages/crypto/test/fixtures/openpgp/keys/${name}`, import.meta.url), 'utf8')
const TEXT = 'nobody without the key reads this\n'.repeat(200)
const SODIUM = { WALG_LIBSODIUM_KEY: 'the key of this configuration' }
const OPENPGP = { WALG_PGP_KEY: armored('ecc.sec.asc') }

let io: FakeIo
let root: string
let printed: Uint8Array[]

beforeEach(() => {
  printed = []
  io = createFakeIo({
    stdoutBytes: (bytes) => printed.push(new Uint8Array(bytes)) > 0,
    stdin: () => sourceOf(TEXT),
    now: () => new Date(),
  })
  root = join(io.cwd, 'repository')
  mkdirSync(root)
  Object.assign(io.env, { WALG_FILE_PREFIX: root, TZ: 'UTC', WALG_LOG_LEVEL: 'DEVEL' })
})
afterEach(() => io[Symbol.dispose]())

interface End {
  readonly code: number
  readonly err: string
  readonly bytes: string
}

/** Runs `waltz` with further settings, which end with it. */
async function waltz(env: Readonly<Record<string, string>>, ...argv: readonly string[]): Promise<End> {
  const before = io.err().length
  printed.length = 0
  Object.assign(io.env, env)
  const code = await run(argv, io)
  for (const name of Object.keys(env)) Reflect.deleteProperty(io.env, name)
  return { code, err: io.err().slice(before), bytes: Buffer.concat(printed).toString() }
}

const stored = (key: string, folder = root): string => readFileSync(join(folder, key), 'latin1')
const local = (name: string): string => readFileSync(join(io.cwd, name), 'utf8')
const files = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted()
function writeLocal(name: string, text: string): void {
  mkdirSync(dirname(join(io.cwd, name)), { recursive: true })
  writeFileSync(join(io.cwd, name), text)
}

describe.each([
  ['libsodium', SODIUM],
  ['OpenPGP', OPENPGP],
] as const)('st put, get and cat with a key of %s', (scheme, key) => {
  it('encrypt and decrypt unless told otherwise', async () => {
    expect((await waltz(key, 'st', 'put', '-s', 'a.txt')).code).toBe(0)
    expect((await waltz(key, 'st', 'put', '-s', '--no-compress', 'b.txt.none')).code).toBe(0)
    expect(files(root)).toEqual(['a.txt.lz4', 'b.txt.none'])
    for (const name of files(root)) expect(stored(name)).not.toContain('nobody')
    expect((await waltz(key, 'st', 'get', 'a.txt.lz4', 'a')).code).toBe(0)
    expect(local('a')).toBe(TEXT)
    expect((await waltz(key, 'st', 'get', '--no-decompress', 'b.txt.none', 'b')).code).toBe(0)
    expect(local('b')).toBe(TEXT)
    expect(await waltz(key, 'st', 'cat', '--decrypt', '--decompress', 'a.txt.lz4')).toMatchObject({ code: 0, bytes: TEXT })
    expect(await waltz(key, 'st', 'cat', '--decrypt', 'b.txt.none')).toMatchObject({ code: 0, bytes: TEXT })
  })

  it('leave out each step that they are told to', async () => {
    await waltz(key, 'st', 'put', '-s', 'sealed')
    await waltz(key, 'st', 'put', '-s', '--no-encrypt', 'plain')
    await waltz({}, 'st', 'put', '-s', 'keyless')
    expect(stored('plain.lz4')).toBe(stored('keyless.lz4'))
    await waltz(key, 'st', 'put', '-s', '--no-encrypt', '--no-compress', 'bare')
    expect(stored('bare')).toBe(TEXT)

    await waltz(key, 'st', 'get', '--no-decrypt', '--no-decompress', 'sealed.lz4', 'as-stored')
    expect(readFileSync(join(io.cwd, 'as-stored'), 'latin1')).toBe(stored('sealed.lz4'))
    await waltz(key, 'st', 'get', '--no-decompress', 'sealed.lz4', 'decrypted')
    expect(readFileSync(join(io.cwd, 'decrypted'), 'latin1')).toBe(stored('keyless.lz4'))
    await waltz(key, 'st', 'get', '--no-decrypt', 'plain.lz4', 'plain')
    expect(local('plain')).toBe(TEXT)
    const bytes = await waltz(key, 'st', 'cat', 'sealed.lz4')
    expect([bytes.code, Buffer.concat(printed).equals(readFileSync(join(root, 'sealed.lz4')))]).toEqual([0, true])
  })

  it('refuse a plain object where the key is to be used, and leave no file', async () => {
    await waltz({}, 'st', 'put', '-s', 'keyless')
    const refused = await waltz(key, 'st', 'get', 'keyless.lz4', 'out')
    expect(refused).toMatchObject({ code: 22, err: expect.stringContaining('CRYPTO_PLAINTEXT_REFUSED') })
    expect(refused.err).toContain('keyless.lz4')
    expect(existsSync(join(io.cwd, 'out'))).toBe(false)
    const allowed = await waltz({ ...key, WALTZ_CRYPTO_PLAINTEXT_READS: 'allow' }, 'st', 'get', 'keyless.lz4', 'out')
    expect([allowed.code, local('out')]).toEqual([0, TEXT])
    expect(allowed.err).toMatch(/WARN.*not encrypted/i)
  })

  it('read what was written with a previous key', async () => {
    await waltz(key, 'st', 'put', '-s', 'old')
    const entry = { scheme: scheme === 'libsodium' ? 'libsodium' : 'openpgp', ...key }
    const changed = {
      ...(scheme === 'libsodium' ? OPENPGP : SODIUM),
      WALTZ_CRYPTO_PREVIOUS_KEYS: JSON.stringify([entry]),
    }
    expect((await waltz(changed, 'st', 'get', 'old.lz4', 'old')).code).toBe(0)
    expect(local('old')).toBe(TEXT)
  })
})

describe('without the key', () => {
  it('an encrypted object is said to be encrypted, with the scheme, where its framing tells', async () => {
    await waltz(OPENPGP, 'st', 'put', '-s', 'a')
    for (const args of [
      ['st', 'get', 'a.lz4', 'out'],
      ['st', 'cat', '--decompress', 'a.lz4'],
    ]) {
      const { code, err, bytes } = await waltz({}, ...args)
      expect([code, bytes]).toEqual([2, ''])
      expect(err).toContain('OBJECT_ENCRYPTED')
      expect(err).toContain('a.lz4 is encrypted (openpgp)')
    }
    expect(existsSync(join(io.cwd, 'out'))).toBe(false)
    const withKey = await waltz(OPENPGP, 'st', 'cat', '--decompress', 'a.lz4')
    expect([withKey.code, withKey.err.includes('--decrypt')]).toEqual([2, true])
  })

  it('st cat --decrypt prints nothing', async () => {
    await waltz(OPENPGP, 'st', 'put', '-s', 'a')
    expect(await waltz({}, 'st', 'cat', '--decrypt', 'a.lz4')).toMatchObject({ code: 2, bytes: '', err: expect.stringContaining('USAGE') })
  })

  it('another key is told from damage', async () => {
    await waltz(SODIUM, 'st', 'put', '-s', 'a')
    const other = await waltz({ WALG_LIBSODIUM_KEY: 'another key of the same length' }, 'st', 'get', 'a.lz4', 'out')
    expect(other).toMatchObject({ code: 24, err: expect.stringContaining('CRYPTO_NO_KEY_FITS') })
    expect(existsSync(join(io.cwd, 'out'))).toBe(false)
  })
})

describe('a key that cannot work', () => {
  const broken: readonly (readonly [string, Readonly<Record<string, string>>, string])[] = [
    ['too short', { WALG_LIBSODIUM_KEY: 'short' }, 'CRYPTO_KEY_INVALID'],
    ['no OpenPGP key', { WALG_PGP_KEY: 'garbage' }, 'CRYPTO_KEY_INVALID'],
    ['in a file that is absent', { WALG_PGP_KEY_PATH: '/absent/key.asc' }, 'STORAGE_FILE_UNUSABLE'],
    ['of two ciphers', { ...SODIUM, WALG_CSE_KMS_ID: 'x' }, 'ENCRYPTION_KEYS_SEVERAL'],
    ['half of one', { WALG_CSE_KMS_REGION: 'x' }, 'ENCRYPTION_KEY_ABSENT'],
    ['a previous one', { ...SODIUM, WALTZ_CRYPTO_PREVIOUS_KEYS: '[{"scheme":"libsodium"}]' }, 'ENCRYPTION_PREVIOUS_KEYS_INVALID'],
  ]

  it.each(broken)('%s: nothing is stored, copied or written', async (_, env, code) => {
    await waltz({}, 'st', 'put', '-s', 'there')
    writeLocal('000000010000000000000001.00000028.backup', 'START WAL LOCATION: 0/1000028\n')
    writeLocal('00000002.history', '1\t0/3000000\tno reason\n')
    const commands = [
      ['st', 'put', '-s', 'new'],
      ['st', 'put', '-s', '--no-encrypt', 'new'],
      ['st', 'get', 'there.lz4', 'out'],
      ['st', 'cat', '--decrypt', 'there.lz4'],
      ['st', 'copy', '--decrypt-source', '--to', 'to.json'],
      ['wal-push', join(io.cwd, '00000002.history')],
      ['wal-push', join(io.cwd, '000000010000000000000001.00000028.backup')],
    ]
    mkdirSync(join(io.cwd, 'to'))
    writeLocal('to.json', JSON.stringify({ WALG_FILE_PREFIX: join(io.cwd, 'to') }))
    for (const args of commands) {
      const end = await waltz(env, ...args)
      expect([args.join(' '), end.code, end.bytes]).toEqual([args.join(' '), 2, ''])
      expect(end.err).toContain(code)
    }
    expect([files(root), files(join(io.cwd, 'to')), existsSync(join(io.cwd, 'out'))]).toEqual([['there.lz4'], [], false])
  })
})

describe('st copy with keys', () => {
  const NEW = { WALG_LIBSODIUM_KEY: 'the key of the target, long enough' }
  let target: string

  beforeEach(async () => {
    target = join(io.cwd, 'target')
    mkdirSync(target)
    writeLocal('to.json', JSON.stringify({ WALG_FILE_PREFIX: target, ...NEW }))
    writeLocal('plain.json', JSON.stringify({ WALG_FILE_PREFIX: target }))
    await waltz(SODIUM, 'st', 'put', '-s', 'wal_005/a')
    mkdirSync(join(root, 'basebackups_005'))
    writeFileSync(join(root, 'basebackups_005/x_backup_stop_sentinel.json'), '{}')
  })

  it('leaves bytes as they are unless told otherwise', async () => {
    expect((await waltz(SODIUM, 'st', 'copy', '--to', 'to.json')).code).toBe(0)
    expect(stored('wal_005/a.lz4', target)).toBe(stored('wal_005/a.lz4'))
  })

  it('decrypts with the key of this configuration, and encrypts with that of the target; documents stay as they are', async () => {
    expect((await waltz(SODIUM, 'st', 'copy', '--to', 'to.json', '-d', '-e')).code).toBe(0)
    expect(files(target)).toEqual(['basebackups_005/x_backup_stop_sentinel.json', 'wal_005/a.lz4'])
    expect(stored('basebackups_005/x_backup_stop_sentinel.json', target)).toBe('{}')
    const fromTarget = { WALG_FILE_PREFIX: target }
    expect((await waltz({ ...fromTarget, ...SODIUM }, 'st', 'get', 'wal_005/a.lz4', 'refused')).code).toBe(24)
    Object.assign(io.env, { WALG_FILE_PREFIX: root })
    expect((await waltz({ ...fromTarget, ...NEW }, 'st', 'get', 'wal_005/a.lz4', 'again')).code).toBe(0)
    expect(local('again')).toBe(TEXT)
  })

  it('refuses to rewrite a repository in place', async () => {
    writeLocal('same.json', JSON.stringify({ WALG_FILE_PREFIX: root }))
    const before = stored('wal_005/a.lz4')
    for (const sides of [[], ['--to', 'same.json'], ['--from', 'same.json']]) {
      const end = await waltz(SODIUM, 'st', 'copy', '--decrypt-source', ...sides)
      expect([end.code, end.err.includes('the same storage')]).toEqual([2, true])
    }
    expect(stored('wal_005/a.lz4')).toBe(before)
  })

  it('decrypts only, or encrypts only', async () => {
    expect((await waltz(SODIUM, 'st', 'copy', '--to', 'plain.json', '--decrypt-source')).code).toBe(0)
    expect((await waltz({ WALG_FILE_PREFIX: target }, 'st', 'get', 'wal_005/a.lz4', 'plain')).code).toBe(0)
    expect(local('plain')).toBe(TEXT)
    Object.assign(io.env, { WALG_FILE_PREFIX: root })
    writeFileSync(join(root, 'wal_005/a.lz4'), readFileSync(join(target, 'wal_005/a.lz4')))
    expect((await waltz({}, 'st', 'copy', '--to', 'to.json', '--encrypt-source')).code).toBe(0)
    expect((await waltz({ WALG_FILE_PREFIX: target, ...NEW }, 'st', 'get', 'wal_005/a.lz4', 'sealed')).code).toBe(0)
    expect(local('sealed')).toBe(TEXT)
  })

  it.each([
    ['--decrypt-source', {}, 'to.json', 2, 'USAGE'],
    ['--encrypt-source', SODIUM, 'plain.json', 2, 'USAGE'],
    ['--decrypt-source', { WALG_LIBSODIUM_KEY: 'not the key it was written with' }, 'to.json', 24, 'CRYPTO_NO_KEY_FITS'],
  ])('%s without the right key copies nothing that is encrypted', async (flag, env, to, code, fault) => {
    expect(await waltz(env, 'st', 'copy', '--to', to, flag)).toMatchObject({ code, err: expect.stringContaining(fault) })
    expect(files(target).filter((name) => !name.endsWith('.json'))).toEqual([])
  })
})
