import { readAll, sourceOf } from '@waltz/bytes'
import type { SealedFormat } from '@waltz/repository'
import { parseSettings, settingsTable, type Settings, type SettingSources } from '@waltz/settings'
import type { ObjectStore } from '@waltz/storage'
import type { WalArchive } from '@waltz/wal-archive'
import { createKitCatalogue, type KitCatalogue } from './catalogue/kit-catalogue.ts'
import type { CheckEncryptionOptions, EncryptionCheck } from './encryption/check-encryption.ts'
import type { RotateEncryptionOptions, RotatedEncryption } from './encryption/rotate-encryption.ts'
import type { KitBackups } from './kit-backups.ts'
import { openOneStorage } from './kit-of-one.ts'
import type { KitStorage, KitStorages, StoragesOptions } from './kit-storage.ts'
import { pushWithParts, type PushBackupOptions, type StoredPushedBackup } from './push.ts'
import type { ApplyRemovalOptions, RemovalResult } from './removal/apply-removal.ts'
import type { RemovalPlan } from './removal/removal-plan.ts'
import type { PlanRemovalOptions } from './removal/removal-request.ts'
import {
  planRestoreWithParts,
  restoreWithParts,
  type RestoreBackupOptions,
  type RestoredBackup,
  type RestoreParts,
  type RestorePlan,
} from './restore.ts'
import { createStorageContext, type StorageContext } from './storage-context.ts'
import { createStorageEvents, type StorageEvents } from './storage-events.ts'
import type { KitSurroundings } from './surroundings.ts'
import type { WalArchiveChoices } from './wal-archive-from-settings.ts'

/** A repository with all that can be done to it: what other programs import. The command line is one of its users. */
export interface BackupKit extends AsyncDisposable {
  /** The first storage below its prefix, with retries and limits. */
  readonly store: ObjectStore
  /** The backups in it; with several storages, in all of them. */
  readonly backups: KitBackups
  /** What is known of all backups, and of the WAL that they need. */
  readonly catalogue: KitCatalogue
  /**
   * The first storage (`default`) and the further ones by name, each tried where that is wanted.
   * @throws Fault `invalid` `STORAGE_UNKNOWN` for a name that none has.
   */
  storages(options?: StoragesOptions): Promise<readonly KitStorage[]>
  /**
   * The WAL in it. Loads the codec of the settings. With several storages a push goes to the first that is alive, a file comes from the
   * first that has it.
   */
  openWal(choices?: WalArchiveChoices): Promise<WalArchive>
  /** How objects are compressed, and opened again: the form of everything but JSON. Loads the codec of the settings. */
  openFormat(): Promise<SealedFormat>
  /**
   * Takes a full backup of a running server's data directory.
   * @throws Fault: see `pushBackup` of `@waltz/pg-physical-backup`; with several storages also `unavailable` `STORAGE_NONE_ALIVE`, and
   * `STORAGE_LOST` when the chosen one fails in the middle.
   */
  pushBackup(options: PushBackupOptions): Promise<StoredPushedBackup>
  /** Chooses a backup and says what a restore would do, without doing it. */
  planRestore(options: RestoreBackupOptions): Promise<RestorePlan>
  /** Restores a backup into an empty directory. */
  restoreBackup(options: RestoreBackupOptions): Promise<RestoredBackup>
  /**
   * Says what a deletion would do in all storages, and why; changes nothing. Dispose of the plan.
   * @throws Fault of any storage that cannot be listed; `not-found` `BACKUP_NOT_FOUND`, `conflict` `BACKUP_AMBIGUOUS`,
   * `REMOVAL_TARGET_INCREMENTAL`, `REMOVAL_PERMANENT` or `REMOVAL_IN_USE`, `invalid` `REMOVAL_TIME_INVALID` or `PLAN_ID_INVALID`.
   */
  planRemoval(options: PlanRemovalOptions): Promise<RemovalPlan>
  /**
   * Plans and deletes: sentinels first, then the data of backups, then WAL, and whatever a deletion left that did not end. With `planId`
   * exactly that plan or nothing. What could not be removed is in the result.
   * @throws Fault as `planRemoval`; `conflict` `PLAN_CHANGED`, `REMOVAL_OVERTAKEN`, `REMOVAL_CLOCK_WRONG`, or
   * `LEASE_HELD` while another deletion is under way.
   */
  applyRemoval(options: ApplyRemovalOptions): Promise<RemovalResult>
  /** Finds out whether the configured keys open the newest and the oldest backup and WAL of one storage. Changes nothing. */
  checkEncryption(options?: CheckEncryptionOptions): Promise<EncryptionCheck>
  /**
   * Brings all objects of one storage under the current key, or only counts what lies under which key.
   * @throws Fault `invalid` `ENCRYPTION_KEY_ABSENT` without a current key; `conflict` `LEASE_HELD` while another run works on it.
   */
  rotateEncryption(options: RotateEncryptionOptions): Promise<RotatedEncryption>
}

