import { namesOf, secretNames, settingsTable, type SettingRow } from '@waltz/settings'
import {
  azureEnvironment,
  s3Environment,
  sharedServer,
  sshEnvironment,
  startGcsFake,
  swiftEnvironment,
  type GcsFake,
  type StorageEnvironment,
} from '@waltz/testkit'
import { afterAll, describe, expect, it } from 'vitest'
import {
  base64,
  expectNone,
  formsOf,
  nobody,
  NOBODY,
  ownFile,
  planted,
  FEW_COMMANDS,
  printedBy,
  QUICK_COMMANDS,
  secretsOf,
  SIGNATURE,
  strange,
  work,
  type Case,
} from '../storage-secrets.ts'

const radosgw = await sharedServer('radosgw')
const swift = await sharedServer('swift')
const azurite = await sharedServer('azurite')
const sshd = await sharedServer('sshd')
let gcs: GcsFake | undefined

/** Secret settings of storages that other cases in this file have: `describe` of files, of several storages, of real servers. */
const ELSEWHERE = ['WALG_FAILOVER_STORAGES', 'GOOGLE_APPLICATION_CREDENTIALS', 'WALTZ_SSH_KEY_PASSPHRASE']
const AREAS = new Set<string>(['storage', 's3', 'gcs', 'azure', 'oss', 'swift', 'ssh', 'failover'])

afterAll(async () => {
  await gcs?.stop()
})

describe('secret settings of storages', () => {
  it('have a case each', () => {
    const given = new Set([...nobody.flatMap(({ env }) => Object.keys(env)), ...ELSEWHERE])
    const secret = Object.values<SettingRow>(settingsTable).filter(
      (row) => row.secret === true && AREAS.has(row.area) && row.availability === 'now',
    )
    expect(secret.filter((row) => !namesOf(row).some((name) => given.has(name))).map(({ name }) => name)).toEqual([])
  })
})

describe('secrets in settings of a storage that cannot be reached', () => {
  it.each(nobody)('$name', async (one) => {
    const text = await printedBy(one, FEW_COMMANDS)
    expect(text).toMatch(/ERROR/)
    expectNone(text, secretsOf(one))
  })

  it.each(strange)('$name', async (one) => {
    const text = await printedBy(one, FEW_COMMANDS)
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
