import { request as httpRequest, type Agent, type ClientRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
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
  /** What connects to that server, for requests that somebody else sends. */
  agentFor(target: URL): Promise<Agent>
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
  const agentFor = async (target: URL): Promise<Agent> => {
    const { http, https } = await agentsFor(target)
    if (destroyed) throw connectionError('ECONNABORTED', 'the store was closed')
    return isSecure(target) ? https : http
  }
  return {
    agentFor,
    async send(call) {
      return answerOf(startRequest(call, await agentFor(call.url)), call, options)
    },
    destroy() {
      destroyed = true
      // Agents that could not be made have failed the request that asked for them.
      for (const made of agents.values()) void made.then((pair) => pair.destroy()).catch(() => undefined)
    },
  }
}

/** An error as Node makes them for connections. */
export function connectionError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}

/** How the body of a request is framed, as headers. */
export function framingOf({ method, body }: Pick<HttpCall, 'method' | 'body'>): Record<string, string> {
  if (body === undefined) return method === 'PUT' || method === 'POST' ? { 'content-length': '0' } : {}
  return body.length === undefined ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(body.length) }
}

function startRequest(call: HttpCall, agent: Agent): ClientRequest {
  const { method, url, headers, body } = call
  const expectation: Record<string, string> = body?.ask === true ? { expect: '100-continue' } : {}
  const send = isSecure(url) ? httpsRequest : httpRequest
  return send(url, { method, agent, headers: { ...headers, ...framingOf(call), ...expectation } })
}

function isSecure({ protocol }: URL): boolean {
  return protocol === 'https:'
}

/** Sends what there is to send and waits for the answer, whichever ends first. */
function answerOf(request: ClientRequest, { body, progress }: HttpCall, options: TransportOptions): Promise<IncomingMessage> {
  return new Promise<IncomingMessage>((resolve, reject) => {
    const fail = (error: unknown): void => {
      request.destroy()
      reject(error instanceof Error ? error : new Error('the request failed', { cause: error }))
    }
    const onAbort = (): void => fail(progress.signal.reason)
    const connecting = limitConnecting(request, options, fail)
    request.on('error', fail) // stays: a request that is broken off later complains once more
    request.once('response', (answer) => {
      progress.progressed()
      resolve(answer)
    })
    request.once('close', () => {
      connecting.end()
      progress.signal.removeEventListener('abort', onAbort)
    })
    if (progress.signal.aborted) {
      onAbort()
      return
    }
    progress.signal.addEventListener('abort', onAbort, { once: true })
    if (body === undefined) request.end()
    else sendBody(request, body, { progress, sleep: options.sleep }).catch(fail)
  })
}

/** What tells of the socket of a request. */
interface SocketTeller {
  once(event: 'socket', listener: (socket: Socket) => void): unknown
}

/** Calls `fail` when there is no connection in time. Whoever has an answer, or has failed, ends the wait. */
export function limitConnecting(
  request: SocketTeller,
  { connectTimeoutMs, sleep }: Pick<TransportOptions, 'connectTimeoutMs' | 'sleep'>,
  fail: (error: Error) => void,
): { readonly end: () => void } {
  const connected = new AbortController()
  const end = (): void => connected.abort()
  request.once('socket', (socket) => {
    if (!socket.connecting) end()
    else socket.once('encrypted' in socket ? 'secureConnect' : 'connect', end)
  })
  sleep(connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS, connected.signal).then(
    () => {
      if (!connected.signal.aborted) fail(connectionError('ETIMEDOUT', 'no connection within the time allowed'))
    },
    () => undefined, // the wait was ended: all is well
  )
  return { end }
}
