import {
  createBackupCatalog,
  type BackupCatalog,
  type BackupMetadata,
  type BackupSelector,
  type BackupSummary,
  type Sentinel,
} from '@waltz/repository'
import type { CallOptions, ObjectStore } from '@waltz/storage'

/** A backup, and the storage that it lies in. */
export interface StoredBackup extends BackupSummary {
  /** `default`, or the name of a further storage. Equal names in two storages are two backups. */
  readonly storage: string
}

/** Of which storage a document is read; the first that has the backup, unless given. */
export interface BackupReadOptions extends CallOptions {
  readonly storage?: string
}

/** The backups of all storages of a kit. */
export interface KitBackups extends BackupCatalog {
  /**
   * Ordered by the sentinel's modification time, oldest first; of equal times in the order of storages. A storage that does not answer is
   * told of by an event, and left out.
   * @throws Fault `unavailable` `STORAGE_PARTLY_UNAVAILABLE` when no storage answers.
   */
  list(options?: CallOptions): AsyncIterable<StoredBackup>
  /**
   * As `BackupCatalog.find`, among all storages; of equal names the first storage's.
   * @throws Fault also `unavailable` `STORAGE_PARTLY_UNAVAILABLE`, when it was not found and not every storage answered.
   */
  find(selector: BackupSelector, options?: CallOptions): Promise<StoredBackup>
  readSentinel(name: string, options?: BackupReadOptions): Promise<Sentinel>
  readMetadata(name: string, options?: BackupReadOptions): Promise<BackupMetadata>
}

/** The backups of the only storage. */
export function backupsOfOne(store: ObjectStore, storage: string): KitBackups {
  const catalog = createBackupCatalog(store)
  return {
    async *list(options) {
      for await (const backup of catalog.list(options)) yield { ...backup, storage }
    },
    find: async (selector, options) => ({ ...(await catalog.find(selector, options)), storage }),
    readSentinel: (name, options) => catalog.readSentinel(name, options),
    readMetadata: (name, options) => catalog.readMetadata(name, options),
  }
}
