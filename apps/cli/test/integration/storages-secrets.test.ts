import { writeFileSync } from 'node:fs'
import { secretNames } from '@waltz/settings'
import {
  azureEnvironment,
  giveToOrdinaryUser,
  runAs,
  s3Environment,
  sharedServer,
  sshEnvironment,
  startGcsFake,
  swiftEnvironment,
  temporaryFolder,
  waltzCommand,
  type GcsFake,
  type StorageEnvironment,
} from '@waltz/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const work = temporaryFolder()
const radosgw = await sharedServer('radosgw')
const swift = await sharedServer('swift')
const azurite = await sharedServer('azurite')
const sshd = await sharedServer('sshd')
let gcs: GcsFake | undefined
let waltz = ''
let history = ''

/** A port of this machine where nobody listens. */
const NOBODY = 'http://127.0.0.1:9'
/** Recognisable in any form: as it is, and as base64 or as part of an address. */
const planted = (what: string): string => `pLaNtEd${what}SeCrEt7731`
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const thirtyTwo = (text: string): string => text.padEnd(32, '#').slice(0, 32)

const CUSTOMER_KEY = thirtyTwo(planted('SseC'))
const GCS_KEY = thirtyTwo(planted('Csek'))
const SIGNATURE = planted('Sig')
const PROXY = `http://someone:${planted('Proxy')}@127.0.0.1:9`

function ownFile(name: string, text: string): string {
  const path = work.join(name)
  writeFileSync(path, text, { mode: 0o600 })
  giveToOrdinaryUser(path)
  return path
}

/** Secrets of settings and the lines of secret files; each also as it is sent or written elsewhere. */
function formsOf(secret: string): readonly string[] {
  const forms = [secret, encodeURIComponent(secret), base64(secret).replace(/=+$/, ''), Buffer.from(secret).toString('hex')]
  return [...new Set(forms)].filter((form) => form.length >= 8)
}

interface Case {
  readonly name: string
  readonly env: StorageEnvironment
  /** What must not be seen of it besides the values of secret settings. */
  readonly secrets?: readonly string[]
}

const names = new Set(secretNames())
/** Names of files: the secret is in the file. */
const FILES = new Set(['GOOGLE_APPLICATION_CREDENTIALS'])

function secretsOf({ env, secrets = [] }: Case): readonly string[] {
  const values = Object.entries(env).flatMap(([name, value]) => (names.has(name) && !FILES.has(name) ? [value] : []))
  return [...values, ...secrets].flatMap(formsOf)
}

/** Commands that print something of a storage, whether it can be reached or not. */
const COMMANDS: readonly (readonly string[])[] = [
  ['wal-push', '@history'],
  ['wal-fetch', '0000ABCD.history', '@fetched'],
  ['backup-list', '--json'],
  ['st', 'ls', '-r'],
  ['st', 'cat', 'nothing'],
  ['storage', 'probe', '--json'],
]

/** A probe of a server that answers takes its time; the check of writing asks for the same rights. */
const QUICK_COMMANDS = [...COMMANDS.slice(0, -1), ['st', 'check', 'write']]

async function printedBy({ env }: Case, commands = COMMANDS): Promise<string> {
  const patience = {
    WALG_LOG_LEVEL: 'DEVEL',
    S3_LOG_LEVEL: 'DEVEL',
    S3_MAX_RETRIES: '1',
    WALTZ_STORAGE_MAX_RETRIES: '1',
    WALTZ_WAL_FETCH_DEADLINE: '0s',
    WALTZ_STORAGE_CONNECT_TIMEOUT: '2s',
    OSS_MAX_RETRIES: '1',
    GCS_MAX_RETRIES: '1',
  }
  const ends = await Promise.all(
    commands.map(async (words) => {
      const args = words.map((word) => (word === '@history' ? history : word === '@fetched' ? work.join('fetched') : word))
      const { code, stdout, stderr } = await runAs(waltz, args, { env: { ...patience, ...env }, timeoutMs: 60_000 })
      return `$ waltz ${words[0]}\n${stdout}${stderr}\n${code}\n`
    }),
  )
  return ends.join('')
}

/** Fails with the line that shows a secret; says nothing of the rest. */
function expectNone(text: string, secrets: readonly string[]): void {
  expect(secrets.length).toBeGreaterThan(0)
  expect(text.split('\n').filter((line) => secrets.some((secret) => line.includes(secret)))).toEqual([])
}

