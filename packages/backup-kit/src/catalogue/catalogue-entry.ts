import type { Fault } from '@waltz/errors'
import type { Lsn, SystemIdentifier, TimelineId } from '@waltz/pg-structures'
import type { BackupMetadata } from '@waltz/repository'
import type { ObjectInfo } from '@waltz/storage'

/** What a backup, or the beginning of one, is. */
export type CatalogueStatus =
  /** It has a sentinel that can be read (or was not asked for). */
  | 'complete'
  /** It has a sentinel that is damaged, or may not be read; `problem` says why. Nothing is known of its parent: whoever deletes stays away. */
  | 'sentinel-unreadable'
  /** A folder without sentinel that somebody may still be writing into: its lease lives, or its newest object is young. */
  | 'being-written'
  /** A folder without sentinel that nobody writes into any more. */
  | 'unfinished'

/** What is wrong with, or remarkable about, a backup. */
export type CatalogueFindingKind =
  /** An increment whose parent, or one of whose further ancestors, is not there or cannot be used. It cannot be restored. */
  | 'lost-parent'
  /** Its ancestors lead back to itself. */
  | 'parent-cycle'
  /** There is no `metadata.json`; the sentinel says what it would. Not permanent, for WAL-G as for Waltz. */
  | 'metadata-missing'
  /** `metadata.json` is damaged or may not be read: whether the backup is permanent is unknown. Whoever deletes stays away. */
  | 'metadata-unreadable'
  /** A sentinel without any other object: what it tells of was removed. */
  | 'folder-missing'
  /** It has not begun yet, by the clock of this machine. */
  | 'in-the-future'
  /** WAL between its start and its finish is in no storage. It cannot be restored. Only where WAL was looked through. */
  | 'wal-missing'
  /** The last WAL that it needs is not archived yet, and may come. Only where WAL was looked through. */
  | 'wal-not-yet-archived'

/** One finding, with what a person wants to know. */
export interface CatalogueFinding {
  readonly kind: CatalogueFindingKind
  readonly message: string
}

/** The sum of the objects in a backup's folder, as they are listed: what the store keeps, sidecars included. */
export interface FolderSum {
  readonly objects: number
  readonly bytes: number
  /** Modification time of the newest one; undefined for a folder without objects. */
  readonly newestAt: Date | undefined
}

/** One backup of one storage, or the folder of an unfinished one. Equal names in two storages are two entries. */
export interface CatalogueEntry {
  readonly name: string
  /** `default`, or the name of a further storage. */
  readonly storage: string
  readonly status: CatalogueStatus
  /** The object that makes it a backup, as it was listed; undefined for a folder without sentinel. */
  readonly sentinel: ObjectInfo | undefined
  /** `metadata.json` as it was listed; undefined where there is none, or where only names were wanted. */
  readonly metadataObject: ObjectInfo | undefined
  /** The lease of whoever makes it, as it was listed. */
  readonly leaseObject: ObjectInfo | undefined
  /** Everything in its folder; undefined where only names were wanted. Without the sentinel, which lies beside the folder. */
  readonly folder: FolderSum | undefined
  /** The first run of 24 upper-case hex digits in the name, or 24 times `Z`. */
  readonly walFileName: string
  /** By the name; undefined for a name without a segment. */
  readonly timeline: TimelineId | undefined
  /** From here on: what the documents say. All undefined, empty, or false for entries without, and where only names were wanted. */
  /** Real times, from `metadata.json`, else from the sentinel; undefined for WAL-E's backups and those of old releases. */
  readonly startedAt: Date | undefined
  readonly finishedAt: Date | undefined
  /** The same in nanoseconds since 1970: orders backups of one millisecond. */
  readonly startedAtNs: bigint | undefined
  readonly systemIdentifier: SystemIdentifier | undefined
  readonly startLsn: Lsn | undefined
  readonly finishLsn: Lsn | undefined
  /** `server_version_num`; undefined where it is not known. */
  readonly serverVersion: number | undefined
  /** By `metadata.json` alone. */
  readonly permanent: boolean
  readonly userData: unknown
  readonly hostname: string
  readonly dataDirectory: string
  /** As the backup itself counted them; see `folder` for what lies in the store. Undefined where they are not known. */
  readonly storedBytes: number | undefined
  readonly restoredBytes: number | undefined
  /** Of the data directory when it was read, where it is known. */
  readonly dataDirectoryBytes: number | undefined
  /** What the sentinel says of the chain; undefined for full backups. The parent lies in the same storage (RF 10.2). */
  readonly increment: CatalogueIncrement | undefined
  /** `metadata.json` as it was read. */
  readonly metadata: BackupMetadata | undefined
  /** Why a document could not be used. */
  readonly problem: Fault | undefined
  readonly findings: readonly CatalogueFinding[]
}

/** Where an increment stands, as its sentinel says. */
export interface CatalogueIncrement {
  readonly parent: string
  readonly full: string
  readonly depth: number
  readonly parentLsn: Lsn
}

/** A storage that could not be listed. */
export interface SilentStorage {
  readonly storage: string
  readonly why: string
}

/** Objects of a storage's `basebackups_005/` that are no backup's. */
export interface ForeignObjects {
  readonly storage: string
  readonly sum: FolderSum
  /** The first of them. */
  readonly example: string
}

/** What is in all storages. */
export interface Catalogue {
  /** By sentinel time, oldest first, as WAL-G lists them; of equal times in the order of storages. Folders without sentinel come last, by name. */
  readonly entries: readonly CatalogueEntry[]
  /** What lies in `basebackups_005/` and belongs to no backup; none where only names were wanted. */
  readonly foreign: readonly ForeignObjects[]
  /** Those that did not answer: what lies in them is not known. Whoever deletes must not go on as if they held nothing. */
  readonly silent: readonly SilentStorage[]
  /** When it was asked for. */
  readonly takenAt: Date
  /** Whether the documents were read, or only names listed. */
  readonly documents: boolean
}
