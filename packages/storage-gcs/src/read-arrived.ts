import { abortedFault, throwIfAborted } from '@waltz/errors'
import { watchForStall } from '@waltz/storage'
import type { ArrivedChunks } from './arrived-chunks.ts'
import { connectionFault } from './errors.ts'
import type { HttpCall, HttpLine } from './http-call.ts'
import { stallOf } from './watch-request.ts'

/** The bytes of an answer, and how it is ended. */
export interface ArrivingAnswer {
  readonly arrived: ArrivedChunks
  /** Ends the connection in the middle; `next` of the chunks then rejects. */
  breakOff(why: Error): void
  /** Called once the reading is over, for whatever reason. */
  close(): void
}

/** Hands out an answer. Time in which nobody asks for the next chunk does not count as a stall. */
export async function* readArrived(
  line: HttpLine,
  call: Pick<HttpCall, 'doing' | 'signal'>,
  answer: ArrivingAnswer,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { signal, doing } = call
  try {
    for (;;) {
      throwIfAborted(signal)
      const chunk = answer.arrived.take() ?? (await waitForChunk(line, call, answer))
      if (chunk === undefined) return
      if (chunk.length > 0) yield chunk
    }
  } catch (error) {
    if (signal?.aborted === true) throw abortedFault(signal)
    throw connectionFault(error, { doing, location: line.location })
  } finally {
    answer.close()
  }
}

/** Watches only while bytes are waited for. */
async function waitForChunk(line: HttpLine, call: Pick<HttpCall, 'doing'>, answer: ArrivingAnswer): Promise<Uint8Array | undefined> {
  const { arrived } = answer
  const watch = watchForStall({ ...stallOf(line, call), signal: undefined })
  watch.signal.addEventListener('abort', () => answer.breakOff(watch.signal.reason as Error), { once: true })
  try {
    return await arrived.next()
  } catch (error) {
    throw watch.faultOf(error)
  } finally {
    watch.stop()
  }
}
