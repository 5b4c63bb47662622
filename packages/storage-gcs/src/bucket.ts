import { createHash } from 'node:crypto'
import { Fault, isFault, throwIfAborted } from '@waltz/errors'
import { createHttpAgents } from '@waltz/network'
import { DEFAULT_CONNECT_TIMEOUT_MS, DEFAULT_IDLE_TIMEOUT_MS, notFoundFault, serverFailedFault, untilAborted } from '@waltz/storage'
import { createTokenSource, type TokenSource } from './access-token.ts'
import { answerFault, isBucketMissing, refusedAnswer, type RefusedAnswer } from './errors.ts'
import { sendRequest, type HttpAnswer, type HttpCall, type HttpLine } from './http-call.ts'
import { DEFAULT_API_ENDPOINT, DEFAULT_PIECES_PREFIX, type GcsStoreOptions } from './options.ts'
import { readText } from './read-text.ts'

/** One request of the JSON API. */
export interface ApiCall {
  readonly method: HttpCall['method']
  /** Below the endpoint, such as `/storage/v1/b/bucket/o`; escaped. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: readonly Uint8Array[]
  readonly doing: string
  /** The object that a "not found" is about; undefined for requests about the bucket. */
  readonly key?: string
  readonly signal: AbortSignal | undefined
  /** Statuses besides 2xx that are answers and not failures. */
  readonly alsoFine?: readonly number[]
}

/** The bucket of a store, and how to speak with it. */
export interface Bucket {
  readonly name: string
  readonly location: string
  readonly options: GcsStoreOptions
  readonly piecesPrefix: string
  /** Headers of the customer-supplied key, if there is one; with `copy`, those of the source of a copy. */
  readonly keyHeaders: (use?: 'copy') => Readonly<Record<string, string>>
  /** Makes one request (a second one when the access token was refused). Rejects for every status that is not fine. */
  send(call: ApiCall): Promise<HttpAnswer>
  /** The same, with the JSON of the answer. */
  sendForJson(call: ApiCall): Promise<unknown>
  close(): void
}

interface Connection {
  readonly line: HttpLine
  readonly tokens: TokenSource
}

/** Prepares the way to a bucket. No I/O before the first request. */
export function createBucket(options: GcsStoreOptions): Bucket {
  const location = `gs://${options.bucket}`
  const endpoint = (options.apiEndpoint ?? DEFAULT_API_ENDPOINT).replace(/\/+$/, '')
  let opening: Promise<Connection> | undefined
  let closed = false
  const bucket: Bucket = {
    name: options.bucket,
    location,
    options,
    piecesPrefix: options.piecesPrefix ?? DEFAULT_PIECES_PREFIX,
    keyHeaders: (use) => keyHeaders(options.encryptionKey, use),
    async send(call) {
      throwIfAborted(call.signal)
      if (closed) throw new Fault('invalid', 'GCS_STORE_CLOSED', `the store of ${location} was used after it was closed`)
      opening ??= connect(options, endpoint, location)
      const connection = await opening
      return await sendWithToken({ bucket, connection, endpoint }, call)
    },
    async sendForJson(call) {
      const text = await readText(await bucket.send(call))
      try {
        return JSON.parse(text) as unknown
      } catch {
        throw serverFailedFault({ doing: call.doing, location, answer: 'the answer is not JSON' })
      }
    },
    close() {
      closed = true
      opening?.then(({ line }) => line.agents.destroy()).catch(() => undefined)
    },
  }
  return bucket
}

async function connect(options: GcsStoreOptions, endpoint: string, location: string): Promise<Connection> {
  const { ca, proxy, noProxy, maxSockets, connectTimeoutMs, idleTimeoutMs, sleep, now } = options
  const agents = await createHttpAgents({
    target: new URL(endpoint),
    ...(ca === undefined ? {} : { ca }),
    ...(proxy === undefined ? {} : { proxy }),
    ...(noProxy === undefined ? {} : { noProxy }),
    ...(maxSockets === undefined ? {} : { maxSockets }),
  })
  const line: HttpLine = {
    agents,
    connectTimeoutMs: connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
    idleTimeoutMs: idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS,
    sleep,
    location,
  }
  return { line, tokens: createTokenSource(options.credentials ?? { kind: 'default' }, { line, now }) }
}

