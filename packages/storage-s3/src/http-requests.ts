import { request as httpRequest, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
import type { HttpAgents } from '@waltz/network'
import type { Sleep } from '@waltz/storage'

/** A request as the SDK hands it over: signed, complete. */
export interface SignedRequest {
  readonly method: string
  readonly protocol: string
  readonly hostname: string
  readonly port?: number | undefined
  readonly path: string
  readonly query?: Readonly<Record<string, string | readonly string[] | null>> | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
}

/** An answer as the SDK wants it. */
export interface SdkAnswer {
  readonly statusCode: number
  readonly reason?: string | undefined
  readonly headers: Record<string, string>
  readonly body: IncomingMessage
}

/** One request, seen from outside while it runs. */
export interface RequestInSight {
  /** Undefined while it waits for a connection to become free. */
  socket: Socket | undefined
  /** False while nobody wants a byte to move. */
  waiting: boolean
  /** The last byte of a large body was given to the system, which may be busy for a while with what it still holds. */
  handedOver: boolean
  /** The headers of the answer, names in lower case. */
  headers: Readonly<Record<string, string>> | undefined
}

/** What goes along with `client.send`. */
export interface SendOptions {
  readonly abortSignal: AbortSignal
  readonly sight: RequestInSight
}

/** Where a connection is to be made, if not to the host of the request. */
export interface Address {
  readonly host: string
  readonly port: number | undefined
  readonly protocol: string
}

/** What requests are made with. */
export interface RequestSettings {
  readonly agents: HttpAgents
  readonly connectTimeoutMs: number
  readonly expectContinue: boolean
  readonly sleep: Sleep
  /** Asked before each request. */
  readonly addressOf?: (request: SignedRequest, signal: AbortSignal) => Promise<Address | undefined>
}

/** The part of the SDK's `HttpHandler` that clients use. */
export interface RequestMaker {
  readonly metadata: { readonly handlerProtocol: 'http/1.1' }
  /** `request` is a `SignedRequest`, `options` are `SendOptions` where the request was sent by this package. */
  handle(request: unknown, options?: object): Promise<{ response: SdkAnswer }>
  updateHttpClientConfig(): void
  httpHandlerConfigs(): object
  destroy(): void
}

/** Bodies from here on wait for "100 Continue", as other clients' do; refused, they cost nothing. */
const EXPECT_FROM_BYTES = 2 * 2 ** 20
const CONTINUE_WITHIN_MS = 1000
const SLICE_BYTES = 262_144

/**
 * Makes the SDK's requests on Node's own `http` and `https`: in slices, so that progress can be seen; ended at once by the signal; with
 * a limit for connecting that does not count the wait for a free connection.
 */
export function createRequestMaker(settings: RequestSettings): RequestMaker {
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    async handle(signed, options: Partial<SendOptions> = {}) {
      const request = signed as SignedRequest
      const { abortSignal = new AbortController().signal, sight = newSight() } = options
      const address = await settings.addressOf?.(request, abortSignal)
      abortSignal.throwIfAborted()
      const response = await perform({ settings, request, address, signal: abortSignal, sight })
      return { response }
    },
    updateHttpClientConfig: () => undefined,
    httpHandlerConfigs: () => ({}),
    destroy: () => settings.agents.destroy(),
  }
}

/** Nothing seen yet. */
export function newSight(): RequestInSight {
  return { socket: undefined, waiting: false, handedOver: false, headers: undefined }
}

interface Exchange {
  readonly settings: RequestSettings
  readonly request: SignedRequest
  readonly address: Address | undefined
  readonly signal: AbortSignal
  readonly sight: RequestInSight
}

