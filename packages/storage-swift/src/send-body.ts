import type { ClientRequest } from 'node:http'
import type { Sleep } from '@waltz/storage'
import type { Progress } from './progress.ts'

/** What a request carries. */
export interface RequestBody {
  /** Undefined: not known beforehand, sent chunked. */
  readonly length: number | undefined
  /** Whether to let the server refuse before anything is sent (`Expect: 100-continue`). */
  readonly ask: boolean
  /** The next bytes; undefined at the end. */
  next(): Promise<Uint8Array | undefined>
}

/** Writes of this size, so that a slow connection shows progress. */
const WRITE_BYTES = 65_536
/** Some proxies swallow `100 Continue`: then the body goes without it. */
const CONTINUE_MS = 2000

/** Bytes at hand as a body; can be sent again by making another one. */
export function bufferedBody(chunks: readonly Uint8Array[], { ask = false }: { readonly ask?: boolean } = {}): RequestBody {
  const iterator = chunks.values()
  return {
    length: chunks.reduce((sum, chunk) => sum + chunk.length, 0),
    ask,
    next: async () => iterator.next().value,
  }
}

/** Sends a body, no faster than the connection takes it. Rejects with the failure of the source; that of the connection is the request's. */
export async function sendBody(
  request: ClientRequest,
  body: RequestBody,
  { progress, sleep }: { readonly progress: Progress; readonly sleep: Sleep },
): Promise<void> {
  const ended = new AbortController()
  const end = (): void => ended.abort()
  request.once('response', end).once('close', end)
  if (body.ask && !(await mayContinue(request, sleep, ended.signal))) {
    giveUp(request)
    return
  }
  if (await writeAll(request, body, { progress, ended: ended.signal })) request.end()
  else giveUp(request)
}

/** Where a body is written to. `done` is called when the bytes do not matter to it any more. */
export interface BodySink {
  write(bytes: Uint8Array, done: () => void): unknown
}

/** Writes a body piece by piece. False when `ended` fired before its end. */
export async function writeAll(
  sink: BodySink,
  body: RequestBody,
  { progress, ended }: { readonly progress: Progress; readonly ended: AbortSignal },
): Promise<boolean> {
  while (!ended.aborted) {
    progress.rest()
    const chunk = await body.next()
    progress.expect()
    if (chunk === undefined) return true
    for (let offset = 0; offset < chunk.length && !ended.aborted; offset += WRITE_BYTES) {
      await written(sink, chunk.subarray(offset, offset + WRITE_BYTES), ended)
      progress.progressed()
    }
  }
  return false
}

/** Answered already, or broken: nobody wants the rest, and the connection is of no further use. */
function giveUp(request: ClientRequest): void {
  request.shouldKeepAlive = false
  request.end()
}

/** Resolves when the bytes have left, or when that does not matter any more. */
function written(sink: BodySink, bytes: Uint8Array, ended: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      ended.removeEventListener('abort', done)
      resolve()
    }
    ended.addEventListener('abort', done, { once: true })
    sink.write(bytes, done)
  })
}

function mayContinue(request: ClientRequest, sleep: Sleep, ended: AbortSignal): Promise<boolean> {
  const waiting = new AbortController()
  return new Promise<boolean>((resolve) => {
    request.once('continue', () => resolve(true))
    ended.addEventListener('abort', () => resolve(false), { once: true })
    request.once('socket', () => {
      sleep(CONTINUE_MS, waiting.signal).then(
        () => resolve(true),
        () => undefined,
      )
    })
    request.flushHeaders()
  }).finally(() => waiting.abort())
}
