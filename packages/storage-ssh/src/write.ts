import { assert, Fault, throwIfAborted } from '@waltz/errors'
import {
  alreadyExistsFault,
  checkConditions,
  checkKey,
  conditionUnsupportedFault,
  createPartUploader,
  isTemporaryKey,
  openPutBody,
  temporaryKey,
  waitAtMost,
  type MultipartTarget,
  type ObjectInfo,
  type PartUploader,
  type PutOptions,
  type UploadCall,
} from '@waltz/storage'
import type { ByteSource } from '@waltz/bytes'
import { isMissing, statusOf } from './errors.ts'
import { explained } from './explain-failure.ts'
import { createFolders, folderOf, openForSync, pruneFolders, syncFolders } from './folders.ts'
import { OPEN_FLAGS, openFile, type OpenHandle } from './handles.ts'
import type { SshStoreOptions } from './options.ts'
import { operate, pathOf, statIfThere, statPath, watched, type Operation, type Place } from './place.ts'
import { publish } from './publish.ts'
import { infoOf } from './read.ts'
import type { FoundStats, Session } from './session.ts'
import { writeBytes } from './write-bytes.ts'

/** A part goes to the server whole, is synced there and can be sent again: a WAL segment is one. */
export const DEFAULT_PART_BYTES = 16_777_216
/** Parts of one object in flight. */
export const DEFAULT_PARTS_IN_FLIGHT = 3
/** A folder may be removed by a deletion each time it was made; more often than this is no coincidence. */
const MAX_ATTEMPTS = 100
/** How long a put that was aborted waits for its temporary file to go; the removal goes on afterwards. */
const ABORTED_CLEANUP_MS = 100
/** The same for one that failed: the server may be gone. */
const FAILED_CLEANUP_MS = 5_000
/** How long requests that were given up may still take before their connection is left alone. */
const SETTLE_MS = 200

/** What is remembered of one put from attempt to attempt. */
interface Upload {
  readonly key: string
  readonly onlyIfAbsent: boolean
  /** Key of the file that is being written. */
  temporary: string
  /** Every temporary file that may exist. */
  readonly written: Set<string>
  /** On which the file was created: its removal goes the same way, so that it cannot overtake the creation. */
  session: Session | undefined
  /** Of the parts that are stored. */
  bytes: number
  /** Complete and synced, as it was found then. */
  finished: FoundStats | undefined
  /** Whether the final name was asked for, and whether it was given. */
  asked: boolean
  published: boolean
}

/** The options of a put, with its memory: the same object in every attempt. */
interface RememberedOptions extends PutOptions {
  readonly upload: Upload
}

/** Puts for one store. */
export type Put = (key: string, body: ByteSource, options: PutOptions | undefined) => Promise<ObjectInfo>

/** `ObjectStore.put`: temporary file in the same folder, sync, link or rename, sync of the folder (RF 9.3). */
export function createPut(
  place: Place,
  { budget, retry, partBytes = DEFAULT_PART_BYTES, partsInFlight = DEFAULT_PARTS_IN_FLIGHT }: SshStoreOptions,
): Put {
  const target: MultipartTarget<Upload, void> = {
    partBytes,
    maxParts: Math.floor(Number.MAX_SAFE_INTEGER / partBytes),
    concurrency: partsInFlight,
    putWhole: (body, call) => putWhole(place, body, call),
    begin: (call) => begin(place, call),
    putPart: (upload, part, call) => putPart(place, upload, { ...part, offset: part.index * partBytes }, call),
    complete: (upload, _parts, call) => complete(place, upload, call),
    abort: async () => undefined, // the put itself cleans up, whole or in parts
  }
  const uploader = createPartUploader(target, { budget, retry })
  return (key, body, options) => putObject({ place, uploader }, key, body, options)
}

interface Putting {
  readonly place: Place
  readonly uploader: PartUploader
}