const nobody: readonly Case[] = [
  {
    name: 's3',
    env: {
      WALG_S3_PREFIX: 's3://bucket/repository',
      AWS_ENDPOINT: NOBODY,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: planted('S3Id'),
      AWS_SECRET_ACCESS_KEY: planted('S3Key'),
      AWS_SESSION_TOKEN: planted('S3Token'),
      S3_SSE: 'AES256',
      S3_SSE_C: CUSTOMER_KEY,
      S3_REQUEST_ADDITIONAL_HEADERS: JSON.stringify({ 'x-token': planted('Header') }),
      WALTZ_HTTP_PROXY: PROXY,
    },
    secrets: [planted('Proxy'), planted('Header')],
  },
  {
    name: 'oss',
    env: {
      WALG_OSS_PREFIX: 'oss://bucket/repository',
      OSS_ENDPOINT: NOBODY,
      OSS_REGION: 'cn-hangzhou',
      OSS_ACCESS_KEY_ID: planted('OssId'),
      OSS_ACCESS_KEY_SECRET: planted('OssKey'),
      OSS_SESSION_TOKEN: planted('OssToken'),
    },
  },
  {
    name: 'azure, account key',
    env: {
      WALG_AZ_PREFIX: 'azure://container/repository',
      AZURE_STORAGE_ACCOUNT: 'account',
      AZURE_STORAGE_ACCESS_KEY: base64(planted('AzureKey')),
      WALTZ_AZURE_ENDPOINT: `${NOBODY}/account`,
      HTTP_PROXY: PROXY,
    },
    secrets: [planted('Proxy'), planted('AzureKey')],
  },
  {
    name: 'azure, signed token',
    env: {
      WALG_AZ_PREFIX: 'azure://container/repository',
      AZURE_STORAGE_ACCOUNT: 'account',
      AZURE_STORAGE_SAS_TOKEN: `?sv=2022-11-02&ss=b&sp=rl&se=2030-01-01&sig=${SIGNATURE}`,
      WALTZ_AZURE_ENDPOINT: `${NOBODY}/account`,
    },
    secrets: [SIGNATURE],
  },
  {
    name: 'swift',
    env: {
      WALG_SWIFT_PREFIX: 'swift://container/repository',
      OS_AUTH_URL: `${NOBODY}/auth/v1.0`,
      OS_USERNAME: 'someone',
      OS_PASSWORD: planted('SwiftPassword'),
    },
  },
  {
    name: 'swift, application credential',
    env: {
      WALG_SWIFT_PREFIX: 'swift://container/repository',
      OS_AUTH_URL: `${NOBODY}/v3`,
      OS_APPLICATION_CREDENTIAL_ID: 'an-id',
      OS_APPLICATION_CREDENTIAL_SECRET: planted('SwiftSecret'),
    },
  },
  {
    name: 'swift, token',
    env: {
      WALG_SWIFT_PREFIX: 'swift://container/repository',
      OS_STORAGE_URL: `${NOBODY}/v1/AUTH_x`,
      OS_AUTH_TOKEN: planted('SwiftToken'),
    },
  },
  {
    name: 'ssh',
    env: {
      WALG_SSH_PREFIX: 'ssh://127.0.0.1/tmp/x',
      SSH_PORT: '9',
      SSH_USERNAME: 'someone',
      SSH_PASSWORD: planted('SshPassword'),
      WALTZ_SSH_HOST_KEY_CHECK: 'false',
    },
  },
  {
    name: 'gcs',
    env: {
      WALG_GS_PREFIX: 'gs://bucket/repository',
      WALTZ_GCS_ENDPOINT: NOBODY,
      GCS_ENCRYPTION_KEY: base64(GCS_KEY),
      WALTZ_GCS_ANONYMOUS: 'true',
    },
    secrets: [GCS_KEY],
  },
]

beforeAll(async () => {
  waltz = await waltzCommand()
  history = ownFile('0000ABCD.history', '1\t0/3000000\tno recovery target specified\n')
})

afterAll(async () => {
  await gcs?.stop()
  await work.dispose()
})

describe('secrets in settings of a storage that cannot be reached', () => {
  it.each(nobody)('$name', async (one) => {
    const text = await printedBy(one)
    expect(text).toMatch(/ERROR/)
    expectNone(text, secretsOf(one))
  })

  it('those of further storages', async () => {
    const further = Object.fromEntries(nobody.map(({ name, env }) => [name, env]))
    const env = {
      WALG_FILE_PREFIX: work.makeFolder('first'),
      WALG_FAILOVER_STORAGES: JSON.stringify(further),
      HOME: work.makeFolder('home'),
    }
    const text = await printedBy({ name: 'all', env })
    expect(text).toMatch(/is not alive/)
    expectNone(text, nobody.flatMap(secretsOf))
    // Not even in what is kept for the next process.
    const broken = await printedBy({ name: 'cut', env: { ...env, WALG_FAILOVER_STORAGES: env.WALG_FAILOVER_STORAGES.slice(0, -3) } })
    expect(broken).toMatch(/ERROR/)
    expectNone(broken, nobody.flatMap(secretsOf))
  })
})

