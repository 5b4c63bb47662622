import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { openBackend } from '../../src/open-backend.ts'
import { opening } from '../storage-settings.ts'
import { headerOf, linesOf, ownCertificate, present, put, seen, type Act, type Given, type KeysOf, type Proof, type Seen } from './proof.ts'
import { slowly, type Answering, type Recorded } from './recording-server.ts'

const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex')

/** Logs everybody in, by documents of version 1, 2 and 3, and takes every object. The addresses in its catalogue tell region and kind. */
const swiftAnswers: Answering = ({ method, url, headers, body }: Recorded) => {
  const base = `http://${headers.host}`
  const kinds = ['admin', 'internal', 'public'] as const
  const regions = ['north', 'south']
  if (url.startsWith('/auth/v1.0')) return { status: 204, headers: { 'x-auth-token': 'token-1', 'x-storage-url': `${base}/v1/first` } }
  if (url === '/v3/auth/tokens') {
    const endpoints = regions.flatMap((region) =>
      kinds.map((kind) => ({ region, region_id: region, interface: kind, url: `${base}/v1/${region}-${kind}` })),
    )
    const token = { expires_at: new Date(Date.now() + 3_600_000).toISOString(), catalog: [{ type: 'object-store', endpoints }] }
    return { status: 201, headers: { 'x-subject-token': 'token-3' }, body: JSON.stringify({ token }) }
  }
  if (url === '/v2.0/tokens') {
    const endpoints = regions.map((region) => ({
      region,
      publicURL: `${base}/v1/${region}-public`,
      internalURL: `${base}/v1/${region}-internal`,
      adminURL: `${base}/v1/${region}-admin`,
    }))
    const access = {
      token: { id: 'token-2', expires: new Date(Date.now() + 3_600_000).toISOString() },
      serviceCatalog: [{ type: 'object-store', endpoints }],
    }
    return { status: 200, body: JSON.stringify({ access }) }
  }
  if (method === 'PUT') return { status: 201, headers: { etag: md5(body), 'last-modified': 'Sat, 21 Nov 2026 12:00:00 GMT' } }
  if (method === 'HEAD') return { status: 404 }
  return method === 'GET' ? { status: 200, body: '[]' } : { status: 204 }
}

const swift = (given: Given, act: Act = put(), answering: Answering = swiftAnswers): Promise<Seen> =>
  seen(
    (url) =>
      present({
        WALG_SWIFT_PREFIX: 'swift://box/folder',
        ...Object.fromEntries(
          Object.entries({
            OS_AUTH_URL: '/v3',
            OS_USERNAME: 'user',
            OS_PASSWORD: 'secret',
            OS_PROJECT_NAME: 'project',
            WALTZ_STORAGE_MAX_RETRIES: '0',
            ...given,
          }).map(([name, value]) => [name, (value ?? '').startsWith('/') && /URL|AUTH$/.test(name) ? url + value : value]),
        ),
      }),
    { act, answering },
  )

/** The document that was logged in with. */
const asked = ({ requests }: Seen): unknown => JSON.parse(requests.find(({ method }) => method === 'POST')?.body.toString() ?? '{}')

/** Where the object went. */
const placeOf = (run: Seen): string => /^PUT (\/v1\/\S+)\/box\//.exec(linesOf(run).find((line) => line.startsWith('PUT ')) ?? '')?.[1] ?? ''

const user = async (given: Given): Promise<unknown> =>
  (asked(await swift(given)) as { readonly auth: { readonly identity: { readonly password: { readonly user: unknown } } } }).auth.identity
    .password.user
const scope = async (given: Given): Promise<unknown> =>
  (asked(await swift(given)) as { readonly auth: { readonly scope: unknown } }).auth.scope
const credential = async (given: Given): Promise<unknown> => {
  const document = asked(await swift(given)) as {
    readonly auth: { readonly scope: unknown; readonly identity: Readonly<Record<string, unknown>> }
  }
  expect(document.auth.scope).toBeUndefined()
  return document.auth.identity['application_credential']
}

