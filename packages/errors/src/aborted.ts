import { Fault, isFault } from './fault.ts'

/**
 * The fault for a signal that fired. A reason that already is a fault is returned as it is, so that "the server went
 * away" is not reported as "you cancelled".
 */
export function abortedFault(signal: AbortSignal): Fault {
  if (isFault(signal.reason)) return signal.reason
  return new Fault('aborted', 'ABORTED', 'the operation was cancelled', { cause: signal.reason })
}

/**
 * Throws when `signal` has fired; does nothing without a signal.
 * @throws Fault `aborted` `ABORTED`, or the signal's own reason when that is a fault.
 */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortedFault(signal)
}
