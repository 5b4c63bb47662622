/**
 * The archive of a cluster's WAL: push with fences, fetch that never takes "could not tell" for "not there", and what
 * backups need to know of the WAL between their start and stop.
 */
export { createWalArchive, type ReadOptions, type WalArchive } from './wal-archive.ts'
export type { WalArchiveEvent, WalArchiveOptions } from './options.ts'
export type { PushOptions, PushOutcome, WalBody } from './push.ts'
export type { FetchOptions } from './fetch.ts'
export type { OpenedWal } from './open-stored.ts'
export type { FetchedToFile, FetchToFileRequest } from './fetch-to-file.ts'
export type { ListOptions, WalObject, WalTimeline } from './list.ts'
export type { WalContinuity, WalGap } from './continuity.ts'
export type { EnsuredRange, EnsureRangeRequest } from './ensure-range.ts'
export { openLocalWal, type LocalWal, type WalReadWish } from './local-wal.ts'
export { loadCrc32c } from './load-crc32c.ts'
export { faultCodes } from './fault-codes.ts'
