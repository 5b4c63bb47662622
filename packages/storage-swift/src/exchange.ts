import type { IncomingMessage } from 'node:http'
import { DEFAULT_IDLE_TIMEOUT_MS, type Sleep } from '@waltz/storage'
import { connectionFault, cutFault, type ReadAnswer, type SwiftCall } from './errors.ts'
import { watchProgress, type Progress } from './progress.ts'
import type { RequestBody } from './send-body.ts'
import { connectionError, type Transport } from './transport.ts'

/** What requests share. */
export interface Surroundings {
  readonly transport: Pick<Transport, 'send'>
  readonly sleep: Sleep
  readonly now: () => Date
  readonly idleTimeoutMs: number | undefined
  readonly location: string
}

/** One request, by whoever makes it. */
export interface Outgoing {
  readonly method: string
  readonly url: URL
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: RequestBody
  readonly doing: string
  readonly signal: AbortSignal | undefined
  /** The server works in silence: so many times the usual patience. */
  readonly patience?: number
}

/** An answer with its body still to come. */
export interface OpenAnswer {
  readonly message: IncomingMessage
  readonly status: number
  readonly progress: Progress
  readonly call: SwiftCall
}

/** A listing of 10,000 long names; what is longer is no answer to any of our questions. */
const MOST_TEXT_BYTES = 64 * 2 ** 20

/**
 * Sends a request and gives the beginning of its answer. Whoever gets it reads the body or calls `dropAnswer`.
 * @throws Fault for a connection that failed, `STORAGE_STALLED`, `aborted`; the failure of the body's source unchanged.
 */
export async function open(around: Surroundings, out: Outgoing): Promise<OpenAnswer> {
  const call: SwiftCall = { doing: out.doing, location: around.location }
  const progress = watchProgress({
    idleMs: (around.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS) * (out.patience ?? 1),
    sleep: around.sleep,
    doing: out.doing,
    location: around.location,
    signal: out.signal,
  })
  try {
    const { method, url, headers = {}, body } = out
    const message = await around.transport.send({ method, url, headers, progress, ...(body === undefined ? {} : { body }) })
    return { message, status: message.statusCode ?? 0, progress, call }
  } catch (error) {
    progress.stop()
    throw connectionFault(progress.faultOf(error), call)
  }
}

/** Reads the rest of a small answer. */
export async function readAnswer({ message, status, progress, call }: OpenAnswer): Promise<ReadAnswer> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  try {
    for await (const chunk of message as AsyncIterable<Uint8Array>) {
      progress.progressed()
      bytes += chunk.length
      if (bytes > MOST_TEXT_BYTES) throw connectionError('ECONNABORTED', 'the answer is too long')
      chunks.push(chunk)
    }
    if (!message.complete) throw cutFault(call)
    return { status, headers: message.headers, text: Buffer.concat(chunks).toString('utf8') }
  } catch (error) {
    throw connectionFault(progress.faultOf(error), call)
  } finally {
    progress.stop()
  }
}

/** Reads nothing more; the connection is closed unless the answer has arrived whole. */
export function dropAnswer({ message, progress }: OpenAnswer): void {
  progress.stop()
  if (message.complete) message.resume()
  else message.destroy()
}

/** Sends a request and reads its answer. */
export async function exchange(around: Surroundings, out: Outgoing): Promise<ReadAnswer> {
  return readAnswer(await open(around, out))
}
