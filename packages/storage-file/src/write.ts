import { copyFile, lstat, open, unlink, type FileHandle } from 'node:fs/promises'
import { constants, type BigIntStats, type Stats } from 'node:fs'
import { Fault, throwIfAborted } from '@waltz/errors'
import { alreadyExistsFault, checkConditions, checkKey, conditionUnsupportedFault, openPutBody, temporaryKey } from '@waltz/storage'
import type { CallOptions, ObjectInfo, PutOptions } from '@waltz/storage'
import type { ByteSource } from '@waltz/bytes'
import { attempt, errnoOf, fileFault, type FileCall } from './errors.ts'
import { createFolders, openFolder, pruneFolders, syncFolders } from './folders.ts'
import { isHiddenKey } from './hidden-name.ts'
import { infoOf } from './object-stats.ts'
import { isMissing, pathOf, requireRoot, type Place } from './place.ts'
import { publishIfAbsent, publishOver } from './publish.ts'
import { headObject } from './read.ts'
import { writeChunks } from './write-chunks.ts'

const FILE_MODE = 0o644
/** A folder may be removed by a deletion each time it was made; more often than this is no coincidence. */
const MAX_ATTEMPTS = 100

/** A file being written beside the place of its object. */
interface Upload {
  readonly key: string
  readonly temporary: string
  readonly handle: FileHandle
}

/** `ObjectStore.put`: temporary file in the same folder, sync, rename or link, sync of the folder (RF 9.3). */
export async function putObject(place: Place, key: string, body: ByteSource, options: PutOptions | undefined): Promise<ObjectInfo> {
  const source = openPutBody(key, body, options)
  try {
    throwIfAborted(options?.signal)
    checkTarget(key)
    checkConditions(options)
    if (options?.ifMatch !== undefined)
      throw conditionUnsupportedFault(key, place.location, 'a file system has no step that replaces only a certain file')
    if (options?.onlyIfAbsent === true) await refuseTaken(place, key)
    return await writeObject(place, key, options, ({ handle, temporary }) =>
      writeChunks(handle, source, { call: { doing: 'write', path: temporary, key }, sync: place.sync }),
    )
  } catch (error) {
    await source.close()
    throw error
  }
}

/** `ObjectStore.copy`: shares the blocks where the file system can, otherwise copies inside the system. */
export async function copyObject(place: Place, from: string, to: string, options: CallOptions | undefined): Promise<void> {
  throwIfAborted(options?.signal)
  checkTarget(to)
  await headObject(place, from, options)
  await writeObject(place, to, options, async ({ temporary }) => {
    await attempt(copyFile(pathOf(place, from), temporary, constants.COPYFILE_FICLONE), {
      doing: 'copy to',
      path: temporary,
      key: to,
    })
    return undefined
  })
}

/** Runs `fill` on a new temporary file and gives it the object's name; `fill` returns the bytes that must be there, if it knows. */
async function writeObject(
  place: Place,
  key: string,
  options: PutOptions | undefined,
  fill: (upload: Upload) => Promise<number | undefined>,
): Promise<ObjectInfo> {
  const upload = await openUpload(place, key)
  let folder: FileHandle | undefined
  try {
    const bytes = await fill(upload)
    const found = await finishUpload(place, upload, bytes)
    // Opened before the object appears: a folder that cannot be synced must fail the put, not the object's durability.
    folder = await openFolder(place, key)
    throwIfAborted(options?.signal)
    await publish(place, { upload, found, options })
    await syncFolders(place, key, folder)
    return infoOf(key, found)
  } catch (error) {
    await discard(place, upload)
    throw error
  } finally {
    await folder?.close()
  }
}

async function openUpload(place: Place, key: string): Promise<Upload> {
  for (let attempts = 0; attempts < MAX_ATTEMPTS; attempts += 1) {
    const temporary = pathOf(place, temporaryKey(key, place))
    try {
      return { key, temporary, handle: await open(temporary, 'wx', FILE_MODE) }
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') continue
      if (isMissing(error)) await requireRoot(place)
      if (errnoOf(error) !== 'ENOENT') throw fileFault(error, { doing: 'create', path: temporary, key })
      await createFolders(place, key)
    }
  }
  throw new Fault('unavailable', 'STORAGE_IO', `the folder of ${key} vanished ${MAX_ATTEMPTS} times while a file was created in it`, {
    context: { key, location: place.location },
  })
}

/** Makes the file's bytes durable, and sees that they are all there. */
async function finishUpload({ sync }: Place, { key, temporary, handle }: Upload, bytes: number | undefined): Promise<BigIntStats> {
  const call: FileCall = { doing: 'write', path: temporary, key }
  if (sync) await attempt(handle.sync(), { ...call, doing: 'sync' })
  const found = await attempt(handle.stat({ bigint: true }), call)
  await attempt(handle.close(), call)
  if (bytes !== undefined && found.size !== BigInt(bytes)) {
    throw new Fault('unavailable', 'STORAGE_IO', `${temporary} has ${found.size} bytes after ${bytes} were written`, { context: { key } })
  }
  return found
}

interface Finished {
  readonly upload: Upload
  readonly found: BigIntStats
  readonly options: PutOptions | undefined
}

async function publish(place: Place, { upload: { key, temporary }, found, options }: Finished): Promise<void> {
  const path = pathOf(place, key)
  try {
    await (options?.onlyIfAbsent === true ? publishIfAbsent(temporary, path) : publishOver(temporary, path, found))
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') throw alreadyExistsFault(key, place.location, error)
    if (isMissing(error)) await requireRoot(place)
    throw fileFault(error, { doing: 'give an upload its name', path, key })
  }
}

/** Best effort: the failure that led here is the one to tell, and what stays is hidden. */
async function discard(place: Place, { key, temporary, handle }: Upload): Promise<void> {
  await handle.close().catch(() => undefined)
  await unlink(temporary).catch(() => undefined)
  await pruneFolders(place, key).catch(() => undefined)
}

/** Spares the upload where the answer is known. The link at the end is what decides. */
async function refuseTaken(place: Place, key: string): Promise<void> {
  const path = pathOf(place, key)
  let found: Stats
  try {
    found = await lstat(path)
  } catch (error) {
    if (isMissing(error)) return
    throw fileFault(error, { doing: 'look at', path, key })
  }
  if (!found.isDirectory()) throw alreadyExistsFault(key, place.location)
  throw new Fault('invalid', 'STORAGE_KEY_INVALID', `${path} is a folder, so no object can have this name`, { context: { key, path } })
}

function checkTarget(key: string): void {
  checkKey(key)
  if (!isHiddenKey(key)) return
  throw new Fault('invalid', 'STORAGE_KEY_INVALID', `${key} has the form of a temporary name, which no object can have`, {
    context: { key },
  })
}
