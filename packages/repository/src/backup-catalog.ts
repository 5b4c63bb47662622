import type { Lsn, SystemIdentifier } from '@waltz/pg-structures'
import type { CallOptions } from '@waltz/storage'
import type { BackupMetadata } from './metadata.ts'
import type { Sentinel } from './sentinel.ts'

/**
 * The backups that exist, which are those with a sentinel object: the sentinel is written last, so a crash never
 * leaves a backup that looks whole and is not.
 */
export interface BackupCatalog {
  /** Ordered by the sentinel's modification time, oldest first, as WAL-G orders them (stable, by key within one moment). Listing only. */
  list(options?: CallOptions): AsyncIterable<BackupSummary>
  /** Rejects with `not-found`; with `conflict` when user data matches more than one backup. */
  find(selector: BackupSelector, options?: CallOptions): Promise<BackupSummary>
  /** The sentinel of a backup. Rejects with `not-found`, or `corrupt` when it is not a sentinel. */
  readSentinel(name: string, options?: CallOptions): Promise<Sentinel>
  /** The small metadata. Rejects with `not-found` where older releases or accidents left none, `corrupt` when it is damaged. */
  readMetadata(name: string, options?: CallOptions): Promise<BackupMetadata>
}

/** How a backup is chosen. User data matches when the JSON values are deeply equal. */
export type BackupSelector = { readonly latest: true } | { readonly name: string } | { readonly userData: unknown }

/** What a listing of sentinels tells. */
export interface BackupSummary {
  readonly name: string
  /** Modification time of the sentinel. */
  readonly modifiedAt: Date
  readonly modifiedAtNs?: bigint
  /** The first run of 24 upper-case hex digits in the name, or 24 times `Z`. */
  readonly walFileName: string
}

/** Names the position of a backup in the WAL. */
export interface BackupPosition {
  readonly startLsn: Lsn
  readonly finishLsn: Lsn
  readonly systemIdentifier: SystemIdentifier | undefined
}
