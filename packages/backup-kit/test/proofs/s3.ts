import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import {
  bytesOf,
  countOf,
  fileOf,
  get,
  headerOf,
  linesOf,
  list,
  ownCertificate,
  present,
  put,
  remove,
  seen,
  withEnvironment,
  type Act,
  type Given,
  type KeysOf,
  type Proof,
  type Seen,
} from './proof.ts'
import { answersOfS3, type Answer, type Answering, type Recorded } from './recording-server.ts'

const KEYS = { AWS_ACCESS_KEY_ID: 'KEYNAME', AWS_SECRET_ACCESS_KEY: 'secret' }
const OTHER = { WALTZ_S3_PROVIDER: 'minio', AWS_S3_FORCE_PATH_STYLE: 'true', S3_MAX_RETRIES: '0' }
const PART = 5_242_880

/** A store at the recording server; `undefined` takes one of the usual settings away. */
const s3 = (given: Given, act: Act = put(), answering: Answering = answersOfS3()): Promise<Seen> =>
  seen((url) => present({ WALG_S3_PREFIX: 's3://bucket/folder', AWS_ENDPOINT: url, ...KEYS, ...OTHER, ...given }), { act, answering })

/** A store of Amazon's, reached through the recording server as a proxy, which sees the hosts that are asked for. */
const amazon = (given: Given, act: Act = list): Promise<Seen> =>
  seen(
    (url) =>
      present({
        WALG_S3_PREFIX: 's3://bucket/folder',
        WALTZ_HTTP_PROXY: url,
        ...KEYS,
        S3_MAX_RETRIES: '0',
        AWS_REGION: 'eu-west-3',
        ...given,
      }),
    { act },
  )

const md5 = (text: string): string => createHash('md5').update(text).digest('base64')
const signedWith = (seenThere: Seen): string => /Credential=([^/]+)\//.exec(headerOf(seenThere, 'authorization') ?? '')?.[1] ?? ''
/** Not the question for a token of an instance. */
const PUT = /^PUT (?!\/latest)/

/** A document of STS. */
const granted = (action: string, key: string, secondsLeft: number): Answer => ({
  status: 200,
  headers: { 'content-type': 'text/xml' },
  body: `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${action}Result><Credentials><AccessKeyId>${key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>token-of-${key}</SessionToken><Expiration>${new Date(Date.now() + secondsLeft * 1000).toISOString()}</Expiration></Credentials></${action}Result></${action}Response>`,
})

/** STS under `/sts`, S3 elsewhere; the n-th keys it gives are `KEYn`. */
function withSts(secondsLeft = 3600): Answering {
  const storage = answersOfS3()
  let given = 0
  return (request) => {
    if (!request.url.startsWith('/sts')) return storage(request)
    given += 1
    return granted(new URLSearchParams(request.body.toString()).get('Action') ?? '', `KEY${given}`, secondsLeft)
  }
}

const stsForm = ({ requests }: Seen): URLSearchParams =>
  new URLSearchParams(requests.find(({ url }) => url.startsWith('/sts'))?.body.toString())

const role = async (given: Given, act: Act = put(), answering: Answering = withSts()): Promise<Seen> =>
  seen(
    (url) =>
      present({
        WALG_S3_PREFIX: 's3://bucket/folder',
        AWS_ENDPOINT: url,
        WALTZ_S3_STS_ENDPOINT: `${url}/sts`,
        AWS_ROLE_ARN: 'arn:aws:iam::1:role/backup',
        ...KEYS,
        ...OTHER,
        ...given,
      }),
    { act, answering },
  )