/** How a kit differs from what its settings say. */
export interface KitOptions {
  /** The one storage to work with, as WALG_TARGET_STORAGE. */
  readonly targetStorage?: string
}

/**
 * Opens the repository that the settings name. Storage code is loaded as far as the settings name it; codecs and the
 * database driver only when something needs them. Reads the key files that settings name; asks no storage.
 * @throws Fault `invalid` when no storage is configured, or its settings cannot be used.
 */
export async function openBackupKit(settings: Settings, surroundings: KitSurroundings, options: KitOptions = {}): Promise<BackupKit> {
  const events = createStorageEvents(surroundings.observe)
  const context = createStorageContext(settings, surroundings, events.report)
  const storages = await openStorages(settings, context, options.targetStorage ?? settings.targetStorage)
  const { store, backups } = storages
  const partsOfRestore = async ({ selector, signal }: RestoreBackupOptions): Promise<RestoreParts> => ({
    settings,
    surroundings,
    format: await context.format.open(),
    source: await storages.sourceOfRestore(selector, signal),
  })
  return {
    store,
    backups,
    catalogue: createKitCatalogue(settings, surroundings, storages),
    storages: (wish) => storages.list(wish),
    openWal: (choices = {}) => storages.openWal(choices),
    openFormat: () => context.format.open(),
    async pushBackup(wish) {
      using _ = listening(events, wish.observe)
      const format = await context.format.open()
      await proveSealing(format)
      const place = await storages.placeForBackup(wish)
      try {
        const parts = { settings, surroundings, store: place.store, format, archive: place.archive }
        return { ...(await pushWithParts(parts, wish)), storage: place.name }
      } catch (error) {
        throw await place.explain(error)
      }
    },
    planRestore: async (wish) => planRestoreWithParts(await partsOfRestore(wish), wish),
    restoreBackup: async (wish) => restoreWithParts(await partsOfRestore(wish), wish),
    planRemoval: async (wish) => {
      const { planKitRemoval } = await import('./removal/kit-removal.ts')
      return await planKitRemoval({ settings, surroundings, storages }, wish)
    },
    applyRemoval: async (wish) => {
      const { applyKitRemoval } = await import('./removal/kit-removal.ts')
      return await applyKitRemoval({ settings, surroundings, storages }, wish)
    },
    checkEncryption: async (wish = {}) => {
      const { checkEncryption } = await import('./encryption/check-encryption.ts')
      return await checkEncryption({ settings, surroundings, store: await storeOf(storages, wish.storage) }, wish)
    },
    rotateEncryption: async (wish) => {
      const { rotateEncryption } = await import('./encryption/rotate-encryption.ts')
      return await rotateEncryption({ settings, surroundings, store: await storeOf(storages, wish.storage) }, wish)
    },
    async [Symbol.asyncDispose]() {
      await storages[Symbol.asyncDispose]()
      await context.format[Symbol.asyncDispose]()
    },
  }
}

/** A wrapped data key and the frame around it. */
const MAX_BYTES_OF_NOTHING = 65_536

/** Encrypts nothing: a key that nothing can be encrypted with is found before anything is read. */
async function proveSealing(format: SealedFormat): Promise<void> {
  await readAll(format.seal(sourceOf(''), { compress: false }), MAX_BYTES_OF_NOTHING)
}

async function storeOf(storages: KitStorages, name: string | undefined): Promise<ObjectStore> {
  if (name === undefined) return storages.store
  const [found] = await storages.list({ names: [name] })
  return found?.store ?? storages.store
}

async function openStorages(settings: Settings, context: StorageContext, targetStorage: string | undefined): Promise<KitStorages> {
  if (settings.failoverStorages === undefined || settings.failoverStorages.trim() === '{}')
    return await openOneStorage(settings, context, targetStorage)
  const { openSeveralStorages } = await import('./failover/open-several.ts')
  return await openSeveralStorages(settings, context, targetStorage)
}

function listening(events: StorageEvents, observe: PushBackupOptions['observe']): Disposable {
  return observe === undefined ? { [Symbol.dispose]: () => undefined } : events.listen(observe)
}

/**
 * Settings for an embedding program: names as in the environment, checked like those of the command line.
 * @throws Fault `invalid` `SETTINGS_INVALID` that names every problem.
 */
export function kitSettings(values: Readonly<Record<string, string | undefined>>): Settings {
  const sources: SettingSources = { flags: {}, environment: values }
  return parseSettings(settingsTable, sources).settings
}
