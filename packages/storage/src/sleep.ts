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
