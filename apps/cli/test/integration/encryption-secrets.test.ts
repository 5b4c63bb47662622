import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { namesOf, settingsTable, type SettingRow } from '@waltz/settings'
import { startKeyServices, type KeyServices } from '@waltz/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { armoredKey } from '../../../../packages/backup-kit/test/encryption-keys.ts'
import { base64, expectNone, formsOf, ownFile, planted, printedBy, secretsOf, work, type Case } from '../storage-secrets.ts'

const SODIUM = planted('Sodium').padEnd(32, '#')
const OLD = planted('OlderKey').padEnd(32, '#')
const HEX = Buffer.from(planted('InHex').padEnd(32, '#')).toString('hex')
const BASE64 = base64(planted('InBase64').padEnd(32, '#'))
const PASSPHRASE = planted('Passphrase')
const PUBLIC = armoredKey('ecc.pub.asc')
const PRIVATE = armoredKey('ecc.sec.asc')

/** Lines of an armoured or PEM block that give something of the key away; the one of the address is in no other. */
const linesOf = (block: string): readonly string[] => block.split(/\r?\n|\\n/).filter((line) => /^[A-Za-z0-9+/=]{30,}$/.test(line))

let services: KeyServices
let repositories = 0
beforeAll(async () => {
  services = await startKeyServices()
})
afterAll(async () => {
  await services?.stop()
})

const repository = (): Readonly<Record<string, string>> => ({ WALG_FILE_PREFIX: work.makeFolder(`repository-${(repositories += 1)}`) })

/** The id of a key is no secret: a message about a key ring that lacks it says which. */
const NAMED = ['WALG_GPG_KEY_ID']

/** First what stores, then what reads it again and what fails. */
async function runAll(one: Case): Promise<string> {
  const stored = await printedBy(one, [
    ['wal-push', '@history'],
    ['st', 'put', '/etc/hostname', 'put', '--json'],
  ])
  const read = await printedBy(one, [
    ['wal-fetch', '0000ABCD.history', '@fetched'],
    ['wal-fetch', '0000ABCE.history', '@fetched'],
    ['st', 'cat', '--decrypt', '--decompress', 'wal_005/0000ABCD.history.lz4'],
    ['st', 'get', 'wal_005/0000ABCD.history.lz4', work.join(`got-${repositories}`), '--json'],
    ['st', 'put', '/etc/hostname', 'put'],
    ['st', 'cat', '--decrypt', 'nothing'],
    ['backup-list', '--json'],
    ['backup-fetch', work.join(`data-${repositories}`), 'LATEST', '--json'],
    ['st', 'copy', '--decrypt-source', '--json'],
  ])
  return stored + read
}

const accountFile = (): string => ownFile('account.json', services.yandex.accountFile)
const previous = JSON.stringify([
  { scheme: 'libsodium', WALG_LIBSODIUM_KEY: OLD },
  { scheme: 'openpgp', WALG_PGP_KEY: PRIVATE },
])

/** Keys that work, in every form that one can be given in. */
const working: readonly {
  readonly name: string
  readonly env: () => Readonly<Record<string, string>>
  readonly secrets: () => readonly string[]
}[] = [
  { name: 'libsodium', env: () => ({ WALG_LIBSODIUM_KEY: SODIUM }), secrets: () => [SODIUM] },
  {
    name: 'libsodium in hex',
    env: () => ({ WALG_LIBSODIUM_KEY: HEX, WALG_LIBSODIUM_KEY_TRANSFORM: 'hex' }),
    secrets: () => [HEX, Buffer.from(HEX, 'hex').toString()],
  },
  {
    name: 'libsodium in base64 in a file',
    env: () => ({ WALG_LIBSODIUM_KEY_PATH: ownFile('sodium', `${BASE64}\n`), WALG_LIBSODIUM_KEY_TRANSFORM: 'base64' }),
    secrets: () => [BASE64, Buffer.from(BASE64, 'base64').toString()],
  },
  { name: 'OpenPGP', env: () => ({ WALG_PGP_KEY: PRIVATE }), secrets: () => linesOf(PRIVATE) },
  { name: 'OpenPGP in a file', env: () => ({ WALG_PGP_KEY_PATH: ownFile('key.asc', PRIVATE) }), secrets: () => linesOf(PRIVATE) },
  {
    name: 'OpenPGP, a passphrase that nothing needs',
    env: () => ({ WALG_PGP_KEY: PUBLIC, WALG_PGP_KEY_PASSPHRASE: PASSPHRASE }),
    secrets: () => [PASSPHRASE],
  },
  {
    name: 'an envelope',
    env: () => services.envelopeSettings(PRIVATE),
    secrets: () => [...linesOf(PRIVATE), ...services.yandex.valid],
  },
  {
    name: 'Yandex KMS',
    env: () => ({
      ...services.yandexSettings(),
      YC_SERVICE_ACCOUNT_KEY_FILE: accountFile(),
      WALTZ_YC_IAM_ENDPOINT: `${services.url}/iam/v1/tokens`,
    }),
    secrets: () => [
      ...linesOf(JSON.parse(services.yandex.accountFile).private_key),
      ...services.yandex.valid,
      ...dataKeys(services.yandex.keys),
    ],
  },
  {
    name: 'AWS KMS',
    env: () => ({ ...services.awsSettings(), AWS_SECRET_ACCESS_KEY: planted('AwsSecret') }),
    secrets: () => [planted('AwsSecret'), ...dataKeys(services.aws.keys)],
  },
  {
    name: 'previous keys',
    env: () => ({ WALG_LIBSODIUM_KEY: SODIUM, WALTZ_CRYPTO_PREVIOUS_KEYS: previous }),
    secrets: () => [SODIUM, OLD, ...linesOf(PRIVATE)],
  },
  {
    name: 'previous keys in a file',
    env: () => ({ WALG_LIBSODIUM_KEY: SODIUM, WALTZ_CRYPTO_PREVIOUS_KEYS_PATH: ownFile('previous.json', previous) }),
    secrets: () => [SODIUM, OLD, ...linesOf(PRIVATE)],
  },
]

