import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answerJson, answerRefusal, GcsRefusal, type FakeRequest } from './gcs-fake-answers.ts'
import { createFakeBucket, type FakeBucket } from './gcs-fake-bucket.ts'
import { answerCompose, answerListing, answerObject, answerRewrite, type FakeKeys } from './gcs-fake-objects.ts'
import { createFakeTokens, type FakeServiceAccountKey, type FakeTokens } from './gcs-fake-token.ts'
import { createFakeUploads, type FakeUploads } from './gcs-fake-uploads.ts'

/** How a fake is started. */
export interface GcsFakeOptions {
  /** `['bucket']` unless given. */
  readonly buckets?: readonly string[]
  /** Requests need an access token for a service account. False unless given. */
  readonly auth?: boolean
  readonly tokenLifetimeSeconds?: number
  /** Most entries in a page of a listing, whatever is asked for. 1000 unless given. */
  readonly pageItems?: number
}

/** A running fake. */
export interface GcsFake extends AsyncDisposable {
  readonly endpoint: string
  readonly port: number
  /** The key of the one service account that it knows. */
  readonly serviceAccountKey: FakeServiceAccountKey
  readonly tokens: FakeTokens
  readonly uploads: FakeUploads
  /** Rights that the caller lacks, such as `storage.objects.delete`. */
  readonly lacking: Set<string>
  /** Method, path and query of every request so far. */
  readonly requests: string[]
  bucket(name?: string): FakeBucket
  stop(): Promise<void>
}

interface Fake {
  readonly buckets: ReadonlyMap<string, FakeBucket>
  readonly tokens: FakeTokens
  readonly uploads: FakeUploads
  readonly lacking: ReadonlySet<string>
  readonly auth: boolean
  readonly pageItems: number
}

const KEEP_ALIVE_MS = 600_000

/**
 * Starts a FAKE of Google Cloud Storage on a free port: the part of its JSON API that Google's own client uses for objects, written from
 * Google's documentation and held against that client in a test. There is no server of Google's to run, so what passes here is proven
 * against these documents and that client, and not against the service itself.
 */
