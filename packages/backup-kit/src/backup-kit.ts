import type { PushedBackup } from '@waltz/pg-physical-backup'
import { createBackupCatalog, type BackupCatalog } from '@waltz/repository'
import { parseSettings, settingsTable, type Settings, type SettingSources } from '@waltz/settings'
import type { ObjectStore } from '@waltz/storage'
import type { WalArchive } from '@waltz/wal-archive'
import { openFormat } from './open-format.ts'
import { openStore } from './open-store.ts'
import { openWalArchive, type WalArchiveChoices } from './open-wal-archive.ts'
import { pushWithParts, type PushBackupOptions } from './push.ts'
import { planRestoreWithParts, restoreWithParts, type RestoreBackupOptions, type RestorePlan, type RestoredBackup } from './restore.ts'
import type { KitSurroundings } from './surroundings.ts'

/** A repository with all that can be done to it: what other programs import. The command line is one of its users. */
export interface BackupKit extends AsyncDisposable {
  /** The storage below its prefix, with retries and limits. */
  readonly store: ObjectStore
  /** The backups in it. */
  readonly backups: BackupCatalog
  /** The WAL in it. Loads the codec of the settings. */
  openWal(choices?: WalArchiveChoices): Promise<WalArchive>
  /**
   * Takes a full backup of a running server's data directory.
   * @throws Fault: see `pushBackup` of `@waltz/pg-physical-backup`.
   */
  pushBackup(options: PushBackupOptions): Promise<PushedBackup>
  /** Chooses a backup and says what a restore would do, without doing it. */
  planRestore(options: RestoreBackupOptions): Promise<RestorePlan>
  /** Restores a backup into an empty directory. */
  restoreBackup(options: RestoreBackupOptions): Promise<RestoredBackup>
}

/**
 * Opens the repository that the settings name. Storage code is loaded as far as the settings name it; codecs and the
 * database driver only when something needs them.
 * @throws Fault `invalid` when no storage is configured; `unsupported` for settings of capabilities that are not there yet.
 */
export async function openBackupKit(settings: Settings, surroundings: KitSurroundings): Promise<BackupKit> {
  const store = await openStore(settings, surroundings)
  const openArchive = (choices: WalArchiveChoices = {}): Promise<WalArchive> => openWalArchive({ settings, surroundings, store }, choices)
  return {
    store,
    backups: createBackupCatalog(store),
    openWal: openArchive,
    async pushBackup(options) {
      const format = await openFormat(settings, surroundings)
      return await pushWithParts({ settings, surroundings, store, format, archive: await openArchive() }, options)
    },
    planRestore: (options) => planRestoreWithParts({ settings, surroundings, store }, options),
    restoreBackup: (options) => restoreWithParts({ settings, surroundings, store }, options),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

/**
 * Settings for an embedding program: names as in the environment, checked like those of the command line.
 * @throws Fault `invalid` `SETTINGS_INVALID` that names every problem.
 */
export function kitSettings(values: Readonly<Record<string, string | undefined>>): Settings {
  const sources: SettingSources = { flags: {}, environment: values }
  return parseSettings(settingsTable, sources).settings
}