/** The metadata service of an instance (IMDSv2): it wants a token, and its n-th keys are `IMDSn`. */
export function withInstance(secondsLeft: number): Answering {
  const storage = answersOfS3()
  let given = 0
  return (request) => {
    if (request.url === '/latest/api/token') return { status: request.method === 'PUT' ? 200 : 405, body: 'instance-token' }
    if (!request.url.startsWith('/latest/meta-data/')) return storage(request)
    if (request.headers['x-aws-ec2-metadata-token'] !== 'instance-token') return { status: 401 }
    if (request.url.endsWith('/security-credentials/')) return { status: 200, body: 'backup-role' }
    given += 1
    const Expiration = new Date(Date.now() + secondsLeft * 1000).toISOString()
    return {
      status: 200,
      body: JSON.stringify({
        Code: 'Success',
        AccessKeyId: `IMDS${given}`,
        SecretAccessKey: 's',
        Token: `token-of-IMDS${given}`,
        Expiration,
      }),
    }
  }
}

/** Without keys of any kind in settings, files or environment. */
export const keyless = {
  AWS_ACCESS_KEY_ID: undefined,
  AWS_SECRET_ACCESS_KEY: undefined,
  AWS_SHARED_CREDENTIALS_FILE: '/nowhere',
  AWS_CONFIG_FILE: '/nowhere',
}

/** With an instance to ask: the environment that Amazon's client reads by itself. */
export async function onInstance(given: Given, act: Act, secondsLeft = 3600): Promise<Seen> {
  const work = (port: number, url: string): Record<string, string> => {
    process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] = `http://127.0.0.1:${port}`
    return present({ WALG_S3_PREFIX: 's3://bucket/folder', AWS_ENDPOINT: url, ...OTHER, ...keyless, ...given })
  }
  return await withEnvironment({ AWS_EC2_METADATA_SERVICE_ENDPOINT: '' }, () =>
    seen((url, port) => work(port, url), { act, answering: withInstance(secondsLeft) }),
  )
}

const failing = (matching: RegExp, status: number, times = 100): Answering => {
  let left = times
  return answersOfS3(({ method, url }) => {
    if (!matching.test(`${method} ${url}`) || left === 0) return 'usual'
    left -= 1
    return { status, body: status === 503 ? '<Error><Code>SlowDown</Code></Error>' : '' }
  })
}

const sse = async (given: Given): Promise<Recorded> => {
  const { requests } = await s3(given)
  return requests[0] as Recorded
}

const CUSTOMER_KEY = 'k'.repeat(32)

/** The same over https, with a certificate of an authority that only the settings know. */
const secure = (given: Given, certificate: ReturnType<typeof ownCertificate>): Promise<Seen> =>
  seen((url) => present({ WALG_S3_PREFIX: 's3://bucket/folder', AWS_ENDPOINT: url, ...KEYS, ...OTHER, ...given }), {
    act: put(),
    answering: answersOfS3(),
    certificate,
  })

/** A file of authorities makes a server trusted that is not without it; a file that is none is refused by name. */
export async function trusts(setting: string): Promise<void> {
  const certificate = ownCertificate()
  expect((await secure({ [setting]: certificate.file }, certificate)).error).toBeUndefined()
  const { error, requests } = await secure({}, certificate)
  expect(error).toMatchObject({ kind: 'denied', hint: expect.stringContaining('certificate') as string })
  expect(requests).toEqual([])
  const { error: refusal } = await secure({ [setting]: fileOf('no-authority', 'x') }, certificate)
  expect(refusal).toMatchObject({ message: `the file that ${setting} names holds no certificate in PEM form` })
}