export async function startGcsFake({
  buckets = ['bucket'],
  auth = false,
  tokenLifetimeSeconds = 3600,
  pageItems = 1000,
}: GcsFakeOptions = {}): Promise<GcsFake> {
  const requests: string[] = []
  const lacking = new Set<string>()
  const held = new Map(buckets.map((name) => [name, createFakeBucket(name)]))
  const uploads = createFakeUploads()
  let fake: Fake | undefined
  // A connection that waits is not closed under a client that is about to use it.
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (incoming, outgoing) => {
    requests.push(`${incoming.method} ${incoming.url}`)
    if (fake !== undefined) void answer(fake, incoming, outgoing)
  })
  const port = await listen(server)
  const endpoint = `http://127.0.0.1:${port}`
  const tokens = createFakeTokens(`${endpoint}/token`, tokenLifetimeSeconds)
  fake = { buckets: held, tokens, uploads, lacking, auth, pageItems }
  const stop = async (): Promise<void> => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return {
    endpoint,
    port,
    serviceAccountKey: tokens.key,
    tokens,
    uploads,
    lacking,
    requests,
    bucket: (name = buckets[0] ?? 'bucket') => held.get(name) ?? missing(name),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

function missing(name: string): never {
  throw new Error(`the fake has no bucket ${name}`)
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

async function answer(fake: Fake, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const url = new URL(incoming.url ?? '/', 'http://fake')
  const request: FakeRequest = { incoming, outgoing, method: incoming.method ?? 'GET', url }
  try {
    if (url.pathname === '/token') return await fake.tokens.answer(request)
    if (fake.auth && !fake.tokens.isValid(incoming.headers.authorization)) throw new GcsRefusal(401, 'authError', 'Invalid Credentials')
    await route(fake, request)
  } catch (error) {
    incoming.resume() // a client that is still sending reads the answer only afterwards
    if (error instanceof GcsRefusal) answerRefusal(request, error)
    else outgoing.destroy() // the client broke off
  }
}

const OBJECTS = /^\/(?<upload>upload\/)?(?:download\/)?storage\/v1\/b\/(?<bucket>[^/]+)(?:\/o(?:\/(?<rest>.+))?)?$/
const REWRITE = /^(?<from>[^/]+)\/rewriteTo\/b\/(?<bucket>[^/]+)\/o\/(?<to>[^/]+)$/
const COMPOSE = /^(?<to>[^/]+)\/compose$/

async function route(fake: Fake, request: FakeRequest): Promise<void> {
  const { url, method } = request
  const groups = OBJECTS.exec(url.pathname)?.groups
  if (groups === undefined) throw new GcsRefusal(404, 'notFound', 'Not Found')
  const bucket = findBucket(fake, decodeURIComponent(groups['bucket'] ?? ''))
  const keys = keysOf(request)
  const rest = groups['rest']
  if (groups['upload'] !== undefined) {
    need(fake, 'storage.objects.create')
    return await fake.uploads.answer(request, bucket, keys.keySha256)
  }
  if (rest !== undefined) return await routeObject(fake, request, { bucket, rest, keys })
  if (!url.pathname.endsWith('/o'))
    return answerJson(request, { kind: 'storage#bucket', name: bucket.name, versioning: { enabled: bucket.versioning } })
  if (method !== 'GET') throw new GcsRefusal(405, 'methodNotAllowed', 'Method not allowed')
  need(fake, 'storage.objects.list')
  answerListing(request, bucket, fake.pageItems)
}

async function routeObject(
  fake: Fake,
  request: FakeRequest,
  { bucket, rest, keys }: { readonly bucket: FakeBucket; readonly rest: string; readonly keys: FakeKeys },
): Promise<void> {
  const rewrite = REWRITE.exec(rest)?.groups
  if (rewrite !== undefined) {
    need(fake, 'storage.objects.create')
    const target = findBucket(fake, decodeURIComponent(rewrite['bucket'] ?? ''))
    const from = { bucket, name: decodeURIComponent(rewrite['from'] ?? '') }
    return await answerRewrite(request, from, { bucket: target, name: decodeURIComponent(rewrite['to'] ?? ''), keys })
  }
  const compose = COMPOSE.exec(rest)?.groups
  need(
    fake,
    compose !== undefined ? 'storage.objects.create' : request.method === 'DELETE' ? 'storage.objects.delete' : 'storage.objects.get',
  )
  if (compose !== undefined) return await answerCompose(request, bucket, { name: decodeURIComponent(compose['to'] ?? ''), keys })
  await answerObject(request, bucket, { name: decodeURIComponent(rest), keys })
}

function findBucket({ buckets }: Fake, name: string): FakeBucket {
  const found = buckets.get(name)
  if (found === undefined) throw new GcsRefusal(404, 'notFound', 'The specified bucket does not exist.')
  return found
}

function need({ lacking, tokens }: Fake, right: string): void {
  if (!lacking.has(right)) return
  const message = `${tokens.key.client_email} does not have ${right} access to the Google Cloud Storage object. Permission '${right}' denied on resource (or it may not exist).`
  throw new GcsRefusal(403, 'forbidden', message)
}

function keysOf({ incoming }: FakeRequest): FakeKeys {
  const sha256 = (name: string): string | undefined => {
    const key = incoming.headers[`${name}-key`]
    if (key === undefined) return undefined
    const bytes = Buffer.from(String(key), 'base64')
    const hash = createHash('sha256').update(bytes).digest('base64')
    if (bytes.length !== 32 || incoming.headers[`${name}-algorithm`] !== 'AES256')
      throw new GcsRefusal(400, 'customerEncryptionKeyFormatIsInvalid', 'Missing or malformed customer-supplied encryption key.')
    if (incoming.headers[`${name}-key-sha256`] !== hash)
      throw new GcsRefusal(400, 'customerEncryptionKeySha256IsInvalid', 'The SHA256 hash of the encryption key does not match it.')
    return hash
  }
  return { keySha256: sha256('x-goog-encryption'), sourceKeySha256: sha256('x-goog-copy-source-encryption') }
}
