import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { createHttpAgents, type HttpAgents } from '@waltz/network'
import { DEFAULT_CONNECT_TIMEOUT_MS, type Sleep } from '@waltz/storage'
import { sendBody, type RequestBody } from './send-body.ts'
import type { Progress } from './progress.ts'

/** One HTTP request. */
export interface HttpCall {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: RequestBody
  /** Ends the request by its signal, and is told of bytes. The caller stops it once the answer was read. */
  readonly progress: Progress
}

/** Sends requests; knows nothing of Swift. */
export interface Transport {
  /** The answer, with its body unread. Rejects with the error of the connection, or the signal's reason. */
  send(call: HttpCall): Promise<IncomingMessage>
  /** Closes all connections. */
  destroy(): void
}

/** What a transport is made from. */
export interface TransportOptions {
  readonly connectTimeoutMs?: number
  readonly sleep: Sleep
  readonly ca?: string
  readonly proxy?: string
  readonly noProxy?: string
}

/** Requests never wait for one another here: limits are set by who makes them. */
const MOST_SOCKETS = 1024

/** Makes a transport; agents are made at the first request to a host. */
export function createTransport(options: TransportOptions): Transport {
  const { ca, proxy, noProxy } = options
  const agents = new Map<string, Promise<HttpAgents>>()
  let destroyed = false
  const agentsFor = (target: URL): Promise<HttpAgents> => {
    const known = agents.get(target.origin)
    if (known !== undefined) return known
    const made = createHttpAgents({
      target: new URL(target.origin),
      maxSockets: MOST_SOCKETS,
      ...(ca === undefined ? {} : { ca }),
      ...(proxy === undefined ? {} : { proxy }),
      ...(noProxy === undefined ? {} : { noProxy }),
    })
    agents.set(target.origin, made)
    return made
  }
  return {
    async send(call) {
      const { http, https } = await agentsFor(call.url)
      if (destroyed) throw connectionError('ECONNABORTED', 'the store was closed')
      const secure = call.url.protocol === 'https:'
      return answerOf(startRequest(call, secure ? https : http, secure), call, options)
    },
    destroy() {
      destroyed = true
      for (const made of agents.values()) void made.then((pair) => pair.destroy()).catch(() => undefined)
    },
  }
}

/** An error as Node makes them for connections. */
export function connectionError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}

function startRequest({ method, url, headers, body }: HttpCall, agent: HttpAgents['http'], secure: boolean): ClientRequest {
  const length = body === undefined ? (method === 'PUT' || method === 'POST' ? 0 : undefined) : body.length
  const framing: Record<string, string> =
    length === undefined ? (body === undefined ? {} : { 'transfer-encoding': 'chunked' }) : { 'content-length': String(length) }
  const expectation: Record<string, string> = body?.ask === true ? { expect: '100-continue' } : {}
  return (secure ? httpsRequest : httpRequest)(url, { method, agent, headers: { ...headers, ...framing, ...expectation } })
}

/** Sends what there is to send and waits for the answer, whichever ends first. */
function answerOf(request: ClientRequest, { body, progress }: HttpCall, options: TransportOptions): Promise<IncomingMessage> {
  const connected = new AbortController()
  return new Promise<IncomingMessage>((resolve, reject) => {
    const fail = (error: unknown): void => {
      request.destroy()
      reject(error instanceof Error ? error : new Error('the request failed', { cause: error }))
    }
    const onAbort = (): void => fail(progress.signal.reason)
    request.on('error', fail) // stays: a request that is broken off later complains once more
    request.once('response', (answer) => {
      progress.progressed()
      resolve(answer)
    })
    request.once('close', () => progress.signal.removeEventListener('abort', onAbort))
    request.once('socket', (socket) => {
      if (!socket.connecting) connected.abort()
      else socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => connected.abort())
    })
    if (progress.signal.aborted) {
      onAbort()
      return
    }
    progress.signal.addEventListener('abort', onAbort, { once: true })
    limitConnecting(options, connected.signal).catch(fail)
    if (body === undefined) request.end()
    else sendBody(request, body, { progress, sleep: options.sleep }).catch(fail)
  }).finally(() => connected.abort())
}

async function limitConnecting({ connectTimeoutMs, sleep }: TransportOptions, connected: AbortSignal): Promise<void> {
  await sleep(connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS, connected).catch(() => undefined)
  if (!connected.aborted) throw connectionError('ETIMEDOUT', 'no connection within the time allowed')
}
