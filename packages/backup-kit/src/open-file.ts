import { versionsUnsupportedFault, type MaintainedStore, type ObjectStore } from '@waltz/storage'
import type { StorageOpening } from './network-settings.ts'
import { randomHex } from './random.ts'

/** Opens the folder that WALG_FILE_PREFIX names. Does no I/O: a folder that is not there is found out by the first call. */
export async function openFile({ context }: StorageOpening, prefix: string): Promise<MaintainedStore> {
  const { createFileStore, parseFilePrefix } = await import('@waltz/storage-file')
  return maintained(createFileStore({ root: parseFilePrefix(prefix), now: context.surroundings.now, randomHex }))
}

/** A store that keeps neither versions nor unfinished uploads, unless it says otherwise. */
function maintained(store: ObjectStore): MaintainedStore {
  if ('maintenance' in store) return store as MaintainedStore
  const none = async (): Promise<never> => {
    throw versionsUnsupportedFault({ doing: 'list versions', location: store.location })
  }
  return {
    ...store,
    maintenance: {
      async *unfinishedUploads() {},
      async abandonUpload() {},
      // oxlint-disable-next-line require-yield -- it can only fail
      async *versions() {
        await none()
      },
      deleteVersions: none,
    },
  }
}
