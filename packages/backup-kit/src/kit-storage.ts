import type { Settings, StorageKind } from '@waltz/settings'
import type { CallOptions, ObjectStore, StoreMaintenance } from '@waltz/storage'
import type { WalArchive } from '@waltz/wal-archive'
import type { MarkableStorage } from './catalogue/mark-backup.ts'
import type { KitBackups } from './kit-backups.ts'
import type { Backend } from './open-backend.ts'
import type { WalArchiveChoices } from './wal-archive-from-settings.ts'
import type { RestoreSource } from './restore.ts'
import type { BackupSelector } from '@waltz/repository'

/** One storage of a kit. */
export interface KitStorage {
  /** `default`, or the name of a further storage. */
  readonly name: string
  readonly kind: StorageKind
  /** For messages. Holds no secret. */
  readonly location: string
  /** The repository in it, with retries and limits. */
  readonly store: ObjectStore
  /** Unfinished uploads and versions; keys as `store` has them. */
  readonly maintenance: StoreMaintenance
  /** The bucket, container or folder itself, and where in it the repository begins: for probes. */
  readonly backend: Backend
  /** The settings of the run with what this storage has of its own. */
  readonly settings: Settings
  /** Whether it answers; undefined when it was not tried. */
  readonly alive?: boolean
  /** Why it does not. */
  readonly why?: string
}

/** How storages are listed. */
export interface StoragesOptions extends CallOptions {
  /** Tries each of them now: `write` stores and removes a small object. */
  readonly try?: 'read' | 'write'
  /** Only these; all unless given. */
  readonly names?: readonly string[]
}

/** Where a backup is written. */
export interface BackupPlace {
  readonly name: string
  readonly store: ObjectStore
  readonly archive: WalArchive
  /** The fault to report when the backup failed with this one. */
  explain(error: unknown): Promise<unknown>
}

/** What a kit needs of its one storage, or of its several. */
export interface KitStorages extends AsyncDisposable {
  /** The first storage. */
  readonly store: ObjectStore
  readonly backups: KitBackups
  list(options?: StoragesOptions): Promise<readonly KitStorage[]>
  openWal(choices: WalArchiveChoices): Promise<WalArchive>
  placeForBackup(options: { readonly targetStorage?: string | undefined; readonly signal?: AbortSignal | undefined }): Promise<BackupPlace>
  /** The storages that are looked at to say what there is: all but those left out, or the one asked for. Those that do not answer say why. */
  toSurvey(options?: CallOptions): Promise<readonly MarkableStorage[]>
  sourceOfRestore(selector: BackupSelector | undefined, signal: AbortSignal | undefined): Promise<RestoreSource>
}
