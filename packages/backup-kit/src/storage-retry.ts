import type { Settings, StorageKind } from '@waltz/settings'
import type { RetryPolicy } from '@waltz/storage'
import { randomFraction } from './random.ts'
import type { StorageContext } from './storage-context.ts'

/** How often and after which waits a storage is asked again. */
export interface RetrySettings {
  readonly maxRetries: number
  /** Longest wait after an ordinary failure. */
  readonly maxDelayMs: number
  /** Bounds of the wait after "slow down". */
  readonly throttling?: { readonly minDelayMs: number; readonly maxDelayMs: number }
  /** Where one break of a download is tried again another number of times. */
  readonly maxReadRetries?: number
}

const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 5_000
const THROTTLED = 'STORAGE_THROTTLED'
/** A disk answers at once or has a problem that does not go away by itself. */
const FILE_RETRY: RetrySettings = { maxRetries: 3, maxDelayMs: 2_000 }
/** Where nothing else is said. */
const NETWORK_RETRIES = 5
/** WAL-G waits up to five minutes between the tries of one piece (SET 5.2). */
const GCS_THROTTLING = { minDelayMs: 128, maxDelayMs: 300_000 }

/** What the settings say about repeating requests to a kind of storage (SET 5). */
export function retrySettingsFor(kind: StorageKind, settings: Settings): RetrySettings {
  const maxRetries = settings.storageMaxRetries
  switch (kind) {
    case 's3':
      return {
        maxRetries: settings.s3MaxRetries,
        maxDelayMs: LONGEST_DELAY_MS,
        throttling: { minDelayMs: settings.s3MinThrottlingRetryDelay, maxDelayMs: settings.s3MaxThrottlingRetryDelay },
        ...(settings.s3RangeBatchEnabled && { maxReadRetries: settings.s3RangeMaxRetries }),
      }
    case 'oss':
      return { maxRetries: settings.ossMaxRetries, maxDelayMs: LONGEST_DELAY_MS }
    case 'gs':
      return { maxRetries: settings.gcsMaxRetries, maxDelayMs: LONGEST_DELAY_MS, throttling: GCS_THROTTLING }
    case 'file':
      return { ...FILE_RETRY, ...(maxRetries !== undefined && { maxRetries }) }
    default:
      return { maxRetries: maxRetries ?? NETWORK_RETRIES, maxDelayMs: LONGEST_DELAY_MS }
  }
}

/**
 * The policy for one storage: full jitter, longer waits while the storage asks to slow down, and every wait is told. `storage` names it
 * in events.
 */
export function retryPolicyFor(retry: Omit<RetrySettings, 'maxReadRetries'>, storage: string, context: StorageContext): RetryPolicy {
  const { maxRetries, maxDelayMs, throttling } = retry
  // A wait is announced and begun in one go, so what was announced last is what is waited for.
  let announced = { throttled: false, attempt: 1 }
  return {
    maxAttempts: maxRetries + 1,
    baseDelayMs: FIRST_DELAY_MS,
    maxDelayMs,
    ...(throttling !== undefined && { maxRetryAfterMs: throttling.maxDelayMs }),
    random: randomFraction,
    onRetry({ operation, key, attempt, delayMs, fault }) {
      announced = { throttled: fault.code === THROTTLED, attempt }
      context.report({ type: 'storage-retry', storage, operation, key, attempt, delayMs, reason: fault.message })
    },
    sleep(ms, signal) {
      const slow = throttling !== undefined && announced.throttled
      return context.sleep(slow ? throttledDelay(ms, announced.attempt, throttling) : ms, signal)
    },
  }
}

/** Never shorter than the least, doubling from there, and never shorter than what the storage asked for. */
function throttledDelay(
  ms: number,
  attempt: number,
  { minDelayMs, maxDelayMs }: { readonly minDelayMs: number; readonly maxDelayMs: number },
): number {
  const longest = Math.min(maxDelayMs, minDelayMs * 2 ** attempt)
  return Math.round(Math.max(ms, Math.min(minDelayMs, maxDelayMs), randomFraction() * longest))
}
