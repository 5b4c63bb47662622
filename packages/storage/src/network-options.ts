import type { ByteBudget } from './byte-budget.ts'
import type { RetryPolicy } from './retry-policy.ts'
import type { Sleep } from './sleep.ts'

/** What every store that talks over a network is made from, beside what is its own. */
export interface NetworkStoreOptions {
  /** For requests that the store itself makes again: single parts, whole small objects. */
  readonly retry: RetryPolicy
  /** Bytes of uploads and read-ahead in memory; share one among all stores of a process. */
  readonly budget: ByteBudget
  /** A connection that is not made within this time is `unavailable`. 10 s unless given. */
  readonly connectTimeoutMs?: number
  /** A request in which no byte moves for so long is cancelled and made again. 60 s unless given. */
  readonly idleTimeoutMs?: number
  readonly now: () => Date
  readonly sleep: Sleep
  /** As many random lower-case hexadecimal digits as asked for. */
  readonly randomHex: (digits: number) => string
}

/** Unless given in `NetworkStoreOptions`. */
export const DEFAULT_CONNECT_TIMEOUT_MS = 10_000
/** Unless given in `NetworkStoreOptions`. */
export const DEFAULT_IDLE_TIMEOUT_MS = 60_000