async function putObject(
  { place, uploader }: Putting,
  key: string,
  body: ByteSource,
  options: PutOptions | undefined,
): Promise<ObjectInfo> {
  try {
    throwIfAborted(options?.signal)
    checkTarget(place, key, options)
  } catch (error) {
    await openPutBody(key, body, options).close()
    throw error
  }
  const upload: Upload = {
    key,
    onlyIfAbsent: options?.onlyIfAbsent ?? false,
    temporary: '',
    written: new Set(),
    session: undefined,
    bytes: 0,
    finished: undefined,
    asked: false,
    published: false,
  }
  const remembered: RememberedOptions = { ...options, upload }
  try {
    return await uploader.upload(key, body, remembered)
  } finally {
    await cleanUp(place, upload, options?.signal?.aborted === true ? ABORTED_CLEANUP_MS : FAILED_CLEANUP_MS)
  }
}

function checkTarget({ location }: Place, key: string, options: PutOptions | undefined): void {
  checkKey(key)
  checkConditions(options)
  if (options?.ifMatch !== undefined)
    throw conditionUnsupportedFault(key, location, 'SFTP tells nothing that changes with every change of an object')
  if (!isTemporaryKey(key)) return
  throw new Fault('invalid', 'STORAGE_KEY_INVALID', `${key} has the form of a temporary name, which no object can have`, {
    context: { key },
  })
}

function uploadOf({ options }: UploadCall): Upload {
  return (options as RememberedOptions).upload
}

function putWhole(place: Place, body: Uint8Array, call: UploadCall): Promise<ObjectInfo> {
  const upload = uploadOf(call)
  return operate(place, { doing: `an upload of ${call.key}`, signal: call.signal }, async (operation) => {
    if (upload.finished === undefined) {
      const file = await openTemporary(operation, upload)
      upload.finished = await writeBytes(operation, file, { body, offset: 0 })
    }
    return publishUpload(operation, upload, body.length)
  })
}

function begin(place: Place, call: UploadCall): Promise<Upload> {
  const upload = uploadOf(call)
  return operate(place, { doing: `the beginning of an upload of ${call.key}`, signal: call.signal }, async (operation) => {
    const file = await openTemporary(operation, upload)
    await file.close()
    return upload
  })
}

interface OffsetPart {
  readonly index: number
  readonly offset: number
  readonly body: Uint8Array
}

function putPart(place: Place, upload: Upload, { index, offset, body }: OffsetPart, call: UploadCall): Promise<void> {
  return operate(place, { doing: `an upload of part ${index + 1} of ${call.key}`, signal: call.signal }, async (operation) => {
    const file = await openFile(operation, pathOf(place, upload.temporary), OPEN_FLAGS.WRITE)
    await writeBytes(operation, file, { body, offset })
    upload.bytes += body.length
  })
}

function complete(place: Place, upload: Upload, call: UploadCall): Promise<ObjectInfo> {
  return operate(place, { doing: `the end of an upload of ${call.key}`, signal: call.signal }, async (operation) => {
    upload.finished ??= await statPath(operation, pathOf(place, upload.temporary))
    return publishUpload(operation, upload, upload.bytes)
  })
}

/** A new temporary file, open for writing. Spares the upload where the answer is known; the link at the end is what decides. */
async function openTemporary(operation: Operation, upload: Upload): Promise<OpenHandle> {
  const { place, session } = operation
  upload.session = session
  const looking = upload.onlyIfAbsent ? statIfThere(operation, pathOf(place, upload.key)) : Promise.resolve(undefined)
  looking.catch(() => undefined) // thrown below
  const file = await createTemporary(operation, upload)
  try {
    if ((await looking)?.kind === 'file') throw alreadyExistsFault(upload.key, place.location)
    return file
  } catch (error) {
    file.drop()
    throw error
  }
}

async function createTemporary(operation: Operation, upload: Upload): Promise<OpenHandle> {
  const { place } = operation
  for (let attempts = 1; ; attempts += 1) {
    upload.temporary = temporaryKey(upload.key, place)
    upload.written.add(upload.temporary)
    try {
      return await openFile(operation, pathOf(place, upload.temporary), OPEN_FLAGS.CREATE_NEW)
    } catch (error) {
      if (statusOf(error) !== undefined) upload.written.delete(upload.temporary)
      if (isMissing(error) && attempts < MAX_ATTEMPTS) await createFolders(operation, upload.key)
      else throw await explained(operation, error)
    }
  }
}