describe('secrets that are not what they should be', () => {
  const file = (): StorageEnvironment => ({ WALG_FILE_PREFIX: work.path })
  it.each([
    [
      'an SSE-C key of the wrong size',
      { WALG_S3_PREFIX: 's3://b/r', AWS_REGION: 'x', AWS_ENDPOINT: NOBODY, S3_SSE: 'AES256', S3_SSE_C: planted('Short') },
    ],
    ['a GCS key of the wrong size', { WALG_GS_PREFIX: 'gs://b/r', GCS_ENCRYPTION_KEY: base64(planted('Short')) }],
    [
      'headers that are no map',
      { WALG_S3_PREFIX: 's3://b/r', AWS_REGION: 'x', S3_REQUEST_ADDITIONAL_HEADERS: `{"a":"${planted('Short')}` },
    ],
    [
      'a proxy that is no address',
      {
        WALG_S3_PREFIX: 's3://b/r',
        AWS_REGION: 'x',
        AWS_ENDPOINT: NOBODY,
        AWS_ACCESS_KEY_ID: 'a',
        AWS_SECRET_ACCESS_KEY: planted('Short'),
        WALTZ_HTTP_PROXY: `someone:${planted('Short')}@nowhere`,
      },
    ],
    [
      'an account key that is no base64',
      {
        WALG_AZ_PREFIX: 'azure://c/r',
        AZURE_STORAGE_ACCOUNT: 'a',
        AZURE_STORAGE_ACCESS_KEY: `!${planted('Short')}!`,
        WALTZ_AZURE_ENDPOINT: `${NOBODY}/a`,
      },
    ],
    [
      'a whole address as the SAS token',
      {
        WALG_AZ_PREFIX: 'azure://c/r',
        AZURE_STORAGE_ACCOUNT: 'a',
        AZURE_STORAGE_SAS_TOKEN: `https://a.blob.core.windows.net/c?sig=${planted('Short')}`,
        WALTZ_AZURE_ENDPOINT: `${NOBODY}/a`,
      },
    ],
    ['an access key without its other half', { WALG_S3_PREFIX: 's3://b/r', AWS_REGION: 'x', AWS_SECRET_ACCESS_KEY: planted('Short') }],
  ] as const)('%s', async (_what, env) => {
    const text = await printedBy({ name: '', env })
    expect(text).toMatch(/ERROR/)
    expectNone(text, formsOf(planted('Short')))
  })

  it('files of keys that are damaged', async () => {
    const key = ownFile(
      'damaged key',
      `-----BEGIN OPENSSH PRIVATE KEY-----\n${base64(planted('KeyFile'))}\n-----END OPENSSH PRIVATE KEY-----\n`,
    )
    const account = ownFile('damaged account', `{"type":"service_account","private_key":"${planted('KeyFile')}","client_email":`)
    const wrong = ownFile(
      'wrong account',
      JSON.stringify({
        type: 'service_account',
        client_email: 'a@b',
        private_key: `-----BEGIN PRIVATE KEY-----\n${base64(planted('KeyFile'))}\n-----END PRIVATE KEY-----\n`,
      }),
    )
    const text = (
      await Promise.all([
        printedBy({
          name: 'ssh',
          env: {
            WALG_SSH_PREFIX: 'ssh://127.0.0.1/tmp/x',
            SSH_USERNAME: 'x',
            SSH_PRIVATE_KEY_PATH: key,
            WALTZ_SSH_KEY_PASSPHRASE: planted('Phrase'),
            WALTZ_SSH_HOST_KEY_CHECK: 'false',
          },
        }),
        printedBy({
          name: 'gcs',
          env: { WALG_GS_PREFIX: 'gs://b/r', WALTZ_GCS_ENDPOINT: NOBODY, GOOGLE_APPLICATION_CREDENTIALS: account },
        }),
        printedBy({ name: 'gcs', env: { WALG_GS_PREFIX: 'gs://b/r', WALTZ_GCS_ENDPOINT: NOBODY, GOOGLE_APPLICATION_CREDENTIALS: wrong } }),
      ])
    ).join('')
    expect(text).toMatch(/ERROR/)
    expectNone(text, [...formsOf(planted('KeyFile')), ...formsOf(planted('Phrase'))])
  })

  it('every secret setting at once, with help and with flags', async () => {
    const all = Object.fromEntries(secretNames().map((name, index) => [name, planted(`N${index}N`)]))
    const text = await printedBy({ name: '', env: { ...all, ...file() } }, [
      ['--help'],
      ['help', 'wal-push'],
      ['wal-push', '--help'],
      ['backup-list'],
      ['st', 'ls'],
      ['backup-list', '--pgpassword', 'x'],
      ['frobnicate'],
    ])
    expectNone(text, Object.values(all).flatMap(formsOf))
    const flags = await printedBy({ name: '', env: file() }, [
      ['backup-list', '--aws-secret-access-key', planted('Flag')],
      ['backup-list', `--aws-secret-access-key=${planted('Flag')}`],
      ['backup-list', '--walg-file-prefix', work.path, `--os-password=${planted('Flag')}`],
    ])
    expectNone(flags, formsOf(planted('Flag')))
  })
})

