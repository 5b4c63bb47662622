import { mkdir, open, rmdir, type FileHandle } from 'node:fs/promises'
import { attempt, errnoOf, fileFault } from './errors.ts'
import { foldersOf, isMissing, pathOf, requireRoot, type Place } from './place.ts'

const FOLDER_MODE = 0o755
/** A file system that cannot sync a folder says so in one of these ways; PostgreSQL goes on then as well. */
const SYNC_NOT_SUPPORTED = new Set(['EINVAL', 'ENOTSUP', 'EBADF', 'ENOSYS'])
/** A folder stays when it holds something, is a mount point or a link, belongs to somebody else, or is gone already. */
const FOLDER_STAYS = new Set(['ENOTEMPTY', 'EEXIST', 'ENOENT', 'EBUSY', 'ENOTDIR', 'EACCES', 'EPERM', 'EROFS', 'EINVAL'])

/**
 * Makes the missing folders of a key; never the root. Returns without them when somebody removes one at the same
 * time: the caller tries again.
 * @throws Fault `unavailable` `STORAGE_ROOT_MISSING`; what the file system says.
 */
export async function createFolders(place: Place, key: string): Promise<void> {
  for (const folder of foldersOf(place, key)) {
    // Noted before it exists: whoever stores an object in it first makes the folder itself durable.
    if (place.sync) place.unsynced.add(folder)
    try {
      await mkdir(folder, { mode: FOLDER_MODE })
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') continue
      place.unsynced.delete(folder)
      if (isMissing(error)) await requireRoot(place)
      if (errnoOf(error) === 'ENOENT') return
      throw fileFault(error, { doing: 'create the folder', path: folder, key })
    }
  }
}

/** Removes the folders of a key that hold nothing any more, innermost first, up to the root. */
export async function pruneFolders(place: Place, key: string): Promise<void> {
  for (const folder of foldersOf(place, key).toReversed()) {
    try {
      await rmdir(folder)
      place.unsynced.delete(folder)
    } catch (error) {
      if (FOLDER_STAYS.has(errnoOf(error) ?? '')) return
      throw fileFault(error, { doing: 'remove the empty folder', path: folder, key })
    }
  }
}

/** Opens the folder of a key for syncing; undefined when the store does not sync. */
export async function openFolder(place: Place, key: string): Promise<FileHandle | undefined> {
  if (!place.sync) return undefined
  const path = foldersOf(place, key).at(-1) ?? pathOf(place, '')
  return attempt(open(path, 'r'), { doing: 'open the folder', path, key })
}

/** Makes the entry of a key durable: its folder, and the folders above that this store has made. */
export async function syncFolders(place: Place, key: string, folder: FileHandle | undefined): Promise<void> {
  if (folder === undefined) return
  const folders = foldersOf(place, key)
  await syncFolder(folder, folders.at(-1) ?? place.root)
  for (const [depth, path] of folders.entries()) {
    if (!place.unsynced.has(path)) continue
    await syncPath(folders[depth - 1] ?? pathOf(place, ''))
    place.unsynced.delete(path)
  }
}

/** Syncs the innermost folder of a key that still exists. */
export async function syncRemaining(place: Place, key: string): Promise<void> {
  for (const path of [pathOf(place, ''), ...foldersOf(place, key)].toReversed()) {
    try {
      await syncPath(path)
      return
    } catch (error) {
      if (!isMissing((error as Error).cause)) throw error
    }
  }
  await requireRoot(place)
}

async function syncPath(path: string): Promise<void> {
  const handle = await attempt(open(path, 'r'), { doing: 'open the folder', path })
  try {
    await syncFolder(handle, path)
  } finally {
    await handle.close()
  }
}

async function syncFolder(handle: FileHandle, path: string): Promise<void> {
  try {
    await handle.sync()
  } catch (error) {
    if (!SYNC_NOT_SUPPORTED.has(errnoOf(error) ?? '')) throw fileFault(error, { doing: 'sync the folder', path })
  }
}
