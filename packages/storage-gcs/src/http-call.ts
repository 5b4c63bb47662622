import { request as httpRequest, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
import { abortedFault, throwIfAborted } from '@waltz/errors'
import type { HttpAgents } from '@waltz/network'
import { unreachableFault, watchForStall, type Sleep, type StallWatch } from '@waltz/storage'
import { collectChunks, type ArrivedChunks } from './arrived-chunks.ts'
import { connectionFault } from './errors.ts'

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
  const watches = watchRequest(line, { call, request, secure })
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

interface RequestWatches {
  progressed(): void
  stop(): void
  faultOf(error: unknown): unknown
}

/** The time to connect, then idle time; neither runs while the request waits for a free connection of its agent. */
function watchRequest(
  line: HttpLine,
  { call, request, secure }: { readonly call: HttpCall; readonly request: ClientRequest; readonly secure: boolean },
): RequestWatches {
  const connecting = new AbortController()
  let idle: StallWatch | undefined
  let over = false
  const startConnectTimer = (): void => {
    const late = (): void => {
      const why = 'no connection within the time allowed'
      if (!connecting.signal.aborted) request.destroy(unreachableFault({ doing: call.doing, location: line.location }, why))
    }
    line.sleep(line.connectTimeoutMs, connecting.signal).then(late, () => undefined)
  }
  const connected = (): void => {
    connecting.abort()
    if (over) return
    idle = watchForStall({ ...stallOf(line, call), signal: undefined })
    idle.signal.addEventListener('abort', () => request.destroy(idle?.signal.reason as Error), { once: true })
  }
  if (line.agents.proxied) startConnectTimer() // the socket comes only when the tunnel stands
  request.once('socket', (socket: Socket) => {
    if (!socket.connecting) return connected()
    if (!line.agents.proxied) startConnectTimer()
    socket.once(secure ? 'secureConnect' : 'connect', connected)
  })
  return {
    progressed: () => idle?.progressed(),
    stop() {
      over = true
      connecting.abort()
      idle?.stop()
    },
    faultOf: (error) => idle?.faultOf(error) ?? error,
  }
}

function stallOf(line: HttpLine, call: HttpCall): { idleMs: number; sleep: Sleep; doing: string; location: string } {
  return { idleMs: line.idleTimeoutMs, sleep: line.sleep, doing: call.doing, location: line.location }
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
  async function* read(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        throwIfAborted(signal)
        const chunk = arrived.take() ?? (await waitForChunk(line, call, { response, arrived }))
        if (chunk === undefined) return
        if (chunk.length > 0) yield chunk
      }
    } catch (error) {
      if (signal?.aborted === true) throw abortedFault(signal)
      throw connectionFault(error, { doing: call.doing, location: line.location })
    } finally {
      close()
    }
  }
  return { status: response.statusCode ?? 0, headers: response.headers, read, close }
}

/** Watches only while bytes are waited for. */
async function waitForChunk(
  line: HttpLine,
  call: HttpCall,
  { response, arrived }: { readonly response: IncomingMessage; readonly arrived: ArrivedChunks },
): Promise<Uint8Array | undefined> {
  const watch = watchForStall({ ...stallOf(line, call), signal: undefined })
  watch.signal.addEventListener('abort', () => response.destroy(watch.signal.reason as Error), { once: true })
  try {
    return await arrived.next()
  } catch (error) {
    throw watch.faultOf(error)
  } finally {
    watch.stop()
  }
}
