import { Fault } from '@waltz/errors'
import { isMissing, statusOf } from './errors.ts'
import { OPEN_FLAGS, openFile, type OpenHandle } from './handles.ts'
import { foldersOf, pathOf, requireRoot, statIfThere, type Operation } from './place.ts'

const FOLDER_MODE = 0o755

/**
 * Makes the missing folders of a key; never the root. Returns without them when somebody removes one at the same time: the caller tries
 * again.
 * @throws Fault `unavailable` `STORAGE_ROOT_MISSING`; `invalid` `STORAGE_KEY_INVALID`; the server's answer.
 */
export async function createFolders(operation: Operation, key: string): Promise<void> {
  const missing: string[] = []
  for (const folder of foldersOf(key).toReversed()) {
    if (await makeFolder(operation, folder)) break
    missing.push(folder)
  }
  if (missing.length === foldersOf(key).length) await requireRoot(operation)
  for (const folder of missing.toReversed()) if (!(await makeFolder(operation, folder))) return
}

/** False when its own folder is missing, or when it vanished at once. */
async function makeFolder(operation: Operation, folder: string): Promise<boolean> {
  const { place, call } = operation
  const path = pathOf(place, folder)
  // Noted before it exists: whoever stores an object in it first makes the folder itself durable.
  const noted = place.unsynced.has(folder)
  place.unsynced.add(folder)
  try {
    await call<void>((sftp, answer) => sftp.mkdir(path, { mode: FOLDER_MODE }, answer))
    return true
  } catch (error) {
    if (!noted) place.unsynced.delete(folder)
    if (statusOf(error) === undefined) throw error
    if (isMissing(error)) return false
    const found = await statIfThere(operation, path)
    if (found === undefined && (await isParentThere(operation, folder))) throw error
    if (found === undefined || found.kind === 'folder') return found !== undefined
    throw new Fault('invalid', 'STORAGE_KEY_INVALID', `${path} is an object, so nothing can be stored below it`, {
      hint: 'no object can also be the folder of others: use another name',
      context: { path },
    })
  }
}

/** Told apart from a folder that vanished: a server that cannot make one would be asked for ever. */
async function isParentThere(operation: Operation, folder: string): Promise<boolean> {
  const parent = folder.slice(0, Math.max(0, folder.lastIndexOf('/')))
  return (await statIfThere(operation, pathOf(operation.place, parent)))?.kind === 'folder'
}

/** Removes the folders of a key that hold nothing any more, innermost first, up to the root. */
export async function pruneFolders({ place, call }: Operation, key: string): Promise<void> {
  for (const folder of foldersOf(key).toReversed()) {
    try {
      await call<void>((sftp, answer) => sftp.rmdir(pathOf(place, folder), answer))
      place.unsynced.delete(folder)
    } catch (error) {
      // It holds something, is a link, belongs to somebody else or is gone: version 3 of SFTP tells them apart badly, and each means to stop.
      if (statusOf(error) === undefined) throw error
      return
    }
  }
}

/** Opens the folder of a key (or the folder `folder` itself) for syncing; undefined where the server cannot sync, or not folders. */
export async function openForSync(operation: Operation, folder: string): Promise<OpenHandle | undefined> {
  if (!operation.session.traits.fsync) return undefined
  try {
    return await openFile(operation, pathOf(operation.place, folder), OPEN_FLAGS.READ)
  } catch (error) {
    if (statusOf(error) === undefined) throw error
    return undefined
  }
}

/** Syncs an open file or folder and closes it. */
export async function syncAndClose({ call }: Operation, open: OpenHandle | undefined): Promise<void> {
  if (open === undefined) return
  try {
    await call<unknown>((sftp, answer) => sftp.ext_openssh_fsync(open.handle, answer))
  } catch (error) {
    // A file system that cannot sync a folder says so; one that failed to is not told apart from it by SFTP.
    if (statusOf(error) === undefined) throw error
  } finally {
    open.drop()
  }
}

/** The key of the folder in which a key lies; '' is the root. */
export function folderOf(key: string): string {
  return key.slice(0, Math.max(0, key.lastIndexOf('/')))
}

/** Makes the entry of a key durable where the server can: its folder, already open, and the folders above that this store has made. */
export async function syncFolders(operation: Operation, key: string, folder: OpenHandle | undefined): Promise<void> {
  if (folder === undefined) return
  await syncAndClose(operation, folder)
  const { unsynced } = operation.place
  for (const path of foldersOf(key)) {
    if (!unsynced.has(path)) continue
    await syncAndClose(operation, await openForSync(operation, folderOf(path)))
    unsynced.delete(path)
  }
}

/** Syncs the innermost folder of a key that still exists. */
export async function syncRemaining(operation: Operation, key: string): Promise<void> {
  for (const folder of ['', ...foldersOf(key)].toReversed()) {
    const open = await openForSync(operation, folder)
    if (open !== undefined) return syncAndClose(operation, open)
  }
}
