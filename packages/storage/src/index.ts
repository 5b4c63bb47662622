/**
 * `ObjectStore`, the contract that every storage of Waltz keeps, and what is written once for all of them: views,
 * retries, limits, and the small parts that a backend is built from. The memory store is `@waltz/storage/memory`;
 * the cases that prove a store are `@waltz/storage/conformance`.
 */
export type {
  CallOptions,
  GetOptions,
  ListOptions,
  ObjectBody,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  StoreCapabilities,
} from './object-store.ts'
export { withPrefix } from './with-prefix.ts'
export { withRetry } from './with-retry.ts'
export type { RetryEvent, RetryPolicy } from './retry-policy.ts'
export { withLimits, type StoreLimits } from './with-limits.ts'
export { createRateLimit, type RateLimit, type RateLimitOptions } from './rate-limit.ts'
export { readOnly } from './read-only.ts'
export { observeStore, type StoreEvent, type StoreObserver, type StoreOperation } from './observe-store.ts'
export type { Sleep } from './sleep.ts'
export { checkKey, checkPrefix, compareKeys } from './key.ts'
export { checkRange, clipRange } from './byte-range.ts'
export { createObjectBody, type ObjectBodyParts } from './object-body.ts'
export { openPutBody, type PutBody } from './put-body.ts'
export { untilAborted } from './until-aborted.ts'
export { alreadyExistsFault, notFoundFault } from './store-faults.ts'
export { faultCodes } from './fault-codes.ts'