const dataKeys = (keys: ReadonlyMap<string, Uint8Array>): readonly string[] =>
  [...keys.values()]
    .filter((key) => key.length === 32)
    .flatMap((key) => [Buffer.from(key).toString('hex'), Buffer.from(key).toString('base64')])

/** Keys that cannot work, whose text is in the way of a message about it. */
const broken: readonly Case[] = [
  { name: 'a short key', env: { WALG_LIBSODIUM_KEY: planted('Short') } },
  { name: 'no hex', env: { WALG_LIBSODIUM_KEY: planted('NoHex'), WALG_LIBSODIUM_KEY_TRANSFORM: 'hex' } },
  { name: 'a transform that does not exist', env: { WALG_LIBSODIUM_KEY: SODIUM, WALG_LIBSODIUM_KEY_TRANSFORM: 'rot13' } },
  { name: 'no OpenPGP key', env: { WALG_PGP_KEY: planted('NoKey') } },
  { name: 'half of an OpenPGP key', env: { WALG_PGP_KEY: PRIVATE.slice(0, PRIVATE.length / 2) }, secrets: linesOf(PRIVATE) },
  {
    name: 'a wrong passphrase',
    env: { WALG_PGP_KEY: armoredKey('locked.sec.asc'), WALG_PGP_KEY_PASSPHRASE: PASSPHRASE },
    secrets: linesOf(armoredKey('locked.sec.asc')),
  },
  { name: 'a passphrase without a key', env: { WALG_PGP_KEY_PASSPHRASE: PASSPHRASE } },
  { name: 'no envelope', env: { WALG_ENVELOPE_PGP_KEY: `!${planted('Envelope')}`, WALG_ENVELOPE_PGP_YC_CSE_KMS_KEY_ID: 'k' } },
  { name: 'two keys', env: { WALG_LIBSODIUM_KEY: SODIUM, WALG_PGP_KEY: planted('NoKey') } },
  { name: 'previous keys that are no JSON', env: { WALTZ_CRYPTO_PREVIOUS_KEYS: `${previous}x` }, secrets: [OLD, ...linesOf(PRIVATE)] },
  {
    name: 'previous keys of an unknown scheme',
    env: { WALTZ_CRYPTO_PREVIOUS_KEYS: JSON.stringify([{ scheme: planted('Scheme'), WALG_LIBSODIUM_KEY: OLD }]) },
    secrets: [OLD, planted('Scheme')],
  },
  {
    name: 'previous keys with a name and a value that belong nowhere',
    env: {
      WALTZ_CRYPTO_PREVIOUS_KEYS: JSON.stringify([{ scheme: 'libsodium', WALG_LIBSODIUM_KEY: OLD, WALG_LIBSODIUM_KEI: planted('Value') }]),
    },
    secrets: [OLD, planted('Value')],
  },
]

describe('secrets of encryption', () => {
  it('have a case each', () => {
    const given = new Set([...working.map(({ env }) => env()), ...broken.map(({ env }) => env)].flatMap((env) => Object.keys(env)))
    const secret = Object.values<SettingRow>(settingsTable).filter(
      (row) => row.secret === true && row.area === 'encryption' && !NAMED.includes(row.name),
    )
    expect(secret.length).toBeGreaterThan(4)
    expect(secret.filter((row) => !namesOf(row).some((name) => given.has(name))).map(({ name }) => name)).toEqual([])
  })

  it.each(working)('$name that works', async ({ env, secrets }) => {
    const one: Case = { name: '', env: { ...repository(), ...env() } }
    const text = await runAll(one)
    expect(text).toMatch(/stored|archived|0000ABCD/i)
    expect(readFileSync(join(one.env['WALG_FILE_PREFIX'] ?? '', 'wal_005/0000ABCD.history.lz4')).includes('recovery target')).toBe(false)
    expectNone(text, [...secretsOf(one), ...secrets().flatMap(formsOf)])
  })

  it.each(broken)('$name', async (one) => {
    const env = { ...repository(), ...one.env }
    const text = await runAll({ ...one, env })
    expect(text).toMatch(/ERROR/)
    expectNone(text, secretsOf(one))
  })
})
