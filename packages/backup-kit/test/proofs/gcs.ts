import { generateKeyPairSync } from 'node:crypto'
import { expect } from 'vitest'
import {
  bytesOf,
  countOf,
  fileOf,
  get,
  headerOf,
  linesOf,
  list,
  present,
  put,
  remove,
  seen,
  type Act,
  type Given,
  type KeysOf,
  type Proof,
  type Seen,
} from './proof.ts'
import type { Answer, Answering } from './recording-server.ts'

const json = (document: object, more: Partial<Answer> = {}): Answer => ({
  status: 200,
  headers: { 'content-type': 'application/json', ...more.headers },
  body: JSON.stringify(document),
})

/** A bucket in the recording server. */
const gcs = (given: Given, act: Act = put(), answering?: Answering): Promise<Seen> =>
  seen(
    (url) =>
      present({
        WALG_GS_PREFIX: 'gs://bucket/folder',
        WALTZ_GCS_ENDPOINT: url,
        WALTZ_GCS_ANONYMOUS: 'true',
        GCS_MAX_RETRIES: '0',
        ...given,
      }),
    { act, answering },
  )

const KEY = Buffer.alloc(32, 9)
const refused =
  (status: number): Answering =>
  () => ({ status, body: '{}' })
/** Opens resumable uploads and wants the rest for ever. */
const resumable: Answering = ({ url, headers }) => {
  if (url.includes('uploadType=resumable') && !url.includes('upload_id'))
    return { status: 200, headers: { location: `http://${headers.host}/upload/storage/v1/b/bucket/o?uploadType=resumable&upload_id=1` } }
  return { status: 400, body: '{}' }
}
const versioned: Answering = ({ method, url }) => {
  if (method === 'DELETE') return { status: 204 }
  return json(/\/b\/bucket\/?(\?|$)/.test(url) ? { name: 'bucket', versioning: { enabled: true } } : { items: [] })
}