const segments = ({ requests }: Seen): readonly (readonly [string, number])[] =>
  requests
    .filter(({ method, url }) => method === 'PUT' && !/\/box\//.test(url) && !/_segments$|\/seg$/.test(url))
    .map(({ url, body }) => [url.split('/')[3] ?? '', body.length])
const BIG = { WALTZ_SWIFT_LARGE_OBJECTS: 'segments', WALTZ_SWIFT_PART_SIZE: '1000' }

/** Every setting of Swift that Waltz acts on. */
export const swiftProofs: Readonly<Record<KeysOf<'swift'>, Proof>> = {
  async swiftPrefix() {
    expect(
      linesOf(await swift({ WALG_SWIFT_PREFIX: undefined, WALE_SWIFT_PREFIX: 'swift://other/a%20b' })).find((line) =>
        line.startsWith('PUT'),
      ),
    ).toMatch(/^PUT \/v1\/north-public\/other\/a%20b\/key/)
  },
  async osAuthUrl() {
    expect(linesOf(await swift({}))[0]).toBe('POST /v3/auth/tokens')
    const first = await swift({ OS_AUTH_URL: undefined, ST_AUTH: '/auth/v1.0', OS_PROJECT_NAME: undefined })
    expect(linesOf(first)[0]).toBe('GET /auth/v1.0')
    expect(headerOf(first, 'x-auth-token', /^PUT/)).toBe('token-1')
  },
  async osUsername() {
    expect(await user({ WALG_OS_USERNAME: 'named', OS_USERNAME: undefined })).toMatchObject({ name: 'named' })
    expect(headerOf(await swift({ OS_AUTH_URL: '/auth/v1.0', OS_USERNAME: undefined, ST_USER: 'acc:one' }), 'x-auth-user')).toBe('acc:one')
  },
  async osPassword() {
    expect(await user({ OS_PASSWORD: 'own' })).toMatchObject({ password: 'own' })
    expect(headerOf(await swift({ OS_AUTH_URL: '/auth/v1.0', OS_PASSWORD: undefined, ST_KEY: 'k' }), 'x-auth-key')).toBe('k')
  },
  async osTenantName() {
    expect(await scope({ OS_PROJECT_NAME: undefined, OS_TENANT_NAME: 'tenant' })).toEqual({
      project: { name: 'tenant', domain: { id: 'default' } },
    })
    expect(asked(await swift({ OS_AUTH_URL: '/v2.0', OS_TENANT_NAME: 'tenant', OS_PROJECT_NAME: undefined }))).toMatchObject({
      auth: { tenantName: 'tenant' },
    })
  },
  async osRegionName() {
    expect(placeOf(await swift({}))).toBe('/v1/north-public')
    expect(placeOf(await swift({ OS_REGION_NAME: 'south' }))).toBe('/v1/south-public')
    expect((await swift({ OS_REGION_NAME: 'east' })).error).toMatchObject({ kind: 'invalid' })
  },
  async osUserId() {
    expect(await user({ OS_USER_ID: 'id-1' })).toEqual({ id: 'id-1', password: 'secret' })
  },
  async osTenantId() {
    expect(await scope({ OS_TENANT_ID: 'id-2' })).toEqual({ project: { id: 'id-2' } })
    expect(await scope({ OS_PROJECT_ID: 'id-3' })).toEqual({ project: { id: 'id-3' } })
  },
  async osDomainName() {
    expect(await user({ OS_DOMAIN_NAME: 'both' })).toMatchObject({ domain: { name: 'both' } })
    expect(await scope({ OS_DEFAULT_DOMAIN: 'both' })).toEqual({ project: { name: 'project', domain: { name: 'both' } } })
  },
  async osDomainId() {
    expect(await user({ OS_DOMAIN_ID: 'd' })).toMatchObject({ domain: { id: 'd' } })
  },
  async osUserDomainName() {
    // The one of the user comes before the one of both, in whichever form.
    expect(await user({ OS_USER_DOMAIN_NAME: 'own', OS_DOMAIN_ID: 'd' })).toMatchObject({ domain: { name: 'own' } })
  },
  async osUserDomainId() {
    expect(await user({ OS_USER_DOMAIN_ID: 'own', OS_DOMAIN_NAME: 'd' })).toMatchObject({ domain: { id: 'own' } })
  },
  async osProjectDomainName() {
    expect(await scope({ OS_PROJECT_DOMAIN_NAME: 'own', OS_DOMAIN_ID: 'd' })).toMatchObject({ project: { domain: { name: 'own' } } })
  },
  async osProjectDomainId() {
    expect(await scope({ OS_PROJECT_DOMAIN_ID: 'own', OS_DOMAIN_NAME: 'd' })).toMatchObject({ project: { domain: { id: 'own' } } })
  },
  async osApplicationCredentialId() {
    expect(await credential({ OS_APPLICATION_CREDENTIAL_ID: 'a', OS_APPLICATION_CREDENTIAL_SECRET: 's' })).toEqual({ id: 'a', secret: 's' })
  },
  async osApplicationCredentialName() {
    expect(await credential({ OS_APPLICATION_CREDENTIAL_NAME: 'a', OS_APPLICATION_CREDENTIAL_SECRET: 's' })).toEqual({
      name: 'a',
      secret: 's',
      user: { name: 'user', domain: { id: 'default' } },
    })
  },
  async osApplicationCredentialSecret() {
    expect(
      await credential({
        OS_PASSWORD: undefined,
        OS_USERNAME: undefined,
        OS_APPLICATION_CREDENTIAL_ID: 'a',
        OS_APPLICATION_CREDENTIAL_SECRET: 'two',
      }),
    ).toMatchObject({ secret: 'two' })
  },
  async osTrustId() {
    expect(await scope({ OS_TRUST_ID: 't' })).toEqual({ 'OS-TRUST:trust': { id: 't' } })
  },
  async osCacert() {
    const certificate = ownCertificate('swift')
    const run = (given: Given): Promise<Seen> =>
      seen(
        (url) =>
          present({
            WALG_SWIFT_PREFIX: 'swift://box',
            OS_STORAGE_URL: `${url}/v1/x`,
            OS_AUTH_TOKEN: 't',
            WALTZ_STORAGE_MAX_RETRIES: '0',
            ...given,
          }),
        { act: put(), answering: swiftAnswers, certificate },
      )
    expect((await run({ OS_CACERT: certificate.file })).error).toBeUndefined()
    expect((await run({})).error).toMatchObject({ kind: 'denied' })
  },
  async osIdentityApiVersion() {
    expect(linesOf(await swift({ OS_AUTH_URL: '/', OS_IDENTITY_API_VERSION: '2' }))[0]).toBe('POST /v2.0/tokens')
    expect(linesOf(await swift({ OS_AUTH_URL: '/', OS_AUTH_VERSION: 'v3' }))[0]).toBe('POST /v3/auth/tokens')
    expect(linesOf(await swift({ OS_AUTH_URL: '/auth/v1.0/x', ST_AUTH_VERSION: '1' }))[0]).toBe('GET /auth/v1.0/x')
  },
  async osStorageUrl() {
    expect(placeOf(await swift({ OS_STORAGE_URL: '/v1/own', OS_AUTH_TOKEN: 't' }))).toBe('/v1/own')
    expect(placeOf(await swift({ OS_STORAGE_URL: '/v1/own' }))).toBe('/v1/own')
  },
  async osAuthToken() {
    const run = await swift({ OS_STORAGE_URL: '/v1/own', OS_AUTH_TOKEN: 'given' })
    expect(headerOf(run, 'x-auth-token')).toBe('given')
    expect(linesOf(run).filter((line) => line.startsWith('POST'))).toEqual([])
  },
  async osEndpointType() {
    expect(placeOf(await swift({ OS_ENDPOINT_TYPE: 'internalURL' }))).toBe('/v1/north-internal')
    expect(placeOf(await swift({ OS_INTERFACE: 'admin' }))).toBe('/v1/north-admin')
  },
  async swiftLargeObjects() {
    expect(
      segments(await swift(BIG, put(2500)))
        .map(([, bytes]) => bytes)
        .toSorted((left, right) => left - right),
    ).toEqual([500, 1000, 1000])
    expect(segments(await swift({ ...BIG, WALTZ_SWIFT_LARGE_OBJECTS: 'whole' }, put(2500)))).toEqual([])
  },
  async swiftPartSize() {
    expect(
      segments(await swift({ ...BIG, WALTZ_SWIFT_PART_SIZE: '2kb' }, put(2500)))
        .map(([, bytes]) => bytes)
        .toSorted((left, right) => left - right),
    ).toEqual([452, 2048])
  },
  async swiftMaxObjectSize() {
    const given = { WALTZ_SWIFT_PART_SIZE: '1000', WALTZ_SWIFT_MAX_OBJECT_SIZE: '2000' }
    expect(segments(await swift(given, (store) => store.put('key', one(2500), { size: 2500 })))).not.toEqual([])
    expect(segments(await swift(given, (store) => store.put('key', one(1500), { size: 1500 })))).toEqual([])
  },
  async swiftSegmentContainer() {
    expect(new Set(segments(await swift(BIG, put(2500))).map(([container]) => container))).toEqual(new Set(['box_segments']))
    expect(
      new Set(segments(await swift({ ...BIG, WALTZ_SWIFT_SEGMENT_CONTAINER: 'seg' }, put(2500))).map(([container]) => container)),
    ).toEqual(new Set(['seg']))
  },
  async swiftConcurrency() {
    const most = async (WALTZ_SWIFT_CONCURRENCY: string): Promise<number> => {
      const slow = slowly(/PUT .*_segments\//, 60, swiftAnswers)
      await swift({ ...BIG, WALTZ_SWIFT_CONCURRENCY }, put(9000), slow.answering)
      return slow.most()
    }
    expect(await most('1')).toBe(1)
    expect(await most('3')).toBe(3)
  },
  async swiftEngine() {
    const run = await swift({ WALTZ_SWIFT_ENGINE: 'pkgcloud' })
    const agents = run.requests.map(({ headers }) => headers['user-agent'])
    expect(`${String((run.error as { readonly code?: string } | undefined)?.code)} ${agents.join(' ')}`).toMatch(
      /SWIFT_PKGCLOUD_MISSING|pkgcloud/,
    )
    expect((await swift({})).requests.filter(({ headers }) => String(headers['user-agent']).includes('pkgcloud'))).toEqual([])
  },
  async swiftConditionalPut() {
    const claims = async (given: Record<string, string>): Promise<boolean> => {
      const values = { WALG_SWIFT_PREFIX: 'swift://box', OS_STORAGE_URL: 'http://127.0.0.1:9/v1/x', OS_AUTH_TOKEN: 't', ...given }
      return (await openBackend(opening(values).opening)).store.capabilities.conditionalPut
    }
    expect([await claims({}), await claims({ WALTZ_SWIFT_CONDITIONAL_PUT: 'true' })]).toEqual([false, true])
  },
}

async function* one(bytes: number): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(bytes).fill(7)
}
