import { Fault } from '@waltz/errors'
import { untilAborted } from '@waltz/storage'

/**
 * The outcome of `work`, or after `timeoutMs` (if given) `unavailable` `STORAGE_TRIAL_TIMEOUT`, whether or not the work obeys its
 * signal: a storage that hangs must not hold a command up. What was opened in time is not bounded any more.
 */
export async function briefly<Result>(
  timeoutMs: number | undefined,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal | undefined) => Promise<Result>,
): Promise<Result> {
  if (timeoutMs === undefined) return await work(signal)
  const late = new AbortController()
  const fault = new Fault('unavailable', 'STORAGE_TRIAL_TIMEOUT', `no answer within ${timeoutMs} ms`)
  const ringing = setTimeout(() => late.abort(fault), timeoutMs)
  const both = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal])
  try {
    return await untilAborted(work(both), both)
  } finally {
    clearTimeout(ringing)
  }
}
