import type { RecoveryWish, RestoreEvent, RestorePlan, RestoreRequest, RestoreResult } from '@waltz/pg-physical-backup'
import type { BackupCatalog, BackupSelector, SealedFormat, TablespaceSpec } from '@waltz/repository'
import type { Settings } from '@waltz/settings'
import type { ObjectStore } from '@waltz/storage'
import { laneCount } from './lane-count.ts'
import { sleep } from './push.ts'
import type { KitSurroundings } from './surroundings.ts'

export type { RestorePlan }

/** What a restore did, with the plan it followed. */
export type RestoredBackup = RestoreResult

/** What to restore, where to, and how far. */
export interface RestoreBackupOptions {
  /** The future data directory: absent or empty. */
  readonly destination: string
  /** The backup; with `recovery` it may be left out, and the newest that reaches the target is taken. */
  readonly selector?: BackupSelector
  /** Other places for tablespaces; without it they return to where they were. */
  readonly restoreSpec?: TablespaceSpec
  /** Recovery settings to write; without them none are. See `parseRecoveryFlags` of `@waltz/pg-physical-backup`. */
  readonly recovery?: RecoveryWish
  /** Sees the plan before anything is written; what it throws stops the restore. */
  readonly onPlan?: (plan: RestorePlan) => void
  readonly observe?: (event: RestoreEvent) => void
  readonly signal?: AbortSignal
}

/** The opened parts that a backup is restored with. */
export interface RestoreParts {
  readonly settings: Settings
  readonly surroundings: KitSurroundings
  readonly source: RestoreSource
  readonly format: SealedFormat
}

/** Where a backup is restored from. */
export interface RestoreSource {
  readonly store: ObjectStore
  readonly catalog: BackupCatalog
  /** The backup, when it is chosen already. */
  readonly selector: BackupSelector | undefined
  /** Folders of this machine that hold backups: nothing is restored into them. */
  readonly protectedPaths: readonly string[]
}

/** Plans a restore with the kit's parts. See `BackupKit.planRestore`. */
export async function planRestoreWithParts(parts: RestoreParts, options: RestoreBackupOptions): Promise<RestorePlan> {
  const { planRestore } = await import('@waltz/pg-physical-backup')
  return await planRestore(requestFor(parts, options))
}

/** Restores a backup with the kit's parts. See `BackupKit.restoreBackup`. */
export async function restoreWithParts(parts: RestoreParts, options: RestoreBackupOptions): Promise<RestoredBackup> {
  const { restoreBackup } = await import('@waltz/pg-physical-backup')
  const { settings, surroundings } = parts
  return await restoreBackup(requestFor(parts, options), {
    lanes: laneCount(settings.downloadConcurrency, surroundings.cores),
    retries: settings.downloadFileRetries,
    sync: !settings.tarDisableFsync,
    sleep: (ms) => sleep(ms, options.signal),
    ...(options.onPlan === undefined ? {} : { onPlan: options.onPlan }),
    ...(options.observe === undefined ? {} : { observe: options.observe }),
  })
}

function requestFor({ settings, surroundings, source, format }: RestoreParts, options: RestoreBackupOptions): RestoreRequest {
  return {
    store: source.store,
    catalog: source.catalog,
    sealed: format,
    destination: options.destination,
    selector: source.selector,
    restoreSpec: options.restoreSpec,
    recovery: options.recovery,
    spoolDirectory: settings.spoolDir ?? surroundings.temporaryFolder,
    protectedPaths: source.protectedPaths,
    signal: options.signal,
  }
}