/** Every setting of S3 that Waltz acts on. */
export const s3Proofs: Readonly<Record<KeysOf<'s3'>, Proof>> = {
  async s3Prefix() {
    expect(linesOf(await s3({ WALG_S3_PREFIX: undefined, WALE_S3_PREFIX: 's3://other/a%20b/' }))[0]).toMatch(/^PUT \/other\/a%20b\/key/)
  },
  async awsAccessKeyId() {
    expect(signedWith(await s3({ AWS_ACCESS_KEY_ID: ' NAMED\n' }))).toBe('NAMED')
    expect(signedWith(await s3({ AWS_ACCESS_KEY_ID: undefined, AWS_ACCESS_KEY: 'OLD' }))).toBe('OLD')
  },
  async awsSecretAccessKey() {
    const signatures = await Promise.all(
      ['one', 'two', ' one '].map(async (AWS_SECRET_ACCESS_KEY) => {
        const run = await s3({ AWS_SECRET_ACCESS_KEY }, get)
        return `${headerOf(run, 'x-amz-date')} ${headerOf(run, 'authorization')?.replace(/.*Signature=/, '')}`
      }),
    )
    expect(signatures[0]).not.toBe(signatures[1])
  },
  async awsSessionToken() {
    expect(headerOf(await s3({ AWS_SESSION_TOKEN: 'token' }), 'x-amz-security-token')).toBe('token')
    expect(headerOf(await s3({}), 'x-amz-security-token')).toBeUndefined()
  },
  async awsRoleArn() {
    const run = await role({})
    expect(stsForm(run).get('Action')).toBe('AssumeRole')
    expect(stsForm(run).get('RoleArn')).toBe('arn:aws:iam::1:role/backup')
    expect(headerOf(run, 'authorization', /sts/)).toContain('Credential=KEYNAME/')
    expect(headerOf(run, 'authorization', PUT)).toContain('Credential=KEY1/')
    expect(headerOf(run, 'x-amz-security-token', PUT)).toBe('token-of-KEY1')
    // Keys that are about to end are fetched anew while the work goes on; others are kept.
    const several: Act = async (store) => {
      for (const name of ['a', 'b', 'c']) await store.put(name, bytesOf(1))
    }
    expect(countOf(await role({}, several), /sts/)).toBe(1)
    const long = await role({}, several, withSts(30))
    expect(headerOf(long, 'authorization', /PUT .*\/c/)).toMatch(/Credential=KEY([3-9]|\d\d)\//)
  },
  async awsRoleSessionName() {
    expect(stsForm(await role({ AWS_ROLE_SESSION_NAME: 'nightly' })).get('RoleSessionName')).toBe('nightly')
    expect(stsForm(await role({})).get('RoleSessionName')).toMatch(/^waltz-/)
  },
  async awsWebIdentityTokenFile() {
    const token = fileOf('web-identity', 'signed-by-somebody\n')
    const run = await role({ ...keyless, AWS_WEB_IDENTITY_TOKEN_FILE: token })
    expect(Object.fromEntries(stsForm(run))).toMatchObject({
      Action: 'AssumeRoleWithWebIdentity',
      WebIdentityToken: 'signed-by-somebody',
      RoleArn: 'arn:aws:iam::1:role/backup',
    })
    expect(headerOf(run, 'authorization', PUT)).toContain('Credential=KEY1/')
    // Keys that somebody gave come first: the file is put into every container of some clusters.
    expect(signedWith(await role({ AWS_WEB_IDENTITY_TOKEN_FILE: token }))).toBe('KEYNAME')
  },
  async awsRegion() {
    const scope = async (given: Given): Promise<string | undefined> => headerOf(await s3(given), 'authorization')
    expect(await scope({ AWS_REGION: 'eu-central-7' })).toContain('/eu-central-7/s3/')
    expect(await scope({ WALE_AWS_REGION: 'eu-central-8' })).toContain('/eu-central-8/s3/')
    expect(await scope({})).toContain('/us-east-1/s3/')
    // Amazon's own is asked where the bucket lies: over the proxy, since there is no Amazon here.
    const asked: Answering = answersOfS3(({ url }) =>
      url.includes('?location')
        ? { status: 200, body: '<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">eu-south-2</LocationConstraint>' }
        : 'usual',
    )
    const found = await seen(
      (url) =>
        present({ WALG_S3_PREFIX: 's3://bucket/folder', AWS_ENDPOINT: 'http://s3.amazonaws.com', HTTP_PROXY: url, ...KEYS, ...OTHER }),
      { act: put(), answering: asked },
    )
    expect(linesOf(found)[0]).toMatch(/^GET http:\/\/s3\.amazonaws\.com\/bucket\/?\?location/)
    expect(headerOf(found, 'authorization', PUT)).toContain('/eu-south-2/s3/')
  },
  async awsEndpoint() {
    expect(headerOf(await s3({}), 'host')).toMatch(/^127\.0\.0\.1:\d+$/)
    // Without a scheme https is meant.
    const bare = await amazon({ AWS_ENDPOINT: 's3.example.net:9000', ...OTHER })
    expect(linesOf(bare)).toContain('CONNECT s3.example.net:9000')
  },
  async awsS3ForcePathStyle() {
    expect(linesOf(await s3({}))[0]).toMatch(/^PUT \/bucket\/folder\/key/)
    const virtual = await seen(
      (url) => ({
        WALG_S3_PREFIX: 's3://bucket/folder',
        AWS_ENDPOINT: 'http://s3.example.net',
        HTTP_PROXY: url,
        ...KEYS,
        WALTZ_S3_PROVIDER: 'minio',
        S3_MAX_RETRIES: '0',
      }),
      { act: put(), answering: answersOfS3() },
    )
    expect(linesOf(virtual)[0]).toMatch(/^PUT http:\/\/bucket\.s3\.example\.net\/folder\/key/)
  },
  async awsDualStack() {
    expect(linesOf(await amazon({ AWS_DUAL_STACK: 'true' }))).toContain('CONNECT bucket.s3.dualstack.eu-west-3.amazonaws.com:443')
    expect(linesOf(await amazon({}))).toContain('CONNECT bucket.s3.eu-west-3.amazonaws.com:443')
  },
  async s3Accelerate() {
    expect(linesOf(await amazon({ WALTZ_S3_ACCELERATE: 'true' }))).toContain('CONNECT bucket.s3-accelerate.amazonaws.com:443')
    const both = await amazon({ WALTZ_S3_ACCELERATE: 'true', AWS_DUAL_STACK: 'true' })
    expect(linesOf(both)).toContain('CONNECT bucket.s3-accelerate.dualstack.amazonaws.com:443')
  },
  async awsProfile() {
    const files = {
      ...keyless,
      AWS_SHARED_CREDENTIALS_FILE: fileOf(
        'credentials',
        '[default]\naws_access_key_id=D\naws_secret_access_key=d\n[night]\naws_access_key_id=N\naws_secret_access_key=n\naws_session_token=tn\n',
      ),
    }
    await withEnvironment({ AWS_EC2_METADATA_DISABLED: 'true' }, async () => {
      const night = await s3({ ...files, AWS_PROFILE: 'night' })
      expect(signedWith(night)).toBe('N')
      expect(headerOf(night, 'x-amz-security-token')).toBe('tn')
      expect(signedWith(await s3(files))).toBe('D')
    })
  },
  async awsSharedCredentialsFile() {
    const file = fileOf('credentials-2', '[default]\naws_access_key_id=FILE\naws_secret_access_key=d\n')
    expect(signedWith(await s3({ ...keyless, AWS_SHARED_CREDENTIALS_FILE: file }))).toBe('FILE')
  },
  async awsConfigFile() {
    const file = fileOf('config', '[profile night]\naws_access_key_id=CONFIG\naws_secret_access_key=d\n')
    expect(signedWith(await s3({ ...keyless, AWS_CONFIG_FILE: file, AWS_PROFILE: 'night' }))).toBe('CONFIG')
  },
  async awsCaBundle() {
    await trusts('AWS_CA_BUNDLE')
  },
  async s3CaCertFile() {
    await trusts('S3_CA_CERT_FILE')
    // It is the only one then: another that is trusted elsewhere does not count.
    const certificate = ownCertificate('first')
    const given = { S3_CA_CERT_FILE: ownCertificate('second').file, WALTZ_CA_FILE: certificate.file }
    expect((await secure(given, certificate)).error).toMatchObject({ kind: 'denied' })
  },
  async s3Sse() {
    expect((await sse({ S3_SSE: 'AES256' })).headers['x-amz-server-side-encryption']).toBe('AES256')
    expect((await sse({})).headers['x-amz-server-side-encryption']).toBeUndefined()
    const parts = await s3({ S3_SSE: 'AES256', S3_MAX_PART_SIZE: String(PART) }, put(PART + 1))
    expect(headerOf(parts, 'x-amz-server-side-encryption', /POST .*uploads/)).toBe('AES256')
  },
  async s3SseC() {
    const given = { S3_SSE: 'AES256', WALG_S3_SSE_C: CUSTOMER_KEY, S3_MAX_PART_SIZE: String(PART) }
    const checked: Act = async (store) => {
      await store.put('key', bytesOf(10))
      await get(store)
      await store.put('large', bytesOf(PART + 1))
    }
    const { requests } = await s3(given, checked)
    const methods = requests
      .filter(({ url }) => !url.includes('versioning'))
      .map(({ method, url, headers }) => {
        const all = ['algorithm', 'key', 'key-md5'].map((what) => headers[`x-amz-server-side-encryption-customer-${what}`])
        expect(all, `${method} ${url}`).toEqual(['AES256', Buffer.from(CUSTOMER_KEY).toString('base64'), md5(CUSTOMER_KEY)])
        return method
      })
    expect(new Set(methods)).toEqual(new Set(['PUT', 'GET', 'POST']))
  },
  async s3SseKmsId() {
    const { headers } = await sse({ S3_SSE: 'aws:kms', S3_SSE_KMS_ID: 'key-7' })
    expect(headers['x-amz-server-side-encryption']).toBe('aws:kms')
    expect(headers['x-amz-server-side-encryption-aws-kms-key-id']).toBe('key-7')
  },
  async s3EndpointSource() {
    const usual = answersOfS3(({ url }) => (url === '/source' ? { status: 200, body: '127.0.0.1\n' } : 'usual'))
    const run = await seen(
      (url, port) => ({
        WALG_S3_PREFIX: 's3://bucket/folder',
        AWS_ENDPOINT: 'http://s3.invalid',
        S3_ENDPOINT_SOURCE: `${url}/source`,
        S3_ENDPOINT_PORT: String(port),
        ...KEYS,
        ...OTHER,
      }),
      { act: put(), answering: usual },
    )
    expect(linesOf(run).slice(0, 2)).toEqual(['GET /source', expect.stringMatching(/^PUT \/bucket/)])
    // The request keeps the host that it was signed for.
    expect(headerOf(run, 'host', PUT)).toBe('s3.invalid')
  },
  async s3EndpointPort() {
    const usual = answersOfS3(({ url }) => (url === '/source' ? { status: 200, body: '127.0.0.1' } : 'usual'))
    const given = (url: string, port: string): Record<string, string> => ({
      WALG_S3_PREFIX: 's3://bucket/folder',
      AWS_ENDPOINT: url,
      S3_ENDPOINT_SOURCE: `${url}/source`,
      S3_ENDPOINT_PORT: port,
      ...KEYS,
      ...OTHER,
    })
    const run = await seen((url) => given(url, '9'), { act: put(), answering: usual })
    expect(new Set(linesOf(run))).toEqual(new Set(['GET /source']))
    expect(run.error).toMatchObject({ kind: 'unavailable' })
  },
  async s3EndpointProtocol() {
    const usual = answersOfS3(({ url }) => (url === '/source' ? { status: 200, body: '127.0.0.1' } : 'usual'))
    const run = await seen(
      (url, port) => ({
        WALG_S3_PREFIX: 's3://bucket/folder',
        AWS_ENDPOINT: 'https://s3.invalid',
        S3_ENDPOINT_SOURCE: `${url}/source`,
        S3_ENDPOINT_PORT: String(port),
        S3_ENDPOINT_PROTOCOL: 'http',
        ...KEYS,
        ...OTHER,
      }),
      { act: put(), answering: usual },
    )
    expect(headerOf(run, 'host', PUT)).toBe('s3.invalid')
  },
  async s3SkipValidation() {
    expect(linesOf(await s3({ S3_SKIP_VALIDATION: 'false' }))[0]).toMatch(/^GET \/bucket.*max-keys=1/)
    expect(linesOf(await s3({}))[0]).toMatch(/^PUT /)
  },
  async s3UseYcSessionToken() {
    const run = await onInstance({ S3_USE_YC_SESSION_TOKEN: 'true' }, put())
    expect(headerOf(run, 'x-yacloud-subjecttoken', PUT)).toBe('token-of-IMDS1')
    expect(headerOf(run, 'authorization', PUT)).toContain('Credential=IMDS1/')
  },
  async s3RequestAdditionalHeaders() {
    const run = await s3({ S3_REQUEST_ADDITIONAL_HEADERS: '{"X-One": "1", "X-Two": "2"}' }, async (store) => {
      await put()(store)
      await list(store)
    })
    expect(run.requests.map(({ headers }) => [headers['x-one'], headers['x-two']])).toEqual(run.requests.map(() => ['1', '2']))
    expect(headerOf(run, 'authorization')).toContain('x-one;x-two')
  },
  async s3Anonymous() {
    expect(headerOf(await s3({ ...keyless, WALTZ_S3_ANONYMOUS: 'true' }, get), 'authorization')).toBeUndefined()
    expect(headerOf(await s3({}, get), 'authorization')).toContain('AWS4-HMAC-SHA256')
  },
  async s3StsEndpoint() {
    expect(linesOf(await role({}))[0]).toMatch(/^POST \/sts/)
    // Amazon's own name for it.
    const run = await seen(
      (url) =>
        present({
          WALG_S3_PREFIX: 's3://bucket/folder',
          AWS_ENDPOINT: url,
          AWS_ENDPOINT_URL_STS: `${url}/sts`,
          AWS_ROLE_ARN: 'arn',
          ...KEYS,
          ...OTHER,
        }),
      { act: put(), answering: withSts() },
    )
    expect(linesOf(run)[0]).toMatch(/^POST \/sts/)
  },
  async s3Provider() {
    // One row of the table lists with the older request, and the usual one does not.
    expect(linesOf(await s3({ WALTZ_S3_PROVIDER: 'old-clone' }, list))[0]).not.toContain('list-type')
    expect(linesOf(await s3({ WALTZ_S3_PROVIDER: 'ceph' }, list))[0]).toContain('list-type=2')
  },
  async s3Engine() {
    expect(headerOf(await s3({}), 'user-agent')).toMatch(/^waltz-s3/)
    expect(headerOf(await s3({ WALTZ_S3_ENGINE: 'aws-sdk' }), 'user-agent')).toMatch(/^aws-sdk-js/)
  },
  async s3StorageClass() {
    expect(headerOf(await s3({ WALG_S3_STORAGE_CLASS: 'STANDARD_IA' }), 'x-amz-storage-class')).toBe('STANDARD_IA')
    expect(headerOf(await s3({}), 'x-amz-storage-class')).toBeUndefined()
    const parts = await s3({ S3_STORAGE_CLASS: 'GLACIER_IR', S3_MAX_PART_SIZE: String(PART) }, put(PART + 1))
    expect(headerOf(parts, 'x-amz-storage-class', /POST .*uploads/)).toBe('GLACIER_IR')
  },
  async s3MaxPartSize() {
    const run = await s3({ S3_MAX_PART_SIZE: String(PART) }, put(2 * PART + 3))
    const parts = run.requests.filter(({ url }) => url.includes('partNumber')).map(({ body }) => body.length)
    expect(parts.toSorted((left, right) => left - right)).toEqual([3, PART, PART])
    expect(countOf(await s3({ S3_MAX_PART_SIZE: String(PART) }, put(PART)), /partNumber/)).toBe(0)
  },
  async s3MaxRetries() {
    const given = { S3_MIN_THROTTLING_RETRY_DELAY: '0', S3_MAX_THROTTLING_RETRY_DELAY: '1' }
    const tried = async (times: string): Promise<number> =>
      countOf(await s3({ ...given, S3_MAX_RETRIES: times }, get, failing(/GET/, 503)), /GET/)
    expect(await tried('0')).toBe(1)
    expect(await tried('2')).toBe(3)
  },
  async s3MinThrottlingRetryDelay() {
    const given = { S3_MAX_RETRIES: '1', S3_MIN_THROTTLING_RETRY_DELAY: '300', S3_MAX_THROTTLING_RETRY_DELAY: '310' }
    const since = performance.now()
    await s3(given, get, failing(/GET/, 503, 1))
    expect(performance.now() - since).toBeGreaterThan(290)
  },
  async s3MaxThrottlingRetryDelay() {
    const given = { S3_MAX_RETRIES: '4', S3_MIN_THROTTLING_RETRY_DELAY: '400', S3_MAX_THROTTLING_RETRY_DELAY: '1' }
    const slow = await s3(given, get, failing(/GET/, 503))
    expect(countOf(slow, /GET/)).toBe(5)
    // Four waits of at least 400 ms, were it not for the other bound.
    expect(slow.waits).not.toContain(400)
  },
  async s3UseListObjectsV1() {
    expect(linesOf(await s3({ S3_USE_LIST_OBJECTS_V1: 'true' }, list))[0]).not.toContain('list-type')
    expect(linesOf(await s3({}, list))[0]).toContain('list-type=2')
  },
  async s3RangeBatchEnabled() {
    const run = await s3({ S3_RANGE_BATCH_ENABLED: 'true', S3_RANGE_MAX_RETRIES: '1' }, get, breaking())
    expect(run.error).toBeUndefined()
    // It goes on where it stopped.
    expect(run.requests.filter(({ method }) => method === 'GET').map(({ headers }) => headers.range)).toEqual([
      undefined,
      expect.stringMatching(/^bytes=[1-9]\d*-/),
    ])
    // Without it S3_MAX_RETRIES counts, which is 0 here.
    expect((await s3({ S3_RANGE_MAX_RETRIES: '1' }, get, breaking())).error).toMatchObject({ kind: 'unavailable' })
  },
  async s3RangeMaxRetries() {
    const tried = async (times: string): Promise<number> =>
      countOf(
        await s3(
          { S3_RANGE_BATCH_ENABLED: 'true', S3_RANGE_MAX_RETRIES: times },
          get,
          answersOfS3(({ method }) => (method === 'GET' ? { status: 500 } : 'usual')),
        ),
        /GET/,
      )
    expect(await tried('0')).toBe(1)
    expect(await tried('2')).toBe(3)
  },
  async s3RetentionPeriod() {
    const run = await s3({ S3_RETENTION_PERIOD: '3600' })
    const until = Date.parse(headerOf(run, 'x-amz-object-lock-retain-until-date') ?? '')
    expect(Math.abs(until - Date.now() - 3_600_000)).toBeLessThan(30_000)
    for (const period of ['-1', undefined])
      expect(headerOf(await s3({ S3_RETENTION_PERIOD: period }), 'x-amz-object-lock-mode')).toBeUndefined()
  },
  async s3RetentionMode() {
    const mode = async (given: Given): Promise<string | undefined> =>
      headerOf(await s3({ S3_RETENTION_PERIOD: '60', ...given }), 'x-amz-object-lock-mode')
    expect(await mode({})).toBe('GOVERNANCE')
    expect(await mode({ S3_RETENTION_MODE: 'COMPLIANCE' })).toBe('COMPLIANCE')
  },
  async s3Disable100Continue() {
    const large = put(4 * 1_048_576)
    expect(headerOf(await s3({ S3_DISABLE_100_CONTINUE: 'true' }, large), 'expect', PUT)).toBeUndefined()
    expect(headerOf(await s3({}, large), 'expect', PUT)).toBe('100-continue')
  },
  async s3EnableVersioning() {
    const asked = async (S3_ENABLE_VERSIONING: string | undefined): Promise<readonly string[]> =>
      linesOf(await s3({ S3_ENABLE_VERSIONING }, remove('a')))
    expect((await asked(undefined)).some((line) => line.includes('?versioning'))).toBe(true)
    expect((await asked('enabled')).filter((line) => /\?versioning|versions/.test(line))).toEqual([expect.stringMatching(/[?&]versions/)])
    expect((await asked('disabled')).filter((line) => /version/.test(line))).toEqual([])
  },
  async s3KeepVersions() {
    const lines = linesOf(await s3({ S3_ENABLE_VERSIONING: 'enabled', WALTZ_S3_KEEP_VERSIONS: 'true' }, remove('a')))
    expect(lines.filter((line) => /versions/.test(line))).toEqual([])
    expect(lines.some((line) => /^(DELETE|POST)/.test(line))).toBe(true)
  },
  async s3DeleteBatchSize() {
    const batches = async (S3_DELETE_BATCH_SIZE: string): Promise<number> =>
      countOf(await s3({ S3_ENABLE_VERSIONING: 'disabled', S3_DELETE_BATCH_SIZE }, remove('a', 'b', 'c', 'd')), /POST .*\?delete/)
    expect(await batches('2')).toBe(2)
    expect(await batches('0')).toBe(1)
  },
  async s3Acl() {
    expect(headerOf(await s3({ WALTZ_S3_ACL: 'bucket-owner-full-control' }), 'x-amz-acl')).toBe('bucket-owner-full-control')
    expect(headerOf(await s3({}), 'x-amz-acl')).toBeUndefined()
  },
  async s3Tags() {
    expect(headerOf(await s3({ WALTZ_S3_TAGS: '{"team": "a b", "x": "ü"}' }), 'x-amz-tagging')).toBe('team=a+b&x=%C3%BC')
  },
  async s3RequesterPays() {
    const run = await s3({ WALTZ_S3_REQUESTER_PAYS: 'true' }, async (store) => {
      await put()(store)
      await get(store)
      await list(store)
    })
    expect(new Set(run.requests.map(({ headers }) => headers['x-amz-request-payer']))).toEqual(new Set(['requester']))
    expect(headerOf(await s3({}), 'x-amz-request-payer')).toBeUndefined()
  },
}

/** The first download breaks in the middle of its mebibyte. */
function breaking(): Answering {
  const bytes = Buffer.alloc(1_048_576, 7)
  const known = { etag: `"${createHash('md5').update(bytes).digest('hex')}"`, 'last-modified': 'Sat, 21 Nov 2026 12:00:00 GMT' }
  return ({ method, headers }) => {
    if (method === 'HEAD') return { status: 200, headers: { ...known, 'content-length': String(bytes.length) } }
    const from = /^bytes=(\d+)-/.exec(headers.range ?? '')?.[1]
    if (from === undefined) return { status: 200, headers: known, body: bytes, cutAfter: 700_000 }
    const range = `bytes ${from}-${bytes.length - 1}/${bytes.length}`
    return { status: 206, headers: { ...known, 'content-range': range }, body: bytes.subarray(Number(from)) }
  }
}
