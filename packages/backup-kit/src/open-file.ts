import type { MaintainedStore } from '@waltz/storage'
import type { StorageOpening } from './network-settings.ts'
import { randomHex } from './random.ts'

/** Opens the folder that WALG_FILE_PREFIX names. Does no I/O: a folder that is not there is found out by the first call. */
export async function openFile({ context }: StorageOpening, prefix: string): Promise<MaintainedStore> {
  const { createFileStore, parseFilePrefix } = await import('@waltz/storage-file')
  return createFileStore({ root: parseFilePrefix(prefix), now: context.surroundings.now, randomHex })
}
