import type { Agent, ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { abortedFault, isFault, throwIfAborted } from '@waltz/errors'
import { untilAborted } from '@waltz/storage'
import { failureOf, type RefusedCall } from '../answer-failure.ts'
import type { EngineSurroundings } from '../engine.ts'
import { connectionFault, type RefusedAnswer } from '../errors.ts'
import type { HttpLine } from '../http-call.ts'
import { watchRequest, type RequestWatches } from '../watch-request.ts'
import { refusalOf } from './refusal.ts'

/** One thing that the client is asked to do, and the requests that it makes for that. */
export interface Operation {
  /** The client's requests go through it: it knows them, so that they can be watched and ended, which the client has no means for. */
  readonly agent: Agent
  readonly token: string | undefined
  readonly line: HttpLine
  /** Of the last request. */
  answer(): OperationAnswer | undefined
  /** The call rejects with this. */
  readonly fail: (why: unknown) => void
  /** From here on somebody else watches the answer. */
  settle(): void
  /** Ends what is under way, with this fault. */
  breakOff(why: Error): void
  /** The operation goes on behind the call: `end` is up to whoever has it. */
  keep(): void
  /** Requests that are not over by now are ended. Harmless when called again. */
  end(): void
}

/** The head of an answer. */
export interface OperationAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
}

/** What an operation is about. */
export interface OperationCall extends RefusedCall {
  /** Statuses besides 2xx that are answers and not failures; the value is undefined then. */
  readonly alsoFine?: readonly number[]
}

/** What came of an operation. */
export interface Outcome<T> extends OperationAnswer {
  readonly value: T | undefined
}

/**
 * Has the client do something, and once more when the access token was refused. Whatever the client makes of a failure, the fault is made from what was
 * seen on the connection.
 * @throws the fault of a status that is not fine; those of connections; `aborted`.
 */
export async function runOperation<T>(
  around: EngineSurroundings,
  call: OperationCall,
  work: (operation: Operation) => Promise<T>,
): Promise<Outcome<T>> {
  const { tokens, bucket } = around
  for (let first = true; ; first = false) {
    const token = await untilAborted(tokens.current(call.signal), call.signal)
    throwIfAborted(call.signal)
    const opened = openOperation(around, call, token)
    const { operation, broken } = opened
    try {
      const value = await untilAborted(Promise.race([work(operation), broken]), call.signal)
      return { ...(operation.answer() ?? { status: 200, headers: {} }), value }
    } catch (error) {
      const refused = refusedOrThrow(around, call, { opened, error })
      if (call.alsoFine?.includes(refused.status) === true) return { ...refused, value: undefined }
      const renewable = refused.status === 401 && token !== undefined
      if (renewable) tokens.refused(token)
      if (!renewable || !first) throw await failureOf(bucket, call, refused)
    } finally {
      if (!opened.isKept()) operation.end()
    }
  }
}

/** An answer that was no success; everything else is a fault at once. */
function refusedOrThrow(
  { bucket: { location } }: EngineSurroundings,
  { doing, signal }: OperationCall,
  { opened, error }: { readonly opened: OpenOperation; readonly error: unknown },
): RefusedAnswer {
  const refused = refusalOf(error, opened.operation.answer())
  if (refused !== undefined && signal?.aborted !== true) return refused
  throw connectionFault(opened.faultOf(error), { doing, location })
}

interface OpenOperation {
  readonly operation: Operation
  /** Rejects when a request fails before it is answered: the client would not always say so. */
  readonly broken: Promise<never>
  faultOf(error: unknown): unknown
  isKept(): boolean
}

interface WatchedRequest {
  readonly request: ClientRequest
  readonly watches: RequestWatches
  response?: IncomingMessage
}

function openOperation({ line, endpoint }: EngineSurroundings, call: OperationCall, token: string | undefined): OpenOperation {
  const { doing, signal } = call
  const secure = endpoint.startsWith('https:')
  const requests: WatchedRequest[] = []
  let over: Error | undefined
  let kept = false
  let failure: unknown
  const breaking = Promise.withResolvers<never>()
  breaking.promise.catch(() => undefined) // heard only while the client works

  const fail = (error: unknown): void => {
    failure ??= error
    breaking.reject(error)
  }
  const onRequest = (request: ClientRequest): void => {
    requests.push(watched(request, { watches: watchRequest(line, { doing }, { request, secure }), fail }))
    if (over !== undefined) request.destroy(over)
  }
  const breakOff = (why: Error): void => {
    over ??= why
    for (const { request } of requests) request.destroy(why)
  }
  const onAbort = (): void => breakOff(abortedFault(signal as AbortSignal))
  signal?.addEventListener('abort', onAbort, { once: true })
  const settle = (): void => {
    for (const { watches } of requests) watches.stop()
  }
  const operation: Operation = {
    agent: watchedAgent(secure ? line.agents.https : line.agents.http, onRequest),
    token,
    line,
    answer() {
      const response = requests.at(-1)?.response
      return response === undefined ? undefined : { status: response.statusCode ?? 0, headers: response.headers }
    },
    fail,
    settle,
    breakOff,
    keep: () => (kept = true),
    end() {
      signal?.removeEventListener('abort', onAbort)
      settle()
      over ??= new Error('the operation is over')
      // A connection in the middle of something cannot serve another request.
      for (const { request, response } of requests) if (response?.complete !== true || !request.writableFinished) request.destroy()
    },
  }
  const faultOf = (error: unknown): unknown => {
    if (signal?.aborted === true) return abortedFault(signal)
    const told = failure ?? error
    return requests.reduce((fault, { watches }) => watches.faultOf(fault), told)
  }
  return { operation, broken: breaking.promise, faultOf, isKept: () => kept }
}

/** A failure before the head of the answer is the request's; behind it the client hears of it, unless it comes from a watch. */
function watched(
  request: ClientRequest,
  { watches, fail }: { readonly watches: RequestWatches; readonly fail: (error: unknown) => void },
): WatchedRequest {
  const seen: WatchedRequest = { request, watches }
  request.on('drain', () => watches.progressed())
  request.once('response', (response: IncomingMessage) => {
    seen.response = response
    watches.progressed()
  })
  request.on('error', (error) => {
    if (seen.response === undefined || isFault(error)) fail(error)
  })
  request.once('close', () => {
    if (seen.response === undefined) fail(Object.assign(new Error('closed without an answer'), { code: 'ECONNRESET' }))
  })
  return seen
}

/** The agent of the store in all but one thing: it tells of every request. */
function watchedAgent(agent: Agent, onRequest: (request: ClientRequest) => void): Agent {
  // Not in the types, but by it a request enters every agent: Node documents agents of one's own no further than this.
  const { addRequest } = agent as Agent & { readonly addRequest: (request: ClientRequest, ...rest: readonly unknown[]) => void }
  return Object.create(agent, {
    addRequest: {
      value(request: ClientRequest, ...rest: readonly unknown[]) {
        onRequest(request)
        addRequest.call(agent, request, ...rest)
      },
    },
  }) as Agent
}
