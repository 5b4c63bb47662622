import { lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { secretNames } from '@waltz/settings'
import { giveToOrdinaryUser, runAs, temporaryFolder, waltzCommand, type StorageEnvironment, type TemporaryFolder } from '@waltz/testkit'
import { afterAll, beforeAll, expect } from 'vitest'

/** Where everything of a test file lies; gone afterwards. */
export const work: TemporaryFolder = temporaryFolder()
let waltz = ''
let history = ''

beforeAll(async () => {
  waltz = await waltzCommand()
  history = ownFile('0000ABCD.history', '1\t0/3000000\tno recovery target specified\n')
})

afterAll(async () => {
  await work.dispose()
})

/** A port of this machine where nobody listens. */
export const NOBODY = 'http://127.0.0.1:9'
/** Recognisable in any form: as it is, and as base64 or as part of an address. */
export const planted = (what: string): string => `pLaNtEd${what}SeCrEt7731`
export const base64 = (text: string): string => Buffer.from(text).toString('base64')
const thirtyTwo = (text: string): string => text.padEnd(32, '#').slice(0, 32)

export const CUSTOMER_KEY = thirtyTwo(planted('SseC'))
const GCS_KEY = thirtyTwo(planted('Csek'))
export const SIGNATURE = planted('Sig')
const PROXY = `http://someone:${planted('Proxy')}@127.0.0.1:9`

export function ownFile(name: string, text: string): string {
  const path = work.join(name)
  writeFileSync(path, text, { mode: 0o600 })
  giveToOrdinaryUser(path)
  return path
}

/** Secrets of settings and the lines of secret files; each also as it is sent or written elsewhere. */
export function formsOf(secret: string): readonly string[] {
  const forms = [secret, encodeURIComponent(secret), base64(secret).replace(/=+$/, ''), Buffer.from(secret).toString('hex')]
  return [...new Set(forms)].filter((form) => form.length >= 8)
}

export interface Case {
  readonly name: string
  readonly env: StorageEnvironment
  /** What must not be seen of it besides the values of secret settings. */
  readonly secrets?: readonly string[]
}

const names = new Set(secretNames())
/** Names of files: the secret is in the file. */
const FILES = new Set(['GOOGLE_APPLICATION_CREDENTIALS'])

export function secretsOf({ env, secrets = [] }: Case): readonly string[] {
  const values = Object.entries(env).flatMap(([name, value]) => (names.has(name) && !FILES.has(name) ? [value] : []))
  return [...values, ...secrets].flatMap(formsOf)
}

/** Commands that print something of a storage, whether it can be reached or not. */
export const COMMANDS: readonly (readonly string[])[] = [
  ['wal-push', '@history'],
  ['wal-fetch', '0000ABCD.history', '@fetched'],
  ['backup-list', '--json'],
  ['st', 'ls', '-r'],
  ['st', 'cat', 'nothing'],
  ['storage', 'probe', '--json'],
]

/** Where nothing is reached, others say the same. */
export const FEW_COMMANDS: readonly (readonly string[])[] = COMMANDS.filter(([first, second]) => first !== 'wal-fetch' && second !== 'ls')

/** A probe of a server that answers takes its time; the check of writing asks for the same rights. */
export const QUICK_COMMANDS: readonly (readonly string[])[] = [...COMMANDS.slice(0, -1), ['st', 'check', 'write']]

let runs = 0

/** Names and contents of all that a run left in its folders. */
function leftIn(folder: string): string {
  return readdirSync(folder)
    .map((name) => {
      const path = join(folder, name)
      const entry = lstatSync(path)
      return `${name}\n${entry.isDirectory() ? leftIn(path) : entry.isFile() ? readFileSync(path, 'latin1') : ''}`
    })
    .join('\n')
}

/** All that commands print, and all that they leave in the home and in folders for temporary files. */
export async function printedBy({ env }: Case, commands = COMMANDS): Promise<string> {
  const folders = Object.fromEntries(['HOME', 'TMPDIR', 'WALTZ_SPOOL_DIR'].map((name) => [name, work.makeFolder(`${name} ${(runs += 1)}`)]))
  const patience = {
    ...folders,
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
  const left = [...Object.values(folders), ...(env['HOME'] === undefined ? [] : [env['HOME']])].map(leftIn)
  return [...ends, ...left].join('')
}

/** The lines that show a secret. */
export function linesWith(text: string, secrets: readonly string[]): readonly string[] {
  expect(secrets.length).toBeGreaterThan(0)
  return text.split('\n').filter((line) => secrets.some((secret) => line.includes(secret)))
}

/** Fails with the line that shows a secret; says nothing of the rest. */
export function expectNone(text: string, secrets: readonly string[]): void {
  expect(linesWith(text, secrets)).toEqual([])
}

export const nobody: readonly Case[] = [
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
      HTTPS_PROXY: PROXY,
    },
    secrets: [GCS_KEY, planted('Proxy')],
  },
]

/** Addresses that hold something secret, where none belongs. */
export const strange: readonly Case[] = [
  {
    name: 's3, addresses with users and signatures in them',
    env: {
      WALG_S3_PREFIX: `s3://someone:${planted('InPrefix')}@bucket/repository?sig=${planted('InPrefix')}`,
      AWS_ENDPOINT: NOBODY,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: planted('S3Id'),
      AWS_SECRET_ACCESS_KEY: planted('S3Key'),
      S3_ENDPOINT_SOURCE: `${NOBODY}/source?token=${planted('InSource')}`,
      AWS_ROLE_ARN: 'arn:aws:iam::1:role/x',
      WALTZ_S3_STS_ENDPOINT: `${NOBODY}/sts?token=${planted('InSts')}`,
    },
    secrets: [planted('InPrefix'), planted('InSource'), planted('InSts')],
  },
  {
    name: 's3, an endpoint with a password',
    env: {
      WALG_S3_PREFIX: 's3://bucket/repository',
      AWS_ENDPOINT: `http://someone:${planted('InEndpoint')}@127.0.0.1:9`,
      AWS_ACCESS_KEY_ID: planted('S3Id'),
      AWS_SECRET_ACCESS_KEY: planted('S3Key'),
    },
    secrets: [planted('InEndpoint')],
  },
  {
    name: 'swift, an address with a password',
    env: {
      WALG_SWIFT_PREFIX: 'swift://container/repository',
      OS_AUTH_URL: `http://someone:${planted('InAuthUrl')}@127.0.0.1:9/v3`,
      OS_USERNAME: 'someone',
      OS_PASSWORD: planted('SwiftPassword'),
    },
    secrets: [planted('InAuthUrl'), planted('SwiftPassword')],
  },
  {
    name: 'azure and gcs, endpoints with signatures',
    env: {
      WALG_AZ_PREFIX: 'azure://container/repository',
      AZURE_STORAGE_ACCOUNT: 'account',
      AZURE_STORAGE_ACCESS_KEY: base64(planted('AzureKey')),
      WALTZ_AZURE_ENDPOINT: `http://someone:${planted('InAzure')}@127.0.0.1:9/account?sig=${planted('InAzure')}`,
    },
    secrets: [planted('InAzure')],
  },
  {
    name: 'gcs, an endpoint with a password',
    env: {
      WALG_GS_PREFIX: 'gs://bucket/repository',
      WALTZ_GCS_ENDPOINT: `http://someone:${planted('InGcs')}@127.0.0.1:9`,
      WALTZ_GCS_ANONYMOUS: 'true',
    },
    secrets: [planted('InGcs')],
  },
]
