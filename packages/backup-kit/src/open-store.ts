import type { Settings } from '@waltz/settings'
import type { ObjectStore } from '@waltz/storage'
import { openBackend } from './open-backend.ts'
import { createStorageContext } from './storage-context.ts'
import { repositoryView } from './storage-views.ts'
import type { KitSurroundings } from './surroundings.ts'

/** What the first storage is called. */
export const FIRST_STORAGE = 'default'

/**
 * The first storage that the settings name, below its prefix: backend, limits, retries, prefix, in this order. Loads the code
 * of that storage and of no other. Does no I/O but reading files that settings name: a storage that is not there is found out by
 * the first call. Further storages (WALG_FAILOVER_STORAGES) are the business of `openBackupKit`.
 * @throws Fault as `openBackend`.
 */
export async function openStore(settings: Settings, surroundings: KitSurroundings): Promise<ObjectStore> {
  const context = createStorageContext(settings, surroundings)
  return repositoryView(await openBackend({ settings, context, name: FIRST_STORAGE }), settings, context)
}
