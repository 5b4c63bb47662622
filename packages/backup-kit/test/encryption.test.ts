import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readAll, sourceOf } from '@waltz/bytes'
import type { Cipher } from '@waltz/crypto'
import { isFault, type Fault } from '@waltz/errors'
import { afterAll, describe, expect, it } from 'vitest'
import { kitSettings } from '../src/backup-kit.ts'
import { openCipher } from '../src/encryption/open-cipher.ts'
import { openFormat } from '../src/open-format.ts'
import type { KitEvent } from '../src/surroundings.ts'
import { armoredKey, surroundingsIn, type Values } from './encryption-keys.ts'

const folder = mkdtempSync(join(tmpdir(), 'kit-encryption-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

const events: KitEvent[] = []
const surroundings = surroundingsIn(folder, { observe: (event) => void events.push(event) })
const BASE = { WALG_FILE_PREFIX: '/nowhere' }
const open = async (values: Values): Promise<Cipher | undefined> => await openCipher(kitSettings({ ...BASE, ...values }), surroundings)
const faultOf = async (act: () => Promise<unknown>): Promise<Fault> => {
  try {
    await act()
  } catch (error) {
    if (isFault(error)) return error
    throw error
  }
  throw new Error('nothing was refused')
}
/** What comes back when one set of settings has written and another reads. */
async function through(written: Values, read: Values, text = 'WAL of '.repeat(5000)): Promise<string> {
  const [writer, reader] = await Promise.all([open(written), open(read)])
  const sealed = await readAll(writer!.encrypt(sourceOf(text)), 1e6)
  expect(Buffer.from(sealed).includes('WAL of')).toBe(false)
  return new TextDecoder().decode(await readAll(reader!.decrypt(sourceOf(sealed)), 1e6))
}

const SODIUM = 'a key of libsodium, long enough'
const HEX = 'ab'.repeat(32)
const BASE64 = Buffer.alloc(32, 0xab).toString('base64')

describe('a key of libsodium', () => {
  it('is taken from the setting or a file, as it is, in hex or in base64', async () => {
    const hex = { WALG_LIBSODIUM_KEY: HEX, WALG_LIBSODIUM_KEY_TRANSFORM: 'hex' }
    const inFile = { WALG_LIBSODIUM_KEY_PATH: file('b64', `${BASE64}\n`), WALG_LIBSODIUM_KEY_TRANSFORM: 'base64' }
    expect(await through(hex, inFile)).toMatch(/^WAL of WAL of /)
    expect(await through({ WALG_LIBSODIUM_KEY: SODIUM }, { WALG_LIBSODIUM_KEY_PATH: file('plain', `\n ${SODIUM}\n`) })).toMatch(/^WAL/)
  })

  it('in the setting goes before the file, as for WAL-G', async () => {
    expect(await through({ WALG_LIBSODIUM_KEY: SODIUM, WALG_LIBSODIUM_KEY_PATH: '/absent' }, { WALG_LIBSODIUM_KEY: SODIUM })).toMatch(
      /^WAL/,
    )
  })

  it.each<[string, Values, string]>([
    ['that is too short', { WALG_LIBSODIUM_KEY: 'short' }, 'CRYPTO_KEY_INVALID'],
    ['in a file that is absent', { WALG_LIBSODIUM_KEY_PATH: '/absent/key' }, 'STORAGE_FILE_UNUSABLE'],
    ['in a folder', { WALG_LIBSODIUM_KEY_PATH: folder }, 'STORAGE_FILE_UNUSABLE'],
    ['that is no hex', { WALG_LIBSODIUM_KEY: 'planted-not-hex', WALG_LIBSODIUM_KEY_TRANSFORM: 'hex' }, 'CRYPTO_KEY_INVALID'],
    ['that is too long in base64', { WALG_LIBSODIUM_KEY: `${BASE64}AAAA`, WALG_LIBSODIUM_KEY_TRANSFORM: 'base64' }, 'CRYPTO_KEY_INVALID'],
    ['of which only the transform is set', { WALG_LIBSODIUM_KEY_TRANSFORM: 'hex' }, 'ENCRYPTION_KEY_ABSENT'],
  ])('%s is fatal', async (_, values, code) => {
    const fault = await faultOf(() => open(values))
    expect([fault.kind, fault.code]).toEqual(['invalid', code])
    expect(`${fault.message} ${fault.hint} ${JSON.stringify(fault.context)}`).not.toMatch(/planted/)
    expect((await faultOf(() => openFormat(kitSettings({ ...BASE, ...values }), surroundings))).code).toBe(code)
  })

  it('with an unknown transform is refused with the other settings', async () => {
    const fault = await faultOf(() => open({ WALG_LIBSODIUM_KEY: SODIUM, WALG_LIBSODIUM_KEY_TRANSFORM: 'rot13' }))
    expect([fault.code, fault.message]).toEqual(['SETTINGS_INVALID', expect.stringContaining('WALG_LIBSODIUM_KEY_TRANSFORM')])
  })
})

describe('a key of OpenPGP', () => {
  it('is taken from the setting, with written line feeds, or from a file; the public half writes', async () => {
    const written = { WALG_PGP_KEY: armoredKey('ecc.pub.asc').replaceAll('\n', '\\n') }
    expect(await through(written, { WALG_PGP_KEY_PATH: file('ecc', armoredKey('ecc.sec.asc')) })).toMatch(/^WAL/)
  })

  it.each<[string, Values, string]>([
    ['that is none', { WALG_PGP_KEY: 'planted text' }, 'CRYPTO_KEY_INVALID'],
    ['in a file that is absent', { WALG_PGP_KEY_PATH: '/absent/key.asc' }, 'STORAGE_FILE_UNUSABLE'],
    [
      'whose passphrase is wrong',
      { WALG_PGP_KEY: armoredKey('locked.sec.asc'), WALG_PGP_KEY_PASSPHRASE: 'planted' },
      'CRYPTO_PASSPHRASE_WRONG',
    ],
    ['of which only the passphrase is set', { WALG_PGP_KEY_PASSPHRASE: 'planted' }, 'ENCRYPTION_KEY_ABSENT'],
    ['beside one of GnuPG', { WALG_PGP_KEY: armoredKey('ecc.pub.asc'), WALG_GPG_KEY_ID: 'ABCD1234' }, 'ENCRYPTION_KEYS_SEVERAL'],
  ])('%s is fatal', async (_, values, code) => {
    const fault = await faultOf(() => open(values))
    expect([fault.kind, fault.code]).toEqual(['invalid', code])
    expect(`${fault.message} ${fault.hint} ${JSON.stringify(fault.context)}`).not.toMatch(/planted/)
  })

  it('that is public only cannot read, and says so', async () => {
    const cipher = await open({ WALG_PGP_KEY: armoredKey('ecc.pub.asc') })
    expect(cipher?.canDecrypt).toBe(false)
  })
})

describe('keys in key services', () => {
  it.each<[string, Values, string]>([
    ['of AWS, of which only the region is set', { WALG_CSE_KMS_REGION: 'eu-west-1' }, 'ENCRYPTION_KEY_ABSENT'],
    ['of Yandex, of which only the account is set', { YC_SERVICE_ACCOUNT_KEY_FILE: '/absent' }, 'ENCRYPTION_KEY_ABSENT'],
    [
      'of Yandex, with an account file that is absent',
      { YC_CSE_KMS_KEY_ID: 'k', YC_SERVICE_ACCOUNT_KEY_FILE: '/absent' },
      'STORAGE_FILE_UNUSABLE',
    ],
    [
      'of Yandex, with an account file that is none',
      { YC_CSE_KMS_KEY_ID: 'k', YC_SERVICE_ACCOUNT_KEY_FILE: file('account', 'planted') },
      'CRYPTO_KEY_INVALID',
    ],
    ['of an envelope, without the key of the service', { WALG_ENVELOPE_PGP_KEY: 'cGxhbnRlZA==' }, 'ENCRYPTION_KEY_ABSENT'],
    ['of an envelope, of which only that key is set', { WALG_ENVELOPE_PGP_YC_CSE_KMS_KEY_ID: 'k' }, 'ENCRYPTION_KEY_ABSENT'],
    [
      'of an envelope in a file that is absent',
      { WALG_ENVELOPE_PGP_KEY_PATH: '/absent', WALG_ENVELOPE_PGP_YC_CSE_KMS_KEY_ID: 'k' },
      'STORAGE_FILE_UNUSABLE',
    ],
  ])('%s are fatal', async (_, values, code) => {
    const fault = await faultOf(() => open(values))
    expect([fault.kind, fault.code]).toEqual(['invalid', code])
    expect(`${fault.message} ${fault.hint} ${JSON.stringify(fault.context)}`).not.toMatch(/planted/)
  })
})

describe('two schemes at once', () => {
  const each: Readonly<Record<string, Values>> = {
    openpgp: { WALG_PGP_KEY: 'x' },
    envelope: { WALG_ENVELOPE_PGP_KEY: 'x' },
    aws: { WALG_CSE_KMS_ID: 'x' },
    yandex: { YC_CSE_KMS_KEY_ID: 'x' },
    libsodium: { WALG_LIBSODIUM_KEY: SODIUM },
  }
  const pairs = Object.keys(each).flatMap((one, index) =>
    Object.keys(each)
      .slice(index + 1)
      .map((other) => [one, other] as const),
  )
  it.each(pairs)('%s and %s are fatal, and both are named', async (one, other) => {
    const fault = await faultOf(() => open({ ...each[one], ...each[other] }))
    expect(fault.code).toBe('ENCRYPTION_KEYS_SEVERAL')
    for (const name of [...Object.keys(each[one] ?? {}), ...Object.keys(each[other] ?? {})]) expect(fault.message).toContain(name)
  })
})

describe('previous keys', () => {
  const old = { WALG_LIBSODIUM_KEY: 'an older key of libsodium, still long enough' }
  const now = {
    WALG_PGP_KEY: armoredKey('ecc.sec.asc'),
    WALTZ_CRYPTO_PREVIOUS_KEYS: JSON.stringify([
      { scheme: 'openpgp', WALG_PGP_KEY: armoredKey('rsa.sec.asc') },
      { scheme: 'libsodium', ...old },
    ]),
  }

  it('open what was written with them, and nothing new is written with them', async () => {
    expect(await through(old, now)).toMatch(/^WAL/)
    expect(await through({ WALG_PGP_KEY: armoredKey('rsa.pub.asc') }, now)).toMatch(/^WAL/)
    expect(await through(now, { WALG_PGP_KEY: armoredKey('ecc.sec.asc') })).toMatch(/^WAL/)
    expect((await faultOf(() => through(now, old))).code).toBe('CRYPTO_NO_KEY_FITS')
  })

  it('may stand in a file, and alone for a configuration that only reads', async () => {
    const path = file('previous.json', JSON.stringify([{ scheme: 'libsodium', ...old }]))
    expect(await through(old, { WALTZ_CRYPTO_PREVIOUS_KEYS_PATH: path })).toMatch(/^WAL/)
    expect((await faultOf(() => through({ WALTZ_CRYPTO_PREVIOUS_KEYS_PATH: path }, old))).code).toBe('CRYPTO_NO_CURRENT_KEY')
  })

  it.each<[string, string]>([
    ['no JSON', '{planted'],
    ['no list', '{}'],
    ['an entry that is no map', '["planted"]'],
    ['an entry without a scheme', JSON.stringify([{ WALG_LIBSODIUM_KEY: SODIUM }])],
    ['a scheme that does not exist', JSON.stringify([{ scheme: 'planted', WALG_LIBSODIUM_KEY: SODIUM }])],
    ['a key of another scheme', JSON.stringify([{ scheme: 'openpgp', WALG_LIBSODIUM_KEY: SODIUM }])],
    ['no key', JSON.stringify([{ scheme: 'libsodium' }])],
    ['a setting of something else', JSON.stringify([{ scheme: 'libsodium', WALG_LIBSODIUM_KEY: SODIUM, WALG_FILE_PREFIX: '/x' }])],
    ['a name that is none', JSON.stringify([{ scheme: 'libsodium', WALG_LIBSODIUM_KEY: SODIUM, WALG_LIBSODIUM_KEI: 'planted' }])],
    ['a value that is no text', JSON.stringify([{ scheme: 'libsodium', WALG_LIBSODIUM_KEY: 5 }])],
    ['previous keys of its own', JSON.stringify([{ scheme: 'libsodium', WALG_LIBSODIUM_KEY: SODIUM, WALTZ_CRYPTO_PREVIOUS_KEYS: '[]' }])],
  ])('with %s are fatal', async (_, text) => {
    const fault = await faultOf(() => open({ WALG_PGP_KEY: armoredKey('ecc.pub.asc'), WALTZ_CRYPTO_PREVIOUS_KEYS: text }))
    expect([fault.kind, fault.code]).toEqual(['invalid', 'ENCRYPTION_PREVIOUS_KEYS_INVALID'])
    expect(`${fault.message} ${fault.hint}`).not.toMatch(/planted/)
  })

  it('that cannot work are fatal like the current one', async () => {
    const fault = await faultOf(() =>
      open({ ...old, WALTZ_CRYPTO_PREVIOUS_KEYS: JSON.stringify([{ scheme: 'libsodium', WALG_LIBSODIUM_KEY: 'short' }]) }),
    )
    expect(fault.code).toBe('CRYPTO_KEY_INVALID')
  })
})

describe('objects that are not encrypted', () => {
  it('are refused where a key is configured, and read with a word about it where that is allowed', async () => {
    const plain = await openFormat(kitSettings(BASE), surroundings)
    expect(plain.encryption).toBeUndefined()
    const stored = await readAll(plain.seal(sourceOf('plain text')), 1e6)
    const keyed = { ...BASE, WALG_LIBSODIUM_KEY: SODIUM }
    const strict = await openFormat(kitSettings(keyed), surroundings)
    expect((await faultOf(async () => await readAll(await strict.open('x.lz4', sourceOf(stored)), 1e6))).code).toBe(
      'CRYPTO_PLAINTEXT_REFUSED',
    )
    const lenient = await openFormat(kitSettings({ ...keyed, WALTZ_CRYPTO_PLAINTEXT_READS: 'allow' }), surroundings)
    events.length = 0
    expect(new TextDecoder().decode(await readAll(await lenient.open('x.lz4', sourceOf(stored)), 1e6))).toBe('plain text')
    expect(events).toEqual([{ type: 'plaintext-read', framing: 'lz4' }])
  })
})
