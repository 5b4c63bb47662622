import { abortedFault, Fault } from '@waltz/errors'
import type { Bucket } from './bucket.ts'
import { DEFAULT_CONTEXT_TIMEOUT_MS } from './options.ts'

/** What is bounded. */
export interface TimedCall {
  readonly doing: string
  readonly signal: AbortSignal | undefined
  /** Less than the whole time, for what has used some of it. */
  readonly leftMs?: number
}

/**
 * Runs an operation with a signal that fires with the caller's, or when the time for one operation is over (`GCS_CONTEXT_TIMEOUT`).
 * @throws Fault `unavailable` `GCS_TIMED_OUT`, not retryable: the bound is for all attempts.
 */
export async function withinTime<T>(bucket: Bucket, call: TimedCall, run: (signal: AbortSignal | undefined) => Promise<T>): Promise<T> {
  const limitMs = contextTimeoutMs(bucket)
  if (limitMs === 0) return await run(call.signal)
  const controller = new AbortController()
  const timer = new AbortController()
  const onAbort = (): void => controller.abort(abortedFault(call.signal as AbortSignal))
  if (call.signal?.aborted === true) onAbort()
  else call.signal?.addEventListener('abort', onAbort, { once: true })
  const late = (): void => {
    if (!timer.signal.aborted) controller.abort(timedOutFault(bucket, call.doing, limitMs))
  }
  bucket.options.sleep(Math.max(0, call.leftMs ?? limitMs), timer.signal).then(late, () => undefined)
  try {
    return await run(controller.signal)
  } finally {
    timer.abort()
    call.signal?.removeEventListener('abort', onAbort)
  }
}

/** Zero: no bound. */
export function contextTimeoutMs(bucket: Bucket): number {
  return bucket.options.contextTimeoutMs ?? DEFAULT_CONTEXT_TIMEOUT_MS
}

function timedOutFault({ location }: Bucket, doing: string, limitMs: number): Fault {
  return new Fault('unavailable', 'GCS_TIMED_OUT', `${doing} in ${location} was not done within ${Math.round(limitMs / 1000)} s`, {
    hint: 'raise GCS_CONTEXT_TIMEOUT, or find out why the storage is slow',
    context: { location, limitMs },
    retryable: false,
  })
}
