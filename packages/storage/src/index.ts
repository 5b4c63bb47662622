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
export { createListing, pagesOf } from './listing.ts'
export { withPrefix } from './with-prefix.ts'
export { withRetry } from './with-retry.ts'
export { withLimits, type StoreLimits } from './with-limits.ts'
export { createRateLimit, type RateLimit, type RateLimitOptions } from './rate-limit.ts'
export { readOnly } from './read-only.ts'
export { observeStore, type StoreEvent, type StoreObserver, type StoreOperation } from './observe-store.ts'
export { checkKey, checkPrefix, compareKeys } from './key.ts'
export { checkRange, clipRange } from './byte-range.ts'
export { createObjectBody, type ObjectBodyParts } from './object-body.ts'
export { openPutBody, type PutBody } from './put-body.ts'
export { untilAborted } from './until-aborted.ts'
export { alreadyExistsFault, checkConditions, conditionUnsupportedFault, notFoundFault, objectReplacedFault } from './store-faults.ts'
export { createByteBudget, type ByteBudget, type GrantedBytes } from './byte-budget.ts'
export { watchForStall, type StallWatch, type StallWatchOptions } from './stall-watch.ts'
export { createPartUploader, type MultipartTarget, type PartUploader, type UploadCall, type UploadSurroundings } from './upload-in-parts.ts'
export type { MaintainedStore, ObjectVersion, StoreMaintenance, UnfinishedUpload } from './maintenance.ts'
export { DEFAULT_CONNECT_TIMEOUT_MS, DEFAULT_IDLE_TIMEOUT_MS, type NetworkStoreOptions } from './network-options.ts'
export { retried, startAttempts, type AttemptedCall, type Attempts, type RetryEvent, type RetryPolicy } from './retry-policy.ts'
export { sleepOrAbort, waitAtMost, type Sleep } from './sleep.ts'
export { createRemovals, type Leftover, type Removals } from './removals.ts'
export { isTemporaryKey, isTemporaryName, parseTemporaryName, temporaryKey, type NameSource, type TemporaryName } from './temporary-name.ts'
export {
  accessDeniedFault,
  bucketMissingFault,
  checksumFault,
  clockFault,
  copyUnsupportedFault,
  lockOf,
  networkFault,
  optionsFault,
  quotaFault,
  requestRefusedFault,
  retentionFault,
  retryAfterMs,
  serverFailedFault,
  throttledFault,
  unreachableFault,
  versionsUnsupportedFault,
  type ObjectLock,
  type StoreCall,
} from './network-faults.ts'
export { faultCodes } from './fault-codes.ts'
