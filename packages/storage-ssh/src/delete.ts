import { throwIfAborted } from '@waltz/errors'
import { checkKey, isTemporaryKey, type CallOptions } from '@waltz/storage'
import { isMissing, statusOf } from './errors.ts'
import { pruneFolders, syncRemaining } from './folders.ts'
import { operate, pathOf, requireRoot, statIfThere, type Operation, type Place } from './place.ts'

/** Requests in flight. */
const KEYS_AT_ONCE = 64
/** Folders are tidied up after this many, so that memory stays bounded. */
const FOLDERS_AT_ONCE = 256

/** `ObjectStore.delete`: the files, then the folders that became empty, then one sync per folder. */
export async function deleteObjects(place: Place, keys: Iterable<string>, options: CallOptions | undefined): Promise<void> {
  throwIfAborted(options?.signal)
  const batches = batchesOf(keys)
  const first = batches.next()
  if (first.done === true) return
  const more = first.value.length > 1 ? ' and more' : ''
  await operate(place, { doing: `a deletion of ${first.value[0]}${more}`, signal: options?.signal }, (operation) =>
    deleteAll(operation, [first.value], batches),
  )
}

function* batchesOf(keys: Iterable<string>): Generator<readonly string[]> {
  let batch: string[] = []
  for (const key of keys) {
    checkKey(key)
    batch.push(key)
    if (batch.length < KEYS_AT_ONCE) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

async function deleteAll(operation: Operation, ...sources: readonly Iterable<readonly string[]>[]): Promise<void> {
  const folders = new Map<string, string>()
  let missing = false
  try {
    for (const batches of sources) {
      for (const batch of batches) {
        missing = (await deleteBatch(operation, batch, folders)) || missing
        if (folders.size >= FOLDERS_AT_ONCE) await tidy(operation, folders)
      }
    }
  } finally {
    if (operation.session.isOpen() && !operation.signal.aborted) await tidy(operation, folders)
  }
  // One look is enough: an absent disk must not pass for a successful deletion.
  if (missing) await requireRoot(operation)
}

/** Notes one key for each folder that lost an object. True when a key had no object. */
async function deleteBatch(operation: Operation, batch: readonly string[], folders: Map<string, string>): Promise<boolean> {
  const outcomes = await Promise.allSettled(batch.map((key) => deleteObject(operation, key)))
  for (const [index, outcome] of outcomes.entries()) {
    const key = batch[index] as string
    if (outcome.status === 'fulfilled' && outcome.value) folders.set(key.slice(0, key.lastIndexOf('/') + 1), key)
  }
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  return outcomes.some((outcome) => outcome.status === 'fulfilled' && !outcome.value)
}

/** False when there was no such file. */
async function deleteObject(operation: Operation, key: string): Promise<boolean> {
  const { place, call } = operation
  if (isTemporaryKey(key)) return false
  const path = pathOf(place, key)
  try {
    await call<void>((sftp, answer) => sftp.unlink(path, answer))
    return true
  } catch (error) {
    if (statusOf(error) === undefined) throw error
    if (isMissing(error)) return false
    const found = await statIfThere(operation, path)
    if (found === undefined || found.kind === 'folder') return false
    throw error
  }
}

async function tidy(operation: Operation, folders: Map<string, string>): Promise<void> {
  const keys = [...folders.values()]
  folders.clear()
  for (const key of keys) {
    await pruneFolders(operation, key)
    // A deleted sentinel that came back after a crash would announce a backup whose parts are gone.
    await syncRemaining(operation, key)
  }
}
