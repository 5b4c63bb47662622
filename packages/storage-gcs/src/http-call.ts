import { request as httpRequest, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { abortedFault, throwIfAborted } from '@waltz/errors'
import type { HttpAgents } from '@waltz/network'
import type { Sleep } from '@waltz/storage'
import { collectChunks } from './arrived-chunks.ts'
import { connectionFault } from './errors.ts'
import { readArrived } from './read-arrived.ts'
import { watchRequest } from './watch-request.ts'

/** What all requests of a store share. */
export interface HttpLine {
  readonly agents: HttpAgents
  readonly connectTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly sleep: Sleep
  /** For messages. */
  readonly location: string
}

/** One request. */
export interface HttpCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: readonly Uint8Array[]
  /** For messages, such as `write of wal_005/x`. */
  readonly doing: string
  readonly signal: AbortSignal | undefined
}

/** An answer whose head has arrived. Its bytes must be read to the end, or it must be closed. */
export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Once. Chunks belong to the consumer. Time in which nobody asks for the next one does not count as a stall. */
  read(): AsyncGenerator<Uint8Array, void, undefined>
  /** Breaks off what was not read. Harmless when called again. */
  close(): void
}

/** Written at a time, so that slow progress can be told from none. */
const WRITE_BYTES = 262_144

/**
 * Makes one request over the agents of the store: no retry, no redirect. Every answer that has a status resolves.
 * @throws Fault `unavailable` `STORAGE_UNREACHABLE`, `STORAGE_STALLED`; `denied` for a certificate that is not trusted; `aborted`.
 */
export async function sendRequest(line: HttpLine, call: HttpCall): Promise<HttpAnswer> {
  throwIfAborted(call.signal)
  const running = startRequest(line, call)
  try {
    const response = await running.answered
    running.settle()
    return answerOf(line, call, { request: running.request, response })
  } catch (error) {
    running.settle()
    running.request.destroy()
    throw connectionFault(running.faultOf(error), { doing: call.doing, location: line.location })
  }
}

interface RunningRequest {
  readonly request: ClientRequest
  readonly answered: Promise<IncomingMessage>
  /** Ends the watches that are over once the head of the answer is there. */
  settle(): void
  faultOf(error: unknown): unknown
}

function startRequest(line: HttpLine, call: HttpCall): RunningRequest {
  const { url, method, headers, body = [], signal } = call
  const length = body.reduce((sum, { length: bytes }) => sum + bytes, 0)
  const secure = url.protocol === 'https:'
  const request = (secure ? httpsRequest : httpRequest)({
    protocol: url.protocol,
    hostname: url.hostname.replaceAll(/^\[|\]$/g, ''),
    port: url.port,
    path: url.pathname + url.search,
    method,
    headers: { ...headers, ...(method === 'GET' || method === 'DELETE' ? {} : { 'content-length': String(length) }) },
    agent: secure ? line.agents.https : line.agents.http,
  })
  const watches = watchRequest(line, call, { request, secure })
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve)
    request.on('error', reject)
    request.once('close', () => reject(Object.assign(new Error('closed without an answer'), { code: 'ECONNRESET' })))
  })
  const onAbort = (): void => void request.destroy(abortedFault(signal as AbortSignal))
  signal?.addEventListener('abort', onAbort, { once: true })
  void writeBody(request, body, () => watches.progressed())
  return {
    request,
    answered,
    settle() {
      signal?.removeEventListener('abort', onAbort)
      watches.stop()
    },
    faultOf: (error) => (signal?.aborted === true ? abortedFault(signal) : watches.faultOf(error)),
  }
}

/** Writes piece by piece as the connection takes them; stops when an answer comes before everything was sent. */
async function writeBody(request: ClientRequest, body: readonly Uint8Array[], progressed: () => void): Promise<void> {
  let over = false
  let wake: () => void = () => undefined
  const end = (): void => {
    over = true
    wake()
  }
  request.once('response', end)
  request.once('close', end)
  request.on('drain', () => wake())
  for (const piece of body) {
    for (let offset = 0; offset < piece.length; offset += WRITE_BYTES) {
      const taken = request.write(piece.subarray(offset, offset + WRITE_BYTES))
      if (!taken && !over) await new Promise<void>((resolve) => (wake = resolve))
      if (over) return
      progressed()
    }
  }
  request.end()
}

function answerOf(
  line: HttpLine,
  call: HttpCall,
  { request, response }: { readonly request: ClientRequest; readonly response: IncomingMessage },
): HttpAnswer {
  const { signal } = call
  const arrived = collectChunks(response)
  const onAbort = (): void => void response.destroy(abortedFault(signal as AbortSignal))
  signal?.addEventListener('abort', onAbort, { once: true })
  if (signal?.aborted === true) onAbort()
  const close = (): void => {
    signal?.removeEventListener('abort', onAbort)
    // A connection in the middle of something cannot serve another request.
    if (!response.complete || !request.writableFinished) request.destroy()
    else response.resume()
  }
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    read: () => readArrived(line, call, { arrived, breakOff: (why) => void response.destroy(why), close }),
    close,
  }
}
