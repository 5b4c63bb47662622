import { unlink } from 'node:fs/promises'
import { throwIfAborted } from '@waltz/errors'
import { checkKey, untilAborted } from '@waltz/storage'
import type { CallOptions } from '@waltz/storage'
import { errnoOf, fileFault } from './errors.ts'
import { pruneFolders, syncRemaining } from './folders.ts'
import { isMissing, pathOf, requireRoot, type Place } from './place.ts'
import { isTemporaryKey } from './temporary-name.ts'

/** Folders are tidied up after this many, so that memory stays bounded. */
const FOLDERS_AT_ONCE = 256

/** `ObjectStore.delete`: the files, then the folders that became empty (SET 5.7), then one sync per folder. */
export async function deleteObjects(place: Place, keys: Iterable<string>, options: CallOptions | undefined): Promise<void> {
  throwIfAborted(options?.signal)
  const folders = new Map<string, string>()
  let missing = false
  try {
    for (const key of keys) {
      throwIfAborted(options?.signal)
      checkKey(key)
      if (isTemporaryKey(key)) missing = true
      else if (await untilAborted(unlinkObject(place, key), options?.signal)) folders.set(key.slice(0, key.lastIndexOf('/') + 1), key)
      else missing = true
      if (folders.size >= FOLDERS_AT_ONCE) await tidy(place, folders)
    }
  } finally {
    await tidy(place, folders)
  }
  // One look is enough: an absent disk must not pass for a successful deletion.
  if (missing) await requireRoot(place)
}

/** False when there was no such file. */
async function unlinkObject(place: Place, key: string): Promise<boolean> {
  const path = pathOf(place, key)
  try {
    await unlink(path)
    return true
  } catch (error) {
    if (isMissing(error) || errnoOf(error) === 'EISDIR') return false
    throw fileFault(error, { doing: 'delete', path, key })
  }
}

async function tidy(place: Place, folders: Map<string, string>): Promise<void> {
  const keys = [...folders.values()]
  folders.clear()
  for (const key of keys) {
    await pruneFolders(place, key)
    // A deleted sentinel that came back after a crash would announce a backup whose parts are gone.
    if (place.sync) await syncRemaining(place, key)
  }
}
