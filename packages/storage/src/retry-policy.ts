import { Fault, isFault, throwIfAborted } from '@waltz/errors'
import { sleepOrAbort, type Sleep } from './sleep.ts'

/** When and how often a failed call is made again. */
export interface RetryPolicy {
  /** Attempts in all, the first included; 1 means never again. */
  readonly maxAttempts: number
  /** Longest wait before the second attempt; doubles with each further one. */
  readonly baseDelayMs: number
  /** No wait is longer, except where the store asks for one. */
  readonly maxDelayMs: number
  /** The longest wait that a store may ask for (`context.retryAfterMs` of a fault, from `Retry-After`). 60 s unless given. */
  readonly maxRetryAfterMs?: number
  /** A number from 0 up to 1, such as `Math.random`: which part of the longest wait is waited, so that many callers spread out. */
  readonly random: () => number
  readonly sleep: Sleep
  /** Told before each wait, so that a slow store is never a silent one. */
  readonly onRetry?: (event: RetryEvent) => void
}

/** One failed attempt that will be followed by another. */
export interface RetryEvent {
  readonly operation: string
  /** The key, or the prefix of a listing. */
  readonly key: string
  /** How many attempts have failed since the last progress. */
  readonly attempt: number
  readonly delayMs: number
  readonly fault: Fault
}

/** Counts the failures of one call. */
export interface Attempts {
  /** Waits when another attempt is due; otherwise throws the failure, marked as persistent once attempts are spent. */
  failed(error: unknown): Promise<void>
  /** Bytes or keys arrived: whatever fails next starts counting anew. */
  progressed(): void
}

/** What is being attempted, for messages and events. */
export interface AttemptedCall {
  readonly operation: string
  readonly key: string
  readonly signal: AbortSignal | undefined
}

/** Starts counting the attempts of one call. */
export function startAttempts(policy: RetryPolicy, call: AttemptedCall): Attempts {
  let attempt = 0
  return {
    progressed: () => (attempt = 0),
    async failed(error) {
      if (!isFault(error) || !error.retryable) throw error
      attempt += 1
      if (attempt >= policy.maxAttempts) throw persistentFault(error, call, attempt)
      throwIfAborted(call.signal)
      const delayMs = delayBefore(policy, attempt, error)
      policy.onRetry?.({ operation: call.operation, key: call.key, attempt, delayMs, fault: error })
      await sleepOrAbort(policy.sleep, delayMs, call.signal)
    },
  }
}

/**
 * Makes `run` succeed within the policy's attempts.
 * @throws what `run` throws: at once when that is not retryable, else the last fault with `retryable` false and
 * `context.attempts`.
 */
export async function retried<T>(policy: RetryPolicy, call: AttemptedCall, run: () => Promise<T>): Promise<T> {
  const attempts = startAttempts(policy, call)
  for (;;) {
    try {
      return await run()
    } catch (error) {
      await attempts.failed(error)
    }
  }
}

const MOST_RETRY_AFTER_MS = 60_000

/** Any part of the exponential wait ("full jitter"); what the store asked for comes first, spread over a quarter more. */
function delayBefore(policy: RetryPolicy, attempt: number, { context }: Fault): number {
  const random = policy.random()
  const jittered = random * Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** (attempt - 1))
  const asked = typeof context['retryAfterMs'] === 'number' ? Math.max(0, context['retryAfterMs']) : 0
  const after = Math.min(asked, policy.maxRetryAfterMs ?? MOST_RETRY_AFTER_MS)
  return Math.round(Math.max(jittered, after * (1 + random / 4)))
}

function persistentFault(fault: Fault, { operation, key }: AttemptedCall, attempts: number): Fault {
  return new Fault(fault.kind, fault.code, `${fault.message} (${attempts} attempts)`, {
    ...(fault.hint === undefined ? {} : { hint: fault.hint }),
    context: { ...fault.context, operation, key, attempts },
    cause: fault,
    retryable: false,
  })
}
