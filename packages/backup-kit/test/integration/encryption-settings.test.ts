import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { isFault } from '@waltz/errors'
import { readAll, sourceOf } from '@waltz/bytes'
import { settingsTable, type SettingRow } from '@waltz/settings'
import { startKeyServices, temporaryFolder, type KeyServices, type TemporaryFolder } from '@waltz/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { kitSettings, openBackupKit } from '../../src/backup-kit.ts'
import { armoredKey, cipherSettings, surroundingsIn, type Values } from '../encryption-keys.ts'

type Row = (typeof settingsTable)[keyof typeof settingsTable]
/** Every setting about keys; a new row has no proof yet, and does not compile. */
type Name = Extract<Row, { readonly area: 'encryption' }>['name']

/** How a setting shows that it is used, and that a wrong value of it ends the run. */
interface Proof {
  /** With these settings objects are written and read again. */
  readonly works: () => Values
  /** And these read the same objects, where the setting is about reading or about another source of the same key. */
  readonly reads?: () => Values
  /** What a request of the key service must have been. */
  readonly asked?: RegExp
  /** The same with a value that cannot work, and the code of the fault. */
  readonly fatal: () => readonly [Values, string]
}

let services: KeyServices
let work: TemporaryFolder
let gnupg = ''
const gpgIsHere = spawnSync('gpg', ['--version']).error === undefined
const before = process.env['GNUPGHOME']
let files = 0
const file = (text: string): string => {
  const path = work.join(`file-${(files += 1)}`)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

beforeAll(async () => {
  services = await startKeyServices()
  work = temporaryFolder()
  gnupg = work.join('gnupg')
  mkdirSync(gnupg, { mode: 0o700 })
  process.env['GNUPGHOME'] = gnupg
  if (gpgIsHere) spawnSync('gpg', ['--batch', '--quiet', '--import'], { input: armoredKey('ecc.sec.asc') })
})
afterAll(async () => {
  if (gpgIsHere) spawnSync('gpgconf', ['--homedir', gnupg, '--kill', 'all'])
  if (before === undefined) delete process.env['GNUPGHOME']
  else process.env['GNUPGHOME'] = before
  await services?.stop()
  await work?.dispose()
})

const of = (name: keyof ReturnType<typeof cipherSettings>): Values => cipherSettings(services)[name]
const SODIUM = { WALG_LIBSODIUM_KEY: 'a key of libsodium, long enough' }
const NOWHERE = 'http://127.0.0.1:9'
const WRONG_ADDRESS = 'not an address'
const without = (values: Values, ...names: readonly string[]): Values =>
  Object.fromEntries(Object.entries(values).filter(([name]) => !names.includes(name)))
const previous = (): string => JSON.stringify([{ scheme: 'libsodium', ...SODIUM }])
const account = (): string => file(services.yandex.accountFile)

const proofs: Readonly<Record<Name, Proof>> = {
  WALG_PGP_KEY: { works: () => of('openpgp'), fatal: () => [{ WALG_PGP_KEY: 'no key' }, 'CRYPTO_KEY_INVALID'] },
  WALG_PGP_KEY_PATH: {
    works: () => ({ WALG_PGP_KEY_PATH: file(armoredKey('ecc.sec.asc')) }),
    fatal: () => [{ WALG_PGP_KEY_PATH: '/absent/key' }, 'STORAGE_FILE_UNUSABLE'],
  },
  WALG_PGP_KEY_PASSPHRASE: {
    works: () => ({ WALG_PGP_KEY: armoredKey('locked.sec.asc'), WALG_PGP_KEY_PASSPHRASE: 'correct horse' }),
    fatal: () => [{ WALG_PGP_KEY: armoredKey('locked.sec.asc'), WALG_PGP_KEY_PASSPHRASE: 'wrong' }, 'CRYPTO_PASSPHRASE_WRONG'],
  },
  WALG_GPG_KEY_ID: {
    works: () => ({ WALG_GPG_KEY_ID: keyIdOf() }),
    reads: () => of('openpgp'),
    fatal: () => [{ WALG_GPG_KEY_ID: '0123456789ABCDEF' }, 'CRYPTO_GPG_KEY_MISSING'],
  },
  WALG_ENVELOPE_PGP_KEY: {
    works: () => of('envelope-openpgp'),
    fatal: () => [{ ...of('envelope-openpgp'), WALG_ENVELOPE_PGP_KEY: '***' }, 'CRYPTO_KEY_INVALID'],
  },
  WALG_ENVELOPE_PGP_KEY_PATH: {
    works: () => ({
      ...without(of('envelope-openpgp'), 'WALG_ENVELOPE_PGP_KEY'),
      WALG_ENVELOPE_PGP_KEY_PATH: file(of('envelope-openpgp')['WALG_ENVELOPE_PGP_KEY'] ?? ''),
    }),
    reads: () => of('envelope-openpgp'),
    fatal: () => [
      { ...without(of('envelope-openpgp'), 'WALG_ENVELOPE_PGP_KEY'), WALG_ENVELOPE_PGP_KEY_PATH: '/absent' },
      'STORAGE_FILE_UNUSABLE',
    ],
  },
  WALG_ENVELOPE_PGP_YC_CSE_KMS_KEY_ID: {
    works: () => of('envelope-openpgp'),
    asked: /\/kms\/v1\/keys\/abj0000000000000fake:decrypt/,
    fatal: () => [{ ...of('envelope-openpgp'), WALG_ENVELOPE_PGP_YC_CSE_KMS_KEY_ID: 'unknown' }, 'CRYPTO_SERVICE_REFUSED'],
  },
  WALG_ENVELOPE_PGP_YC_SERVICE_ACCOUNT_KEY_FILE: {
    works: () => ({
      ...of('envelope-openpgp'),
      WALTZ_YC_IAM_ENDPOINT: `${services.url}/iam/v1/tokens`,
      WALG_ENVELOPE_PGP_YC_SERVICE_ACCOUNT_KEY_FILE: account(),
    }),
    asked: /\/iam\/v1\/tokens/,
    fatal: () => [{ ...of('envelope-openpgp'), WALG_ENVELOPE_PGP_YC_SERVICE_ACCOUNT_KEY_FILE: '/absent' }, 'STORAGE_FILE_UNUSABLE'],
  },
  WALG_ENVELOPE_PGP_YC_ENDPOINT: {
    works: () => of('envelope-openpgp'),
    asked: /:decrypt/,
    fatal: () => [{ ...of('envelope-openpgp'), WALG_ENVELOPE_PGP_YC_ENDPOINT: NOWHERE }, 'CRYPTO_SERVICE_UNREACHABLE'],
  },
  WALG_ENVELOPE_CACHE_EXPIRATION: {
    works: () => ({ ...of('envelope-openpgp'), WALG_ENVELOPE_CACHE_EXPIRATION: '5m' }),
    fatal: () => [{ ...of('envelope-openpgp'), WALG_ENVELOPE_CACHE_EXPIRATION: 'soon' }, 'SETTINGS_INVALID'],
  },
  WALG_CSE_KMS_ID: {
    works: () => of('aws-kms'),
    asked: /TrentService/,
    fatal: () => [{ ...of('aws-kms'), WALG_CSE_KMS_ID: 'unknown' }, 'CRYPTO_SERVICE_REFUSED'],
  },
  WALG_CSE_KMS_REGION: {
    works: () => of('aws-kms'),
    asked: /\/eu-central-1\/kms\//,
    fatal: () => [{ ...of('aws-kms'), WALG_CSE_KMS_REGION: 'us-west-2' }, 'CRYPTO_SERVICE_DENIED'],
  },
  YC_CSE_KMS_KEY_ID: {
    works: () => of('yandex-kms'),
    asked: /\/keys\/abj0000000000000fake:generateDataKey/,
    fatal: () => [{ ...of('yandex-kms'), YC_CSE_KMS_KEY_ID: 'unknown' }, 'CRYPTO_SERVICE_REFUSED'],
  },
  YC_SERVICE_ACCOUNT_KEY_FILE: {
    works: () => ({ ...of('yandex-kms'), WALTZ_YC_IAM_ENDPOINT: `${services.url}/iam/v1/tokens`, YC_SERVICE_ACCOUNT_KEY_FILE: account() }),
    asked: /\/iam\/v1\/tokens/,
    fatal: () => [{ ...of('yandex-kms'), YC_SERVICE_ACCOUNT_KEY_FILE: file('no account') }, 'CRYPTO_KEY_INVALID'],
  },
  WALG_LIBSODIUM_KEY: { works: () => SODIUM, fatal: () => [{ WALG_LIBSODIUM_KEY: 'short' }, 'CRYPTO_KEY_INVALID'] },
  WALG_LIBSODIUM_KEY_PATH: {
    works: () => ({ WALG_LIBSODIUM_KEY_PATH: file(`${SODIUM.WALG_LIBSODIUM_KEY}\n`) }),
    reads: () => SODIUM,
    fatal: () => [{ WALG_LIBSODIUM_KEY_PATH: '/absent' }, 'STORAGE_FILE_UNUSABLE'],
  },
  WALG_LIBSODIUM_KEY_TRANSFORM: {
    works: () => ({ WALG_LIBSODIUM_KEY: 'ab'.repeat(32), WALG_LIBSODIUM_KEY_TRANSFORM: 'hex' }),
    reads: () => ({ WALG_LIBSODIUM_KEY: Buffer.alloc(32, 0xab).toString('base64'), WALG_LIBSODIUM_KEY_TRANSFORM: 'base64' }),
    fatal: () => [{ ...SODIUM, WALG_LIBSODIUM_KEY_TRANSFORM: 'hex' }, 'CRYPTO_KEY_INVALID'],
  },
  WALTZ_CSE_KMS_ENDPOINT: {
    works: () => of('aws-kms'),
    asked: /TrentService/,
    fatal: () => [{ ...of('aws-kms'), WALTZ_CSE_KMS_ENDPOINT: WRONG_ADDRESS }, 'ENCRYPTION_ADDRESS_INVALID'],
  },
  WALTZ_YC_KMS_ENDPOINT: {
    works: () => of('yandex-kms'),
    asked: /:generateDataKey/,
    fatal: () => [{ ...of('yandex-kms'), WALTZ_YC_KMS_ENDPOINT: WRONG_ADDRESS }, 'ENCRYPTION_ADDRESS_INVALID'],
  },
  WALTZ_YC_IAM_ENDPOINT: {
    works: () => ({ ...of('yandex-kms'), WALTZ_YC_IAM_ENDPOINT: `${services.url}/iam/v1/tokens`, YC_SERVICE_ACCOUNT_KEY_FILE: account() }),
    asked: /\/iam\/v1\/tokens/,
    fatal: () => [
      { ...of('yandex-kms'), YC_SERVICE_ACCOUNT_KEY_FILE: account(), WALTZ_YC_IAM_ENDPOINT: WRONG_ADDRESS },
      'ENCRYPTION_ADDRESS_INVALID',
    ],
  },
  WALTZ_YC_METADATA_ENDPOINT: {
    works: () => of('yandex-kms'),
    asked: /\/computeMetadata\/v1\//,
    fatal: () => [{ ...of('yandex-kms'), WALTZ_YC_METADATA_ENDPOINT: WRONG_ADDRESS }, 'ENCRYPTION_ADDRESS_INVALID'],
  },
  WALTZ_CRYPTO_PREVIOUS_KEYS: {
    works: () => SODIUM,
    reads: () => ({ ...of('openpgp'), WALTZ_CRYPTO_PREVIOUS_KEYS: previous() }),
    fatal: () => [{ ...of('openpgp'), WALTZ_CRYPTO_PREVIOUS_KEYS: '{}' }, 'ENCRYPTION_PREVIOUS_KEYS_INVALID'],
  },
  WALTZ_CRYPTO_PREVIOUS_KEYS_PATH: {
    works: () => SODIUM,
    reads: () => ({ ...of('openpgp'), WALTZ_CRYPTO_PREVIOUS_KEYS_PATH: file(previous()) }),
    fatal: () => [{ ...of('openpgp'), WALTZ_CRYPTO_PREVIOUS_KEYS_PATH: '/absent' }, 'STORAGE_FILE_UNUSABLE'],
  },
  WALTZ_CRYPTO_PLAINTEXT_READS: {
    works: () => ({}),
    reads: () => ({ ...SODIUM, WALTZ_CRYPTO_PLAINTEXT_READS: 'allow' }),
    fatal: () => [{ ...SODIUM, WALTZ_CRYPTO_PLAINTEXT_READS: 'perhaps' }, 'SETTINGS_INVALID'],
  },
  WALTZ_CRYPTO_PLAINTEXT_WRITES: {
    works: () => ({ WALTZ_CRYPTO_PLAINTEXT_WRITES: 'allow' }),
    fatal: () => [{ WALTZ_CRYPTO_PLAINTEXT_WRITES: 'perhaps' }, 'SETTINGS_INVALID'],
  },
}

/** The long id of the one key in the ring. */
function keyIdOf(): string {
  const { stdout } = spawnSync('gpg', ['--list-keys', '--with-colons'], { encoding: 'utf8' })
  return /^pub:[^:]*:[^:]*:[^:]*:([0-9A-F]{16}):/m.exec(stdout)?.[1] ?? ''
}

const TEXT = 'WAL of the database. '.repeat(1000)
const NAME = '000000010000000000000001.partial'
const open = (values: Values): ReturnType<typeof openBackupKit> =>
  openBackupKit(kitSettings({ WALG_FILE_PREFIX: work.path, WALG_COMPRESSION_METHOD: 'lz4', ...values }), surroundingsIn(work.path))

async function seal(values: Values): Promise<Uint8Array> {
  await using kit = await open(values)
  const format = await kit.openFormat()
  return await readAll(format.seal(sourceOf(TEXT)), 1e6)
}

async function read(values: Values, stored: Uint8Array): Promise<string> {
  await using kit = await open(values)
  const format = await kit.openFormat()
  return new TextDecoder().decode(await readAll(await format.open(`wal_005/${NAME}.lz4`, sourceOf(stored)), 1e6))
}

describe('a setting about keys', () => {
  it('has a proof, whichever it is', () => {
    const rows = Object.values<SettingRow>(settingsTable).filter(({ area }) => area === 'encryption')
    expect(Object.keys(proofs).toSorted()).toEqual(rows.map(({ name }) => name).toSorted())
    expect(rows.filter(({ availability }) => availability !== 'now')).toEqual([])
  })

  const all = Object.entries(proofs).filter(([name]) => gpgIsHere || name !== 'WALG_GPG_KEY_ID')

  it.each(all)('%s works', async (_, { works, reads = works, asked }) => {
    const first = services.seen.length
    const values = works()
    const stored = await seal(values)
    expect(await read(reads(), stored)).toBe(TEXT)
    if (asked === undefined) return
    const requests = services.seen.slice(first).map(({ path, headers }) => `${path} ${JSON.stringify(headers)}`)
    expect(requests.some((request) => asked.test(request))).toBe(true)
  })

  it.each(all)('%s ends the run where it cannot work', async (_, { fatal }) => {
    const [values, code] = fatal()
    const outcome = await seal({ WALTZ_STORAGE_MAX_RETRIES: '1', ...values }).catch((error: unknown) => error)
    expect(isFault(outcome) ? [outcome.code] : outcome).toEqual([code])
  })
})
