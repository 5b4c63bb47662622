import { abortedFault, throwIfAborted } from '@waltz/errors'

/** Waits `ms` milliseconds; rejects, with anything, as soon as the signal fires. */
export type Sleep = (ms: number, signal?: AbortSignal) => Promise<void>

/**
 * Sleeps, and reports an interruption as what it is.
 * @throws Fault `aborted` `ABORTED`, or the signal's own fault.
 */
export async function sleepOrAbort(sleep: Sleep, ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, signal)
  } catch (error) {
    throw signal?.aborted === true ? abortedFault(signal) : error
  }
  throwIfAborted(signal)
}

/** Waits until `promise` has ended, well or badly, but not longer than `limitMs`. Never rejects. */
export async function waitAtMost(promise: Promise<unknown>, limitMs: number, sleep: Sleep): Promise<void> {
  const timer = new AbortController()
  const late = sleep(limitMs, timer.signal).catch(() => undefined)
  await Promise.race([promise.catch(() => undefined), late])
  timer.abort()
}
