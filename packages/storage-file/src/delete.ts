import { unlink } from 'node:fs/promises'
import { throwIfAborted } from '@waltz/errors'
import { checkKey, untilAborted } from '@waltz/storage'
import type { CallOptions } from '@waltz/storage'
import { errnoOf, fileFault } from './errors.ts'
import { pruneFolders, syncRemaining } from './folders.ts'
import { isMissing, pathOf, requireRoot, type Place } from './place.ts'
import { isHiddenKey } from './hidden-name.ts'

/** Folders are tidied up after this many, so that memory stays bounded. */
const FOLDERS_AT_ONCE = 256
/** Files that are removed at the same time. */
const FILES_AT_ONCE = 64

/** `ObjectStore.delete`: the files, then the folders that became empty (SET 5.7), then one sync per folder. */
export async function deleteObjects(place: Place, keys: Iterable<string>, options: CallOptions | undefined): Promise<void> {
  throwIfAborted(options?.signal)
  const folders = new Map<string, string>()
  let missing = false
  const unlinkBatch = async (batch: readonly string[]): Promise<void> => {
    throwIfAborted(options?.signal)
    const unlinking = Promise.allSettled(batch.map((key) => unlinkObject(place, key)))
    const outcomes = await untilAborted(unlinking, options?.signal)
    for (const [index, outcome] of outcomes.entries()) {
      const key = batch[index] as string
      if (outcome.status === 'fulfilled' && outcome.value) folders.set(key.slice(0, key.lastIndexOf('/') + 1), key)
      else missing = true
    }
    // Thrown only now: the folders of those that are gone are tidied up in any case.
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    if (folders.size >= FOLDERS_AT_ONCE) await tidy(place, folders)
  }
  try {
    for (const batch of batches(keys, FILES_AT_ONCE)) await unlinkBatch(batch)
  } finally {
    await tidy(place, folders)
  }
  // One look is enough: an absent disk must not pass for a successful deletion.
  if (missing) await requireRoot(place)
}

function* batches(keys: Iterable<string>, size: number): Generator<readonly string[]> {
  let batch: string[] = []
  for (const key of keys) {
    checkKey(key)
    batch.push(key)
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

/** False when there was no such file. */
async function unlinkObject(place: Place, key: string): Promise<boolean> {
  if (isHiddenKey(key)) return false
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
