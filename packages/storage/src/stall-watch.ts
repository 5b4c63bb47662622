import { abortedFault, Fault, isFault } from '@waltz/errors'
import type { Sleep } from './sleep.ts'

/** Watches one request: see `watchForStall`. */
export interface StallWatch {
  /** Fires with the caller's signal, or with `STORAGE_STALLED` when nothing moved for too long. Give it to the request. */
  readonly signal: AbortSignal
  /** Bytes moved, in either direction. */
  progressed(): void
  /** Ends the watch: the request is over. Must be called; harmless when called again. */
  stop(): void
  /** What to tell of a request that failed: the watch's or the caller's own fault where one of them ended it, otherwise `error`. */
  faultOf(error: unknown): unknown
}

/** What a watch is made from. */
export interface StallWatchOptions {
  /** How long nothing may move, in milliseconds. */
  readonly idleMs: number
  readonly sleep: Sleep
  /** For the message, such as `upload of part 3 of base/part_001.tar`. */
  readonly doing: string
  readonly location: string
  /** The caller's own. */
  readonly signal: AbortSignal | undefined
}

/** Progress is looked for so often within the idle time: the watch fires after one to one and a quarter of it. */
const LOOKS = 4

/**
 * Cancels a request that makes no progress: not one that is slow, only one in which no byte moved for `idleMs`. The fault is
 * `unavailable` `STORAGE_STALLED`, so the request is made again.
 */
export function watchForStall({ idleMs, sleep, doing, location, signal }: StallWatchOptions): StallWatch {
  const controller = new AbortController()
  const timer = new AbortController()
  let moved = false
  const stop = (): void => {
    signal?.removeEventListener('abort', onAbort)
    timer.abort()
  }
  const fire = (reason: Fault): void => {
    stop()
    controller.abort(reason)
  }
  const onAbort = (): void => fire(abortedFault(signal as AbortSignal))

  const look = async (): Promise<void> => {
    for (let idle = 0; idle < LOOKS; idle = moved ? 0 : idle + 1) {
      moved = false
      await sleep(idleMs / LOOKS, timer.signal)
      if (timer.signal.aborted) return
    }
    fire(stalledFault(doing, location, idleMs))
  }
  if (signal?.aborted === true) onAbort()
  else {
    signal?.addEventListener('abort', onAbort, { once: true })
    look().catch(() => undefined) // the sleep was ended: the request is over
  }
  return {
    signal: controller.signal,
    progressed: () => (moved = true),
    stop,
    faultOf: (error) => (controller.signal.aborted && isFault(controller.signal.reason) ? controller.signal.reason : error),
  }
}

function stalledFault(doing: string, location: string, idleMs: number): Fault {
  return new Fault('unavailable', 'STORAGE_STALLED', `the ${doing} in ${location} made no progress for ${Math.round(idleMs / 1000)} s`, {
    hint: 'the network or the storage stopped in the middle; it is tried again, and if this persists look at the connection between this machine and the storage',
    context: { location, idleMs },
  })
}