interface Way {
  readonly bucket: Bucket
  readonly connection: Connection
  readonly endpoint: string
}

/** A token can be withdrawn before its end: when it is refused, a new one is tried once. */
async function sendWithToken(way: Way, call: ApiCall): Promise<HttpAnswer> {
  const { tokens } = way.connection
  for (let first = true; ; first = false) {
    const token = await untilAborted(tokens.current(call.signal), call.signal)
    const answer = await sendRequest(way.connection.line, httpCall(way, call, token))
    if ((answer.status >= 200 && answer.status < 300) || call.alsoFine?.includes(answer.status) === true) return answer
    const refused = refusedAnswer(answer.status, answer.headers, await readText(answer).catch(() => ''))
    answer.close()
    if (answer.status === 401 && token !== undefined) {
      tokens.refused(token)
      if (first) continue
    }
    throw await failureOf(way.bucket, call, refused)
  }
}

function httpCall({ bucket, endpoint }: Way, call: ApiCall, token: string | undefined): HttpCall {
  const { method, path, query = {}, headers = {}, body, doing, signal } = call
  const url = new URL(endpoint + path)
  const { userProject } = bucket.options
  const parameters: NonNullable<ApiCall['query']> = { ...query, userProject }
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && !url.searchParams.has(name)) url.searchParams.set(name, String(value))
  }
  return {
    method,
    url,
    headers: { 'user-agent': 'waltz', ...headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
    ...(body === undefined ? {} : { body }),
    doing,
    signal,
  }
}

/** Waits for nothing unless a 404 leaves open what is missing: then the bucket is asked for. */
async function failureOf(bucket: Bucket, call: ApiCall, refused: RefusedAnswer): Promise<Fault> {
  const { location, options } = bucket
  const { key, doing, signal } = call
  if (refused.status !== 404 || key === undefined) return answerFault(refused, { doing, location }, options.now)
  if (isBucketMissing(refused) ?? (await bucketIsMissing(bucket, signal))) return answerFault(refused, { doing, location }, options.now)
  return notFoundFault(key, location)
}

/** An answer of any other kind is one of a bucket that exists. */
async function bucketIsMissing(bucket: Bucket, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    const doing = 'looking for the bucket'
    await bucket.sendForJson({ method: 'GET', path: objectsPath(bucket), query: { maxResults: 1, fields: 'kind' }, doing, signal })
    return false
  } catch (error) {
    if (!isFault(error)) throw error
    if (error.code === 'STORAGE_BUCKET_MISSING') return true
    if (error.code === 'STORAGE_ACCESS_DENIED') return false
    throw error
  }
}

/** Of the listing, and what objects lie below. */
export function objectsPath(bucket: Bucket): string {
  return `/storage/v1/b/${encodeURIComponent(bucket.name)}/o`
}

/** Of one object. */
export function objectPath(bucket: Bucket, key: string): string {
  return `${objectsPath(bucket)}/${encodeURIComponent(key)}`
}

/** Of uploads. */
export function uploadPath(bucket: Bucket): string {
  return `/upload${objectsPath(bucket)}`
}

function keyHeaders(key: Uint8Array | undefined, use: 'copy' | undefined): Readonly<Record<string, string>> {
  if (key === undefined) return {}
  const name = use === 'copy' ? 'x-goog-copy-source-encryption' : 'x-goog-encryption'
  return {
    [`${name}-algorithm`]: 'AES256',
    [`${name}-key`]: Buffer.from(key).toString('base64'),
    [`${name}-key-sha256`]: createHash('sha256').update(key).digest('base64'),
  }
}
