import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Fault, isFault } from '@waltz/errors'
import { afterAll, describe, expect, it } from 'vitest'
import { azureOptions } from '../src/open-azure.ts'
import { gcsOptions } from '../src/open-gcs.ts'
import { ossOptions } from '../src/open-oss.ts'
import { s3Options } from '../src/open-s3.ts'
import { sshOptions } from '../src/open-ssh.ts'
import { swiftOptions } from '../src/open-swift.ts'
import { addressOf, opening } from './storage-settings.ts'

const folder = mkdtempSync(join(tmpdir(), 'kit-options-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}
const CERTIFICATE = '-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n'
const KEY = '-----BEGIN OPENSSH PRIVATE KEY-----\nplanted-key\n-----END OPENSSH PRIVATE KEY-----\n'

/** Options without functions and shared objects, to compare whole. */
const plain = (options: object): object =>
  Object.fromEntries(Object.entries(options).filter(([key, value]) => typeof value !== 'function' && key !== 'budget' && key !== 'retry'))

const faultOf = (act: () => unknown): Fault => {
  try {
    act()
  } catch (error) {
    if (isFault(error)) return error
    throw error
  }
  throw new Error('nothing was refused')
}

const SHARED = { connectTimeoutMs: 10_000, idleTimeoutMs: 60_000 }
const S3_DEFAULTS = {
  ...SHARED,
  bucket: 'bucket',
  pathStyle: false,
  dualStack: false,
  accelerate: false,
  credentials: { kind: 'chain' },
  requesterPays: false,
  partBytes: 20_971_520,
  uploadConcurrency: 16,
  deleteBatch: 1000,
  versioning: 'ask',
  leaveMarkers: false,
  useListV1: false,
  disable100Continue: false,
  skipValidation: true,
  engine: 'requests',
  putInfo: 'quick',
}
const s3 = (values: Record<string, string>, prefix = 's3://bucket/x') =>
  s3Options(opening({ WALG_S3_PREFIX: prefix, ...values }).opening, addressOf(prefix))

describe('S3', () => {
  it('has WAL-G’s defaults', () => {
    expect(plain(s3({}))).toEqual(S3_DEFAULTS)
    expect(s3({}).retry.maxAttempts).toBe(16)
    expect(s3({}).budget.maxBytes).toBe(134_217_728)
  })

  it('passes every setting on', () => {
    const ca = file('ca.pem', CERTIFICATE)
    const options = s3({
      AWS_ACCESS_KEY_ID: ' key ',
      AWS_SECRET_ACCESS_KEY: 'secret\n',
      AWS_SESSION_TOKEN: 'token',
      AWS_REGION: 'eu-west-1',
      AWS_ENDPOINT: 'http://127.0.0.1:9000',
      AWS_S3_FORCE_PATH_STYLE: 'true',
      AWS_DUAL_STACK: 'true',
      S3_CA_CERT_FILE: ca,
      S3_STORAGE_CLASS: 'STANDARD_IA',
      S3_SSE: 'aws:kms',
      S3_SSE_KMS_ID: 'kms',
      S3_MAX_PART_SIZE: '5242880',
      UPLOAD_CONCURRENCY: '3',
      S3_MAX_RETRIES: '0',
      S3_USE_LIST_OBJECTS_V1: 'true',
      S3_ENDPOINT_SOURCE: 'http://source',
      S3_ENDPOINT_PORT: '80',
      S3_ENDPOINT_PROTOCOL: 'http',
      S3_SKIP_VALIDATION: 'false',
      S3_REQUEST_ADDITIONAL_HEADERS: '[{"X-A": "1"}, {"X-B": "2"}]',
      S3_RETENTION_PERIOD: '60',
      S3_RETENTION_MODE: 'COMPLIANCE',
      S3_DISABLE_100_CONTINUE: 'true',
      S3_ENABLE_VERSIONING: 'enabled',
      S3_DELETE_BATCH_SIZE: '7',
      WALTZ_S3_KEEP_VERSIONS: 'true',
      WALTZ_S3_ACL: 'bucket-owner-full-control',
      WALTZ_S3_TAGS: '{"a": "b"}',
      WALTZ_S3_REQUESTER_PAYS: 'true',
      WALTZ_S3_ACCELERATE: 'true',
      WALTZ_S3_PROVIDER: 'ceph',
      WALTZ_S3_ENGINE: 'aws-sdk',
      WALTZ_STORAGE_CONNECT_TIMEOUT: '2s',
      WALTZ_STORAGE_IDLE_TIMEOUT: '3s',
      WALTZ_STORAGE_MAX_BYTES_IN_FLIGHT: '10mb',
      HTTP_PROXY: 'http://user:pw@proxy:3128',
      NO_PROXY: 'localhost',
    })
    expect(plain(options)).toEqual({
      connectTimeoutMs: 2000,
      idleTimeoutMs: 3000,
      bucket: 'bucket',
      endpoint: 'http://127.0.0.1:9000',
      region: 'eu-west-1',
      provider: 'ceph',
      engine: 'aws-sdk',
      pathStyle: true,
      dualStack: true,
      accelerate: true,
      endpointSource: { url: 'http://source', port: '80', protocol: 'http' },
      credentials: { kind: 'static', accessKeyId: 'key', secretAccessKey: 'secret', sessionToken: 'token' },
      proxy: 'http://user:pw@proxy:3128',
      noProxy: 'localhost',
      ca: CERTIFICATE,
      onlyOwnAuthorities: true,
      storageClass: 'STANDARD_IA',
      encryption: { kind: 'aws:kms', keyId: 'kms' },
      acl: 'bucket-owner-full-control',
      requestHeaders: { 'X-A': '1', 'X-B': '2' },
      tags: { a: 'b' },
      objectLock: { mode: 'COMPLIANCE', periodMs: 60_000 },
      requesterPays: true,
      partBytes: 5_242_880,
      uploadConcurrency: 3,
      deleteBatch: 7,
      versioning: 'enabled',
      leaveMarkers: true,
      useListV1: true,
      disable100Continue: true,
      skipValidation: false,
      putInfo: 'quick',
    })
    expect(options.retry.maxAttempts).toBe(1)
    expect(options.budget.maxBytes).toBe(10_485_760)
  })

  it('finds the credentials in the order of SET 5.1', () => {
    const credentials = (values: Record<string, string>) => s3(values).credentials
    expect(credentials({ AWS_PROFILE: 'p', AWS_SHARED_CREDENTIALS_FILE: '/c', AWS_CONFIG_FILE: '/d' })).toEqual({
      kind: 'chain',
      profile: 'p',
      sharedCredentialsFile: '/c',
      configFile: '/d',
    })
    const role = { AWS_ROLE_ARN: 'arn', AWS_ROLE_SESSION_NAME: 'name', WALTZ_S3_STS_ENDPOINT: 'http://sts' }
    const keys = { AWS_ACCESS_KEY: 'k', AWS_SECRET_KEY: 's' }
    const named = { roleArn: 'arn', sessionName: 'name', stsEndpoint: 'http://sts' }
    expect(credentials({ ...role, ...keys })).toEqual({
      kind: 'role',
      ...named,
      source: { kind: 'static', accessKeyId: 'k', secretAccessKey: 's' },
    })
    expect(credentials({ ...role, AWS_WEB_IDENTITY_TOKEN_FILE: '/t' })).toEqual({ kind: 'web-identity', ...named, tokenFile: '/t' })
    expect(credentials({ ...keys, S3_USE_YC_SESSION_TOKEN: 'true' })).toEqual({ kind: 'instance', yandexSessionToken: true })
    expect(credentials({ WALTZ_S3_ANONYMOUS: 'true' })).toEqual({ kind: 'anonymous' })
    expect(faultOf(() => credentials({ AWS_ACCESS_KEY_ID: 'planted' })).message).toBe(
      'AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not',
    )
  })

  it('refuses encryption that would not be what was asked for', () => {
    const sse = (values: Record<string, string>) => s3(values).encryption
    expect(sse({ S3_SSE: 'AES256' })).toEqual({ kind: 'AES256' })
    expect(sse({ S3_SSE: 'AES256', WALG_S3_SSE_C: 'k' })).toEqual({ kind: 'customer', algorithm: 'AES256', key: 'k' })
    for (const values of [{ S3_SSE: 'aws:kms' }, { S3_SSE_KMS_ID: 'x' }, { S3_SSE_C: 'planted' }])
      expect(faultOf(() => sse(values)).code).toBe('STORAGE_SETTING_INVALID')
    expect(faultOf(() => sse({ S3_SSE_C: 'planted' })).message).not.toContain('planted')
  })

  it('reads headers as lines, too, and shows nothing of bad ones', () => {
    const headers = (text: string) => s3({ S3_REQUEST_ADDITIONAL_HEADERS: text }).requestHeaders
    expect(headers('X-A: "b c"\n- X-D: e: f\n')).toEqual({ 'X-A': 'b c', 'X-D': 'e: f' })
    for (const text of ['planted', '{"X": 1}', '[["planted"]]']) expect(faultOf(() => headers(text)).message).not.toContain('planted')
  })

  it('names the file setting that is of no use, and not the file', () => {
    for (const [name, text] of [
      ['S3_CA_CERT_FILE', 'no certificate'],
      ['AWS_CA_BUNDLE', 'no certificate'],
      ['WALTZ_CA_FILE', 'no certificate'],
    ] as const) {
      const fault = faultOf(() => s3({ [name]: file(`planted-${name}`, text) }))
      expect(fault).toMatchObject({ kind: 'invalid', code: 'STORAGE_FILE_UNUSABLE' })
      expect(fault.message).toContain(name)
      expect(fault.message).not.toContain('planted')
      expect(faultOf(() => s3({ [name]: join(folder, 'not-there') })).message).toBe(`the file that ${name} names cannot be read (ENOENT)`)
    }
  })

  it('takes the proxy that fits the endpoint, and one of its own first', () => {
    const both = { HTTPS_PROXY: 'http://secure', HTTP_PROXY: 'http://plain' }
    expect(s3(both).proxy).toBe('http://secure')
    expect(s3({ ...both, AWS_ENDPOINT: 'http://x' }).proxy).toBe('http://plain')
    expect(s3({ ...both, AWS_ENDPOINT: 'host:9000' }).proxy).toBe('http://secure')
    expect(s3({ ...both, WALTZ_HTTP_PROXY: 'http://own', WALTZ_NO_PROXY: 'x', NO_PROXY: 'y' })).toMatchObject({
      proxy: 'http://own',
      noProxy: 'x',
    })
  })

  it('waits longer while the storage asks to slow down, within the bounds of the settings', async () => {
    const { retry } = s3({ S3_MIN_THROTTLING_RETRY_DELAY: '30', S3_MAX_THROTTLING_RETRY_DELAY: '40' })
    const failed = (code: string) => ({
      operation: 'put',
      key: 'k',
      attempt: 9,
      delayMs: 1,
      fault: new Fault('unavailable', code, 'x'),
    })
    const measure = async (code: string): Promise<number> => {
      retry.onRetry?.(failed(code))
      const since = performance.now()
      await retry.sleep(1)
      return performance.now() - since
    }
    expect(await measure('STORAGE_THROTTLED')).toBeGreaterThanOrEqual(29)
    expect(await measure('STORAGE_SERVER_FAILED')).toBeLessThan(25)
    expect(retry.maxRetryAfterMs).toBe(40)
  })
})

describe('Alibaba OSS', () => {
  const oss = (values: Record<string, string>) =>
    ossOptions(
      opening({
        WALG_OSS_PREFIX: 'oss://bucket/x',
        OSS_ACCESS_KEY_ID: 'k',
        OSS_ACCESS_KEY_SECRET: 's',
        OSS_REGION: 'cn-hangzhou',
        ...values,
      }).opening,
      addressOf('oss://bucket/x'),
    )

  it('is reached as S3', () => {
    expect(plain(oss({}))).toEqual({
      ...SHARED,
      connectTimeoutMs: 5000,
      bucket: 'bucket',
      endpoint: 'https://s3.oss-cn-hangzhou.aliyuncs.com',
      region: 'cn-hangzhou',
      provider: 'oss',
      pathStyle: false,
      credentials: { kind: 'static', accessKeyId: 'k', secretAccessKey: 's' },
      partBytes: 6_291_456,
      uploadConcurrency: 3,
      skipValidation: false,
    })
    const values = { OSS_SESSION_TOKEN: 't', OSS_ENDPOINT: 'http://e', OSS_MAX_RETRIES: '2', OSS_CONNECT_TIMEOUT: '9' }
    const options = oss({ ...values, OSS_SKIP_VALIDATION: 'true', OSS_UPLOAD_PART_SIZE: '102400' })
    expect(options).toMatchObject({ endpoint: 'http://e', connectTimeoutMs: 9000, skipValidation: true, partBytes: 5_242_880 })
    expect(options.credentials).toMatchObject({ sessionToken: 't' })
    expect(options.retry.maxAttempts).toBe(3)
  })

  it('says what is missing, and what cannot be had', () => {
    for (const name of ['OSS_ACCESS_KEY_ID', 'OSS_ACCESS_KEY_SECRET', 'OSS_REGION'])
      expect(faultOf(() => oss({ [name]: '' })).message).toContain(`${name} is not set`)
    expect(faultOf(() => oss({ OSS_ROLE_ARN: 'acs:ram' })).message).toBe('OSS_ROLE_ARN cannot be served')
  })
})

describe('GCS', () => {
  const gcs = (values: Record<string, string>) =>
    gcsOptions(opening({ WALG_GS_PREFIX: 'gs://bucket/x', ...values }).opening, addressOf('gs://bucket/x'))

  it('passes every setting on', () => {
    const DEFAULTS = {
      ...SHARED,
      bucket: 'bucket',
      chunkBytes: 52_428_800,
      pieceConcurrency: 1,
      engine: 'requests',
      contextTimeoutMs: 3_600_000,
      keepVersions: false,
    }
    expect(plain(gcs({}))).toEqual({ ...DEFAULTS, credentials: { kind: 'default' } })
    expect(gcs({}).retry.maxAttempts).toBe(17)
    const key = file('gcs.json', '{"type": "service_account", "private_key": "planted"}')
    const options = gcs({
      GOOGLE_APPLICATION_CREDENTIALS: key,
      GCS_CONTEXT_TIMEOUT: '10',
      GCS_ENCRYPTION_KEY: Buffer.alloc(32, 7).toString('base64'),
      GCS_MAX_CHUNK_SIZE: '1000',
      GCS_MAX_RETRIES: '1',
      WALTZ_GCS_ENDPOINT: 'http://127.0.0.1:1',
      WALTZ_GCS_USER_PROJECT: 'p',
      WALTZ_GCS_STORAGE_CLASS: 'NEARLINE',
      WALTZ_GCS_KEEP_VERSIONS: 'true',
      WALTZ_GCS_PIECE_CONCURRENCY: '4',
    })
    expect(plain(options)).toEqual({
      ...SHARED,
      bucket: 'bucket',
      credentials: { kind: 'key', key: { type: 'service_account', private_key: 'planted' } },
      apiEndpoint: 'http://127.0.0.1:1',
      encryptionKey: new Uint8Array(32).fill(7),
      userProject: 'p',
      storageClass: 'NEARLINE',
      chunkBytes: 1000,
      pieceConcurrency: 4,
      engine: 'requests',
      contextTimeoutMs: 10_000,
      keepVersions: true,
    })
    expect(options.retry.maxAttempts).toBe(2)
    expect(gcs({ WALTZ_GCS_ANONYMOUS: 'true' }).credentials).toEqual({ kind: 'none' })
    expect(gcs({ WALTZ_GCS_ENGINE: 'google-cloud' }).engine).toBe('google-cloud')
  })

  it('refuses keys that are of no use, without showing them', () => {
    const values = [
      { GOOGLE_APPLICATION_CREDENTIALS: file('bad.json', '{planted') },
      { GOOGLE_APPLICATION_CREDENTIALS: file('empty.json', '{"private_key": "planted"}') },
      { GOOGLE_APPLICATION_CREDENTIALS: '{"private_key": "planted"}' },
      { GCS_ENCRYPTION_KEY: 'planted' },
    ]
    for (const one of values) {
      const fault = faultOf(() => gcs(one))
      expect(fault.kind).toBe('invalid')
      expect(`${fault.message} ${fault.hint} ${String(fault.cause)}`).not.toContain('planted')
    }
  })
})

describe('Azure', () => {
  const azure = (values: Record<string, string>) =>
    azureOptions(opening({ WALG_AZ_PREFIX: 'azure://box/x', AZURE_STORAGE_ACCOUNT: 'acc', ...values }).opening, addressOf('azure://box/x'))

  it('passes every setting on', () => {
    expect(plain(azure({}))).toEqual({
      ...SHARED,
      account: 'acc',
      container: 'box',
      credentials: { kind: 'default' },
      environment: 'AzurePublicCloud',
      bufferBytes: 8_388_608,
      maxBuffers: 4,
      tryTimeoutMs: 300_000,
      removeVersions: true,
    })
    const values = {
      AZURE_STORAGE_SAS_TOKEN: 'sas',
      AZURE_ENVIRONMENT_NAME: 'AzureChinaCloud',
      AZURE_ENDPOINT_SUFFIX: 'suffix',
      WALTZ_AZURE_ENDPOINT: 'http://127.0.0.1:10000/acc',
      AZURE_BUFFER_SIZE: '1024',
      AZURE_MAX_BUFFERS: '9',
      AZURE_TRY_TIMEOUT: '1',
      AZURE_BLOB_STORE_API_VERSION: '2021-12-02',
      WALTZ_AZURE_KEEP_VERSIONS: 'true',
      WALTZ_STORAGE_MAX_RETRIES: '2',
    }
    expect(plain(azure(values))).toEqual({
      ...SHARED,
      account: 'acc',
      container: 'box',
      credentials: { kind: 'sas', sasToken: 'sas' },
      environment: 'AzureChinaCloud',
      endpointSuffix: 'suffix',
      endpoint: 'http://127.0.0.1:10000/acc',
      bufferBytes: 1024,
      maxBuffers: 9,
      tryTimeoutMs: 60_000,
      apiVersion: '2021-12-02',
      removeVersions: false,
    })
    expect(azure(values).retry.maxAttempts).toBe(3)
    expect(azure({ ...values, AZURE_STORAGE_ACCESS_KEY: 'key' }).credentials).toEqual({ kind: 'account-key', accountKey: 'key' })
    expect(faultOf(() => azure({ AZURE_STORAGE_ACCOUNT: '' })).message).toContain('AZURE_STORAGE_ACCOUNT')
  })
})

describe('Swift', () => {
  const swift = (values: Record<string, string>) =>
    swiftOptions(opening({ WALG_SWIFT_PREFIX: 'swift://box/x', ...values }).opening, addressOf('swift://box/x'))
  const DEFAULTS = {
    ...SHARED,
    container: 'box',
    partBytes: 20_971_520,
    concurrency: 4,
    largeObjects: 'whole',
    maxWholeBytes: 5_368_709_120,
    conditionalPut: false,
  }

  it('passes every setting on', () => {
    expect(plain(swift({ ST_AUTH: 'http://a/auth/v1.0', ST_USER: 'u', ST_KEY: 'k' }))).toEqual({
      ...DEFAULTS,
      auth: { version: 'find', url: 'http://a/auth/v1.0', user: 'u', password: 'k' },
    })
    const options = swift({
      OS_AUTH_URL: 'https://keystone/v3',
      OS_USERNAME: 'user',
      OS_USER_ID: 'uid',
      OS_PASSWORD: 'pw',
      OS_TENANT_NAME: 'project',
      OS_PROJECT_ID: 'pid',
      OS_DOMAIN_NAME: 'domain',
      OS_USER_DOMAIN_NAME: 'ud',
      OS_PROJECT_DOMAIN_ID: 'pdid',
      OS_REGION_NAME: 'r',
      OS_TRUST_ID: 't',
      OS_IDENTITY_API_VERSION: '3',
      OS_APPLICATION_CREDENTIAL_ID: 'aid',
      OS_APPLICATION_CREDENTIAL_SECRET: 'as',
      OS_STORAGE_URL: 'http://store',
      OS_AUTH_TOKEN: 'token',
      OS_ENDPOINT_TYPE: 'internalURL',
      OS_CACERT: file('os.pem', CERTIFICATE),
      WALTZ_SWIFT_LARGE_OBJECTS: 'segments',
      WALTZ_SWIFT_PART_SIZE: '1mb',
      WALTZ_SWIFT_MAX_OBJECT_SIZE: '1gb',
      WALTZ_SWIFT_SEGMENT_CONTAINER: 'seg',
      WALTZ_SWIFT_CONCURRENCY: '2',
      WALTZ_SWIFT_CONDITIONAL_PUT: 'true',
    })
    expect(plain(options)).toEqual({
      ...SHARED,
      container: 'box',
      ca: CERTIFICATE,
      auth: {
        version: 3,
        url: 'https://keystone/v3',
        user: 'user',
        userId: 'uid',
        password: 'pw',
        region: 'r',
        trustId: 't',
        storageUrl: 'http://store',
        token: 'token',
        project: { name: 'project', id: 'pid' },
        userDomain: { name: 'ud' },
        projectDomain: { id: 'pdid' },
        applicationCredential: { id: 'aid', secret: 'as' },
        endpointType: 'internal',
      },
      partBytes: 1_048_576,
      concurrency: 2,
      largeObjects: 'segments',
      maxWholeBytes: 1_073_741_824,
      segmentContainer: 'seg',
      conditionalPut: true,
    })
  })
})

describe('SSH', () => {
  const ssh = (values: Record<string, string>, prefix = 'ssh://host/srv/backup', home?: string) =>
    sshOptions(opening({ WALG_SSH_PREFIX: prefix, ...values }, { home }).opening, addressOf(prefix))

  it('passes every setting on', () => {
    const known = file('known_hosts', 'host ssh-ed25519 AAAA\n')
    expect(plain(ssh({ SSH_PASSWORD: 'pw', WALTZ_SSH_KNOWN_HOSTS: known }))).toEqual({
      ...SHARED,
      host: 'host',
      port: 22,
      user: 'somebody',
      root: '/srv/backup',
      authentication: { password: 'pw' },
      hostKeys: { kind: 'known-hosts', files: [{ path: known, text: 'host ssh-ed25519 AAAA\n' }] },
      connections: 4,
      keepAlive: { intervalMs: 15_000 },
    })
    const values = {
      SSH_PORT: '2222',
      SSH_USERNAME: 'user',
      SSH_PRIVATE_KEY_PATH: file('id', KEY),
      WALTZ_SSH_KEY_PASSPHRASE: 'phrase',
      WALTZ_SSH_AGENT: '/agent',
      WALTZ_SSH_HOST_KEY_CHECK: 'false',
      WALTZ_SSH_CONNECTIONS: '1',
      WALTZ_SSH_KEEP_ALIVE: '0',
    }
    expect(plain(ssh(values))).toEqual({
      ...SHARED,
      host: 'host',
      port: 2222,
      user: 'user',
      root: '/srv/backup',
      authentication: { privateKey: { text: KEY, passphrase: 'phrase' }, agentSocket: '/agent' },
      hostKeys: { kind: 'accept-any' },
      connections: 1,
      keepAlive: { intervalMs: 0 },
    })
  })

  it('checks host keys unless told not to', () => {
    expect(ssh({ SSH_PASSWORD: 'x', WALTZ_SSH_HOST_FINGERPRINT: 'SHA256:a, SHA256:b' }).hostKeys).toEqual({
      kind: 'fingerprints',
      sha256: ['SHA256:a', 'SHA256:b'],
    })
    expect(ssh({ SSH_PASSWORD: 'x' }, 'ssh://host/x', '/nobody').hostKeys.kind).toBe('known-hosts')
    expect(faultOf(() => ssh({ SSH_PASSWORD: 'x', WALTZ_SSH_KNOWN_HOSTS: '/not/there' })).message).toContain('WALTZ_SSH_KNOWN_HOSTS')
  })

  it('takes the agent of the environment only when nothing else is given', () => {
    expect(ssh({ SSH_AUTH_SOCK: '/sock' }).authentication).toEqual({ agentSocket: '/sock' })
    expect(ssh({ SSH_AUTH_SOCK: '/sock', SSH_PASSWORD: 'x' }).authentication).toEqual({ password: 'x' })
    expect(faultOf(() => ssh({})).message).toBe('nothing proves to the SSH server who is asking')
  })

  it('takes a port and an address in brackets from the prefix', () => {
    expect(ssh({ SSH_PASSWORD: 'x' }, 'ssh://user@host:2200/x')).toMatchObject({ host: 'host', port: 2200, root: '/x' })
    expect(ssh({ SSH_PASSWORD: 'x' }, 'ssh://[::1]:23/x')).toMatchObject({ host: '::1', port: 23 })
  })

  it('refuses a key that is none, without showing it', () => {
    for (const path of [file('nokey', 'planted'), '/not/planted']) {
      const fault = faultOf(() => ssh({ SSH_PRIVATE_KEY_PATH: path }))
      expect(fault).toMatchObject({ kind: 'invalid', code: 'STORAGE_FILE_UNUSABLE' })
      expect(`${fault.message} ${fault.hint}`).not.toContain('planted')
    }
  })
})