function perform(exchange: Exchange): Promise<SdkAnswer> {
  const { settings, signal, sight, request } = exchange
  return new Promise((resolve, reject) => {
    const over = new AbortController()
    const body = bytesOf(request.body)
    const expects = settings.expectContinue && body.length >= EXPECT_FROM_BYTES
    const made = open(exchange, expects)
    const fail = (error: unknown): void => {
      over.abort()
      made.destroy()
      reject(error)
    }
    const onAbort = (): void => {
      made.destroy()
      fail(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    made.once('close', () => {
      over.abort()
      signal.removeEventListener('abort', onAbort)
    })
    made.on('error', fail)
    made.once('response', (answer: IncomingMessage) => {
      over.abort()
      // What was not sent of a refused body never will be: the connection cannot serve another request then.
      if (!made.writableEnded) answer.once('close', () => made.destroy())
      sight.headers = headersOf(answer)
      resolve({ statusCode: answer.statusCode ?? 0, reason: answer.statusMessage, headers: { ...sight.headers }, body: answer })
    })
    watchConnecting(exchange, made, { over: over.signal, fail })
    const handedOver = (): boolean => (sight.handedOver = true)
    send({ made, body, expects, over: over.signal, sleep: settings.sleep, handedOver }).catch(fail)
  })
}

function open({ settings, request, address, sight }: Exchange, expects: boolean): ClientRequest {
  const protocol = address?.protocol ?? request.protocol
  const port = address === undefined ? request.port : address.port
  const options: RequestOptions = {
    method: request.method,
    protocol,
    host: (address?.host ?? request.hostname).replaceAll(/^\[|\]$/g, ''),
    path: request.path + queryText(request.query),
    headers: { ...request.headers, ...(expects ? { expect: '100-continue' } : {}) },
    agent: protocol === 'https:' ? settings.agents.https : settings.agents.http,
    ...(port === undefined ? {} : { port }),
  }
  // A proxy's agent connects before it shows a socket.
  sight.waiting = settings.agents.proxied
  return protocol === 'https:' ? httpsRequest(options) : httpRequest(options)
}

interface Ending {
  readonly over: AbortSignal
  readonly fail: (error: unknown) => void
}

function watchConnecting({ settings, sight }: Exchange, made: ClientRequest, { over, fail }: Ending): void {
  made.once('socket', (socket) => {
    sight.socket = socket
    sight.waiting = true
    if (!socket.connecting) return
    const connected = new AbortController()
    const stop = (): void => connected.abort()
    socket.once('connect', stop)
    over.addEventListener('abort', stop, { once: true })
    settings.sleep(settings.connectTimeoutMs, connected.signal).then(
      () => {
        if (!connected.signal.aborted) fail(Object.assign(new Error('no connection within the time allowed'), { code: 'ETIMEDOUT' }))
      },
      () => undefined, // connected, or given up
    )
  })
}

interface Sending {
  readonly made: ClientRequest
  readonly body: Uint8Array
  readonly expects: boolean
  readonly over: AbortSignal
  readonly sleep: Sleep
  readonly handedOver: () => void
}

async function send({ made, body, expects, over, sleep, handedOver }: Sending): Promise<void> {
  if (body.length === 0) return void made.end()
  if (!expects && body.length <= SLICE_BYTES) return void made.end(body)
  if (expects) await continued(made, over, sleep)
  for (let offset = 0; offset < body.length; offset += SLICE_BYTES) {
    if (over.aborted) return
    await written(made, body.subarray(offset, offset + SLICE_BYTES))
  }
  if (over.aborted) return
  if (body.length > SLICE_BYTES) handedOver()
  made.end()
}

/** Resolves when the slice has left this process, or the request is over. */
function written(made: ClientRequest, slice: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    made.once('close', resolve)
    made.write(slice, () => {
      made.off('close', resolve)
      resolve()
    })
  })
}

/** Resolves when the server wants the body, is silent for a while, or the request is over. */
async function continued(made: ClientRequest, over: AbortSignal, sleep: Sleep): Promise<void> {
  const done = new AbortController()
  const stop = (): void => done.abort()
  made.once('continue', stop)
  over.addEventListener('abort', stop, { once: true })
  await sleep(CONTINUE_WITHIN_MS, done.signal).catch(() => undefined)
}

function bytesOf(body: unknown): Uint8Array {
  if (body === undefined || body === null) return new Uint8Array(0)
  return body instanceof Uint8Array ? body : Buffer.from(body as string)
}

function headersOf({ headers }: IncomingMessage): Record<string, string> {
  const flat: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) flat[name] = Array.isArray(value) ? value.join(', ') : value
  return flat
}

/** The query of a URL, with its question mark, in the order and form that signatures want; empty where there is none. */
export function queryText(query: SignedRequest['query']): string {
  const parts = Object.entries(query ?? {}).flatMap(([name, value]) => {
    if (value === null) return [escapePart(name)]
    return (typeof value === 'string' ? [value] : value).map((item) => `${escapePart(name)}=${escapePart(item)}`)
  })
  return parts.length === 0 ? '' : `?${parts.toSorted().join('&')}`
}

/** Everything but letters, digits and `-_.~`, as signatures want it. */
export function escapePart(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}
