import type { Fault } from '@waltz/errors'
import type { Lsn, SystemIdentifier } from '@waltz/pg-structures'
import type { BackupCatalog, BackupSelector, SealedFormat, TablespaceSpec } from '@waltz/repository'
import type { ObjectStore } from '@waltz/storage'
import type { DestinationState } from './destination.ts'
import type { StoredPart } from './extract-part.ts'
import type { SkippedMember } from './part-tally.ts'
import type { RecoveryPlan } from './recovery-settings.ts'
import type { RecoveryRequest } from './recovery-target.ts'
import type { SyncMethod } from './sync-tree.ts'
import type { MappedTablespace } from './tablespace-mapping.ts'

/** What to restore, and where to. */
export interface RestoreRequest {
  readonly store: ObjectStore
  readonly catalog: BackupCatalog
  readonly sealed: SealedFormat
  /** The future data directory. */
  readonly destination: string
  /** May be left out with `recovery`, which then chooses; `latest` with `recovery` means the same. */
  readonly selector?: BackupSelector | undefined
  /** Other places for the tablespaces; without it they return to where they were. */
  readonly restoreSpec?: TablespaceSpec | undefined
  /** Recovery settings to write; without them nothing is written. */
  readonly recovery?: RecoveryWish | undefined
  /** Where large lists are kept while the restore runs. */
  readonly spoolDirectory: string
  /** Names of files kept in memory before they are spooled. */
  readonly maxNamesInMemory?: number
  /** Folders that a restore must not touch, such as that of the repository. */
  readonly protectedPaths?: readonly string[]
  readonly signal?: AbortSignal | undefined
}

/** Recovery, and the command that brings the WAL. */
export interface RecoveryWish {
  readonly request: RecoveryRequest
  /** See `formatRestoreCommand`. */
  readonly restoreCommand: string
  /** Variables that the server's environment must have for it. */
  readonly requiredVariables?: readonly string[]
}

/** Everything that a restore would do. */
export interface RestorePlan {
  readonly backup: PlannedBackup
  readonly destination: DestinationState
  readonly parts: readonly PlannedPart[]
  readonly storedBytes: number
  /** Of the files, as the backup counted them; 0 when it did not. */
  readonly uncompressedBytes: number
  /** One entry per place that is written to. */
  readonly space: readonly { readonly path: string; readonly freeBytes: number }[]
  readonly tablespaces: readonly MappedTablespace[]
  /** WAL that the copy needs to become consistent. */
  readonly wal: PlannedWal | undefined
  readonly recovery: RecoveryPlan | undefined
  /** Reasons why damage of the backup could go unnoticed; empty when every byte is checked. */
  readonly notFullyChecked: readonly string[]
  /** Why the restore would not begin; the first one is thrown. */
  readonly refusals: readonly Fault[]
  readonly warnings: readonly string[]
}

/** The backup that was chosen. */
export interface PlannedBackup {
  readonly name: string
  readonly reason: string
  readonly passedOver: readonly { readonly name: string; readonly why: string }[]
  readonly startLsn: Lsn | undefined
  readonly finishLsn: Lsn | undefined
  /** As stored. */
  readonly startTime: string | undefined
  readonly finishTime: string | undefined
  /** `server_version_num`; 0 when unknown. */
  readonly serverVersion: number
  readonly systemIdentifier: SystemIdentifier
}

/** One part with what it holds. */
export interface PlannedPart extends StoredPart {
  readonly role: 'control' | 'label' | 'data'
}

/** WAL between the start and the end of a backup. */
export interface PlannedWal {
  readonly timeline: number
  readonly firstSegment: string
  readonly lastSegment: string
  readonly segments: number
  readonly missing: { readonly count: number; readonly names: readonly string[] }
  /** With recovery: segments missing behind those, up to the last one that is there. */
  readonly holes: { readonly count: number; readonly names: readonly string[] }
}

/** How the restore is carried out. */
export interface ApplyRestoreOptions {
  /** Parts in flight at once. */
  readonly lanes: number
  /** How often a part is tried again after a fault that may pass. */
  readonly retries: number
  /** Make everything durable before the control file goes in. */
  readonly sync: boolean
  readonly sleep: (milliseconds: number) => Promise<void>
  readonly observe?: (event: RestoreEvent) => void
}

/** What a running restore tells. */
export type RestoreEvent =
  | { readonly type: 'phase'; readonly phase: 'clearing' | 'checking' | 'syncing' | 'finishing' }
  | { readonly type: 'phase'; readonly phase: 'extracting'; readonly totalBytes: number }
  /** Stored bytes fetched so far, of `totalBytes`. */
  | { readonly type: 'fetched'; readonly bytes: number }
  | { readonly type: 'retry'; readonly part: string; readonly attempt: number; readonly cause: Fault }

/** What a restore did. */
export interface RestoreResult {
  readonly plan: RestorePlan
  readonly files: number
  readonly directories: number
  /** Content of the files. */
  readonly bytes: number
  readonly retriedParts: number
  /** Whether leftovers of an interrupted run were cleared first. */
  readonly startedOver: boolean
  readonly synced: SyncMethod
  /** Members that were not written: how many, and some of them. */
  readonly skipped: { readonly count: number; readonly members: readonly SkippedMember[] }
  /** Files that were gone when the backup was made. */
  readonly vanished: { readonly count: number; readonly names: readonly string[] }
  /** Links that the backup stored as the files behind them. */
  readonly recordedLinks: readonly { readonly path: string; readonly target: string }[]
  readonly notFullyChecked: readonly string[]
  readonly warnings: readonly string[]
}