interface Server {
  readonly kind: string
  readonly on: { readonly title: string; readonly missing: string | undefined }
  /** That works, and with a wrong secret. */
  readonly cases: () => Promise<readonly Case[]>
}

const here = { title: 'the FAKE of its JSON API', missing: undefined }
const servers: readonly Server[] = [
  {
    kind: 's3',
    on: radosgw,
    cases: async () => {
      const env = await s3Environment(radosgw.server)
      return [
        { name: 'works', env },
        { name: 'wrong', env: { ...env, AWS_SECRET_ACCESS_KEY: planted('Wrong'), AWS_SESSION_TOKEN: planted('WrongToken') } },
      ]
    },
  },
  {
    kind: 'azure',
    on: azurite,
    cases: async () => {
      const env = await azureEnvironment(azurite.server)
      const { AZURE_STORAGE_ACCESS_KEY: _, ...bare } = env
      return [
        { name: 'works', env },
        { name: 'wrong', env: { ...env, AZURE_STORAGE_ACCESS_KEY: base64(planted('Wrong')) } },
        {
          name: 'wrong token',
          env: { ...bare, AZURE_STORAGE_SAS_TOKEN: `sv=2022-11-02&ss=b&srt=sco&sp=rl&se=2030-01-01&sig=${SIGNATURE}` },
          secrets: [SIGNATURE],
        },
      ]
    },
  },
  {
    kind: 'swift',
    on: swift,
    cases: async () => {
      const env = await swiftEnvironment(swift.server)
      return [
        { name: 'works', env },
        { name: 'wrong', env: { ...env, OS_PASSWORD: planted('Wrong') } },
      ]
    },
  },
  {
    kind: 'ssh',
    on: sshd,
    cases: async () => {
      const env = await sshEnvironment(sshd.server)
      const { encryptedKeyFile, encryptedKey, passphrase, privateKey, strangerKeyFile, strangerKey } = sshd.server
      const lines = (key: string): readonly string[] => key.split('\n').filter((line) => line.length > 20 && !line.startsWith('-----'))
      return [
        { name: 'works', env, secrets: lines(privateKey) },
        {
          name: 'passphrase',
          env: { ...env, SSH_PRIVATE_KEY_PATH: encryptedKeyFile, WALTZ_SSH_KEY_PASSPHRASE: passphrase },
          secrets: lines(encryptedKey),
        },
        {
          name: 'wrong phrase',
          env: { ...env, SSH_PRIVATE_KEY_PATH: encryptedKeyFile, WALTZ_SSH_KEY_PASSPHRASE: planted('Phrase') },
          secrets: lines(encryptedKey),
        },
        {
          name: 'stranger',
          env: { ...env, SSH_PRIVATE_KEY_PATH: strangerKeyFile, SSH_PASSWORD: planted('Wrong') },
          secrets: lines(strangerKey),
        },
      ]
    },
  },
  {
    kind: 'gcs',
    on: here,
    cases: async () => {
      gcs = await startGcsFake({ auth: true })
      const key = gcs.serviceAccountKey
      const env = {
        WALG_GS_PREFIX: 'gs://bucket/repository',
        WALTZ_GCS_ENDPOINT: gcs.endpoint,
        GOOGLE_APPLICATION_CREDENTIALS: ownFile('account', JSON.stringify(key)),
      }
      const secrets = key.private_key.split('\n').filter((line) => line.length > 20 && !line.startsWith('-----'))
      return [
        { name: 'works', env, secrets },
        { name: 'wrong bucket', env: { ...env, WALG_GS_PREFIX: 'gs://other/repository' }, secrets },
      ]
    },
  },
]

describe.each(servers)('secrets of a real server: $kind', ({ on, cases }) => {
  it.skipIf(on.missing !== undefined)(`on ${on.title}`, async () => {
    const [works, ...wrong] = await cases()
    const text = await printedBy(works as Case, QUICK_COMMANDS)
    // It did what it was told: the file is in the archive, and the listing shows it.
    expect(text).toMatch(/0000ABCD\.history/)
    expect(text).toMatch(/wal-push[^]*?\n0\n/)
    expectNone(text, secretsOf(works as Case))
    for (const one of wrong) expectNone(await printedBy(one, QUICK_COMMANDS), secretsOf(one))
  })
})