async function publishUpload(operation: Operation, upload: Upload, bytes: number): Promise<ObjectInfo> {
  const { key, temporary, finished } = upload
  assert(finished !== undefined, 'an upload is finished before it is published')
  if (finished.size !== bytes && !upload.asked) {
    upload.finished = undefined
    throw new Fault('unavailable', 'STORAGE_SERVER_FAILED', `${temporary} has ${finished.size} bytes after ${bytes} were written`, {
      context: { key },
    })
  }
  // Opened before the object appears, so that little is left to do afterwards.
  const opening = openForSync(operation, folderOf(key))
  let folder: OpenHandle | undefined
  try {
    if (!upload.onlyIfAbsent && !upload.asked) await beNewer(operation, upload, finished)
    folder = await opening
    let linked = false
    if (!upload.published) {
      const askedBefore = upload.asked
      upload.asked = true
      linked = await publish(operation, { key, temporary, onlyIfAbsent: upload.onlyIfAbsent, askedBefore })
      upload.published = true
      if (!linked) upload.written.delete(temporary)
    }
    await Promise.all([syncFolders(operation, key, folder), linked ? removeSecondName(operation, upload) : undefined])
  } catch (error) {
    await opening.then((open) => open?.drop()).catch(() => undefined)
    throw error
  }
  return infoOf(key, upload.finished ?? finished)
}

/**
 * Times have whole seconds, and whoever goes on with a broken download knows an object by size and time: so one that replaces another
 * within the same second is made a second newer.
 */
async function beNewer(operation: Operation, upload: Upload, finished: FoundStats): Promise<void> {
  const { place, call } = operation
  const old = await statIfThere(operation, pathOf(place, upload.key))
  if (old?.kind !== 'file' || old.modifiedAt < finished.modifiedAt) return
  const mtime = old.modifiedAt.getTime() / 1000 + 1
  await call<void>((sftp, answer) => sftp.setstat(pathOf(place, upload.temporary), { atime: mtime, mtime }, answer))
  upload.finished = { ...finished, modifiedAt: new Date(mtime * 1000) }
}

async function removeTemporary({ place, call }: Operation, upload: Upload, temporary: string): Promise<void> {
  await call<void>((sftp, answer) => sftp.unlink(pathOf(place, temporary), answer)).catch((error: unknown) => {
    if (!isMissing(error)) throw error
  })
  upload.written.delete(temporary)
}

/** The object is stored by now: a second name for it that stays is left to the clean-up. */
async function removeSecondName(operation: Operation, upload: Upload): Promise<void> {
  await removeTemporary(operation, upload, upload.temporary).catch((error: unknown) => {
    if (statusOf(error) === undefined) throw error
  })
}

/** Removes what may be left. The failure that led here is the one to throw; what stays is hidden, and told. */
async function cleanUp(place: Place, upload: Upload, limitMs: number): Promise<void> {
  if (upload.written.size === 0) return
  const work = async (operation: Operation): Promise<void> => {
    for (const temporary of upload.written) await removeTemporary(operation, upload, temporary)
    if (!upload.published) await pruneFolders(operation, upload.key)
  }
  const doing = `the removal of what was left of an upload of ${upload.key}`
  const clean = async (): Promise<void> => {
    const { session } = upload
    if (session !== undefined) await waitAtMost(session.settled(), SETTLE_MS, place.sleep)
    if (session?.isOpen() === true && !session.isDoubtful()) {
      const done = await watched({ place, session, doing, signal: undefined }, work).then(
        () => true,
        () => false,
      )
      if (done) return
    }
    await operate(place, { doing, signal: undefined }, work)
  }
  await place.removals.run(upload.key, clean, limitMs)
}
