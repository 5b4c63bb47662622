import { Fault } from '@waltz/errors'
import { createBackupCatalog } from '@waltz/repository'
import type { Settings } from '@waltz/settings'
import { backupsOfOne } from './kit-backups.ts'
import type { KitStorage, KitStorages, StoragesOptions } from './kit-storage.ts'
import { openBackend, type Backend } from './open-backend.ts'
import { FIRST_STORAGE } from './open-store.ts'
import { walArchiveFromSettings } from './wal-archive-from-settings.ts'
import type { StorageContext } from './storage-context.ts'
import { impatientView, maintenanceView, repositoryView } from './storage-views.ts'

/** Names that mean the only storage. */
const ITS_NAMES: readonly string[] = ['', FIRST_STORAGE, 'all', 'any']

/**
 * The one storage that the settings name.
 * @throws Fault as `openBackend`; `invalid` `STORAGE_UNKNOWN` when another one is asked for.
 */
export async function openOneStorage(
  settings: Settings,
  context: StorageContext,
  targetStorage: string | undefined = settings.targetStorage,
): Promise<KitStorages> {
  checkTarget(targetStorage)
  const backend = await openBackend({ settings, context, name: FIRST_STORAGE })
  const storage = kitStorage(backend, settings, context)
  const { store } = storage
  const { surroundings, format } = context
  const archive: KitStorages['openWal'] = async (choices) =>
    walArchiveFromSettings({ settings, surroundings, store, format: await format.open() }, choices)
  return {
    store,
    backups: backupsOfOne(store, FIRST_STORAGE),
    list: async (options) => await tried([storage], settings, options),
    openWal: archive,
    async placeForBackup(options) {
      checkTarget(options.targetStorage)
      return { name: FIRST_STORAGE, store, archive: await archive({}), explain: async (error) => error }
    },
    toSurvey: async () => [{ name: FIRST_STORAGE, store }],
    sourceOfRestore: async (selector) => ({
      store,
      catalog: createBackupCatalog(store),
      selector,
      protectedPaths: protectedPaths([settings]),
    }),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

/** A storage with all its views. */
export function kitStorage(backend: Backend, settings: Settings, context: StorageContext): KitStorage {
  const store = repositoryView(backend, settings, context)
  return {
    name: backend.name,
    kind: backend.kind,
    location: store.location,
    store,
    maintenance: maintenanceView(backend.store, backend.prefix),
    backend,
    settings,
  }
}

/**
 * The storages that are asked for, each tried when that is wanted.
 * @throws Fault `invalid` `STORAGE_UNKNOWN` for a name that none has.
 */
export async function tried(
  storages: readonly KitStorage[],
  settings: Settings,
  { names, signal, ...options }: StoragesOptions = {},
): Promise<readonly KitStorage[]> {
  const unknown = names?.find((name) => storages.every((storage) => storage.name !== name))
  if (unknown !== undefined) throw unknownStorage(unknown, storages)
  const wanted = storages.filter(({ name }) => names?.includes(name) ?? true)
  if (options.try === undefined) return wanted
  const purpose = options.try
  const { tryStorage } = await import('./failover/try-storage.ts')
  const trial = { purpose, bytes: settings.failoverStoragesCheckSize, timeoutMs: settings.failoverStoragesCheckTimeout, signal }
  return await Promise.all(
    wanted.map(async (storage) => {
      const { alive, why } = await tryStorage(impatientView(storage.backend), trial)
      return { ...storage, alive, ...(why !== undefined && { why }) }
    }),
  )
}

/** Folders of this machine that hold repositories. */
export function protectedPaths(all: readonly Settings[]): readonly string[] {
  return all.flatMap(({ filePrefix }) => (filePrefix === undefined ? [] : [filePrefix.replace(/^file:\/\/localhost/, '')]))
}

function checkTarget(name: string | undefined): void {
  if (name !== undefined && !ITS_NAMES.includes(name)) throw unknownStorage(name, [{ name: FIRST_STORAGE }])
}

function unknownStorage(name: string, storages: readonly { readonly name: string }[]): Fault {
  return new Fault('invalid', 'STORAGE_UNKNOWN', `there is no storage ${JSON.stringify(name)}`, {
    hint: `there ${storages.length === 1 ? 'is only' : 'are'} ${storages.map((one) => one.name).join(', ')}; WALG_FAILOVER_STORAGES names further ones`,
  })
}
