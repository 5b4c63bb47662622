import { isFault } from '@waltz/errors'
import type { CallOptions, ObjectStore } from '@waltz/storage'
import { backupsFolder, sentinelSuffix, waltzFolder, walFolder } from '../layout.ts'

/** WAL-G keeps copies for `catchup-fetch` in the same form as backups. */
const catchupFolder = 'catchup_005/'
/** Where objects are encrypted, as far as they are. */
export const sealedFolders: readonly string[] = [backupsFolder, catchupFolder, walFolder]
/** New forms of objects lie below it under the objects' own keys until they are proven to be right. */
export const sideFolder: string = `${waltzFolder}rotate/`

const PART = /^((?:basebackups_005|catchup_005)\/[^/]+)\/tar_partitions\/([^/]+)$/
const WAL = /^wal_005\/[^/]+$/

/** An object that was compressed and encrypted when it was stored. */
export interface SealedObject {
  readonly key: string
  readonly size: number
  /** Folder of its backup without the slash, and name of the part; undefined for WAL. */
  readonly part: { readonly folder: string; readonly name: string } | undefined
}

/** The sealed objects of one backup, or WAL, in order of key. */
export interface SealedGroup {
  /** Of the backup, without the slash; undefined for WAL. */
  readonly folder: string | undefined
  readonly objects: AsyncIterable<SealedObject>
}

/** Whether objects of this name are compressed and encrypted: parts of backups, and all of `wal_005/` but its JSON (RF 1). */
export function isSealedKey(key: string): boolean {
  return PART.test(key) || (WAL.test(key) && !key.endsWith('.json'))
}

/** Backups one after the other, then WAL. Listings only. */
export async function* sealedGroups(store: Pick<ObjectStore, 'list' | 'listGroups'>, call: CallOptions): AsyncGenerator<SealedGroup> {
  for (const root of [backupsFolder, catchupFolder])
    for await (const group of store.listGroups(root, call)) {
      yield { folder: group.slice(0, -1), objects: sealedBelow(store, `${group}tar_partitions/`, call) }
    }
  yield { folder: undefined, objects: sealedBelow(store, walFolder, call) }
}

async function* sealedBelow(store: Pick<ObjectStore, 'list'>, prefix: string, call: CallOptions): AsyncGenerator<SealedObject> {
  for await (const { key, size } of store.list(prefix, { ...call, oneLevel: true })) {
    if (!isSealedKey(key)) continue
    const [, folder, name] = PART.exec(key) ?? []
    yield { key, size, part: folder === undefined || name === undefined ? undefined : { folder, name } }
  }
}

/** Whether a backup was announced. Parts of others may still be written, or were left behind: they are nobody's to change. */
export async function isFinished(store: Pick<ObjectStore, 'head'>, folder: string, call: CallOptions): Promise<boolean> {
  try {
    await store.head(`${folder}${sentinelSuffix}`, call)
    return true
  } catch (error) {
    if (isFault(error, 'not-found')) return false
    throw error
  }
}