/** Every setting of Google Cloud Storage that Waltz acts on. */
export const gcsProofs: Readonly<Record<KeysOf<'gcs'>, Proof>> = {
  async gsPrefix() {
    const lines = linesOf(await gcs({ WALG_GS_PREFIX: undefined, WALE_GS_PREFIX: 'gs://other/a%20b' }, (store) => store.head('key')))
    expect(lines[0]).toMatch(/\/b\/other\/o\/a%20b%2Fkey/)
  },
  async googleApplicationCredentials() {
    const { privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    })
    const tokens: Answering = ({ url }) =>
      url === '/token' ? json({ access_token: 'a-token', expires_in: 3600, token_type: 'Bearer' }) : json({})
    const run = await seen(
      (url) => {
        const account = { type: 'service_account', client_email: 'backup@project', private_key: privateKey, token_uri: `${url}/token` }
        return {
          WALG_GS_PREFIX: 'gs://bucket',
          WALTZ_GCS_ENDPOINT: url,
          GOOGLE_APPLICATION_CREDENTIALS: fileOf('account.json', JSON.stringify(account)),
        }
      },
      { act: list, answering: tokens },
    )
    expect(headerOf(run, 'authorization', /storage\/v1/)).toBe('Bearer a-token')
    const [, claims = ''] = (new URLSearchParams(run.requests[0]?.body.toString()).get('assertion') ?? '').split('.')
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({ iss: 'backup@project' })
  },
  async gcsContextTimeout() {
    const since = performance.now()
    const { error } = await gcs(
      { GCS_CONTEXT_TIMEOUT: '1' },
      (store) => store.head('key'),
      () => undefined,
    )
    expect(error).toMatchObject({ kind: 'unavailable' })
    expect(performance.now() - since).toBeLessThan(5000)
  },
  async gcsNormalizePrefix() {
    const head: Act = (store) => store.head('key')
    expect(linesOf(await gcs({ WALG_GS_PREFIX: 'gs://bucket/a//b/' }, head))[0]).toContain('/o/a%2Fb%2Fkey')
    const kept = await gcs({ WALG_GS_PREFIX: 'gs://bucket/a//b', GCS_NORMALIZE_PREFIX: 'false' }, head)
    expect(kept.error).toMatchObject({ code: 'STORAGE_PREFIX_INVALID' })
    expect(linesOf(await gcs({ GCS_NORMALIZE_PREFIX: 'false' }, head))[0]).toContain('/o/folder%2Fkey')
  },
  async gcsEncryptionKey() {
    const run = await gcs({ GCS_ENCRYPTION_KEY: KEY.toString('base64') }, get)
    expect(headerOf(run, 'x-goog-encryption-key')).toBe(KEY.toString('base64'))
    expect(headerOf(run, 'x-goog-encryption-algorithm')).toBe('AES256')
    expect(headerOf(await gcs({ GCS_ENCRYPTION_KEY: KEY.toString('base64') }), 'x-goog-encryption-key')).toBe(KEY.toString('base64'))
    expect((await gcs({ GCS_ENCRYPTION_KEY: KEY.subarray(1).toString('base64') })).error).toMatchObject({ code: 'STORAGE_SETTING_INVALID' })
  },
  async gcsMaxChunkSize() {
    const run = await gcs({ GCS_MAX_CHUNK_SIZE: '262144' }, put(600_000), resumable)
    expect(
      run.requests.filter(({ method }) => method === 'PUT').map(({ body, headers }) => [body.length, headers['content-range']]),
    ).toEqual([[262_144, 'bytes 0-262143/*']])
    expect(countOf(await gcs({}, put(600_000), resumable), /resumable/)).toBe(0)
  },
  async gcsMaxRetries() {
    expect((await gcs({ GCS_MAX_RETRIES: '0' }, (store) => store.head('k'), refused(500))).requests).toHaveLength(1)
    expect((await gcs({ GCS_MAX_RETRIES: '2' }, (store) => store.head('k'), refused(500))).requests).toHaveLength(3)
  },
  async gcsEndpoint() {
    expect(headerOf(await gcs({}), 'host')).toMatch(/^127\.0\.0\.1:/)
    const real = await seen(
      (url) => ({ WALG_GS_PREFIX: 'gs://bucket', WALTZ_GCS_ANONYMOUS: 'true', WALTZ_HTTP_PROXY: url, GCS_MAX_RETRIES: '0' }),
      { act: list },
    )
    expect(linesOf(real)).toContain('CONNECT storage.googleapis.com:443')
  },
  async gcsAnonymous() {
    expect(headerOf(await gcs({ GOOGLE_APPLICATION_CREDENTIALS: '/nowhere' }, list), 'authorization')).toBeUndefined()
  },
  async gcsUserProject() {
    const run = await gcs({ WALTZ_GCS_USER_PROJECT: 'payer' }, list)
    expect(`${linesOf(run)[0]} ${headerOf(run, 'x-goog-user-project') ?? ''}`).toMatch(/userProject=payer| payer$/)
    expect(linesOf(await gcs({}, list))[0]).not.toContain('payer')
  },
  async gcsStorageClass() {
    const stored = ({ requests }: Seen): string => requests.map(({ url, body }) => url + body.toString()).join('')
    expect(stored(await gcs({ WALTZ_GCS_STORAGE_CLASS: 'NEARLINE' }))).toMatch(/storageClass\W+NEARLINE/)
    expect(stored(await gcs({}))).not.toContain('storageClass')
  },
  async gcsKeepVersions() {
    expect(linesOf(await gcs({}, remove('a'), versioned)).some((line) => line.includes('versions=true'))).toBe(true)
    const kept = linesOf(await gcs({ WALTZ_GCS_KEEP_VERSIONS: 'true' }, remove('a'), versioned))
    expect(kept.filter((line) => line.includes('versions=true'))).toEqual([])
    expect(kept.some((line) => line.startsWith('DELETE '))).toBe(true)
  },
  async gcsPieceConcurrency() {
    const given = { GCS_MAX_CHUNK_SIZE: '262144' }
    const large: Act = (store) => store.put('key', bytesOf(600_000))
    const apart = await gcs({ ...given, WALTZ_GCS_PIECE_CONCURRENCY: '3' }, large, resumable)
    expect(apart.requests.some(({ url, body }) => (url + body.toString()).includes('waltz-pieces'))).toBe(true)
    expect(linesOf(await gcs(given, large, resumable))[0]).toContain('uploadType=resumable')
  },
  async gcsEngine() {
    expect(headerOf(await gcs({ WALTZ_GCS_ENGINE: 'google-cloud' }, list), 'x-goog-api-client')).toMatch(/gl-node/)
    expect(headerOf(await gcs({}, list), 'x-goog-api-client')).toBeUndefined()
  },
}
