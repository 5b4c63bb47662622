import { Fault, throwIfAborted } from '@waltz/errors'
import {
  checkKey,
  checkRange,
  clipRange,
  createObjectBody,
  isTemporaryKey,
  untilAborted,
  type ByteBudget,
  type CallOptions,
  type GetOptions,
  type GrantedBytes,
  type ObjectBody,
  type ObjectInfo,
} from '@waltz/storage'
import type { Stats } from 'ssh2'
import { isMissing } from './errors.ts'
import { OPEN_FLAGS, openFile, type OpenHandle } from './handles.ts'
import { missingFault, operate, pathOf, statIfThere, watched, type Operation, type Place } from './place.ts'
import { isEnd, statsOf, type FoundStats } from './session.ts'

/** How much of a large object is handed out at a time. */
export const READ_BLOCK_BYTES = 262_144
/** Blocks that are asked for ahead: together as much as the window of an SSH channel lets through. */
const BLOCKS_AHEAD = 8
/** As many in any case, whatever the budget says: a body that waited for memory could keep the memory that it waits for. */
const LEAST_BLOCKS_AHEAD = 2

/** Describes a file as an object. Without etag: nothing that SFTP tells changes with every change of the bytes. */
export function infoOf(key: string, { size, modifiedAt }: FoundStats): ObjectInfo {
  return { key, size, modifiedAt }
}

/** `ObjectStore.head`: one stat. */
export async function headObject(place: Place, key: string, options: CallOptions | undefined): Promise<ObjectInfo> {
  throwIfAborted(options?.signal)
  checkKey(key)
  return operate(place, { doing: `a look at ${key}`, signal: options?.signal }, async (operation) => {
    const found = isTemporaryKey(key) ? undefined : await statIfThere(operation, pathOf(place, key))
    if (found?.kind !== 'file') throw await missingFault(operation, key)
    return infoOf(key, found)
  })
}

/** A file that is being read. */
interface OpenObject {
  readonly place: Place
  readonly key: string
  readonly file: OpenHandle
  readonly info: ObjectInfo
  readonly signal: AbortSignal | undefined
}

/**
 * `ObjectStore.get`. The file is open when this resolves, so a later replacement or deletion does not change the bytes; it keeps its
 * connection until the body is closed.
 */
export async function getObject(place: Place, key: string, options: GetOptions | undefined): Promise<ObjectBody> {
  const signal = options?.signal
  checkRange(options?.range)
  throwIfAborted(signal)
  checkKey(key)
  const doing = `a read of ${key}`
  const { session, release } = await place.pool.lease({ doing, location: place.location }, signal)
  try {
    const object = await watched({ place, session, doing, signal }, (operation) => openObject(operation, key, signal))
    const range = clipRange(options?.range, object.info.size)
    const ahead = await grantAhead(place.budget, range.end - range.start)
    return createObjectBody({
      info: object.info,
      read: () => readRange(object, range, ahead.blocks),
      async close() {
        object.file.drop()
        ahead.grant?.release()
        release()
      },
    })
  } catch (error) {
    release()
    throw error
  }
}

async function openObject(operation: Operation, key: string, signal: AbortSignal | undefined): Promise<OpenObject> {
  const { place, session } = operation
  if (isTemporaryKey(key)) throw await missingFault(operation, key)
  let file: OpenHandle | undefined
  try {
    file = await openFile(operation, pathOf(place, key), OPEN_FLAGS.READ)
    const { handle } = file
    const found = statsOf(await operation.call<Stats>((sftp, answer) => sftp.fstat(handle, answer)))
    if (found.kind !== 'file') throw await missingFault(operation, key)
    return { place, key, file, info: infoOf(key, found), signal }
  } catch (error) {
    file?.drop()
    if (isMissing(error)) throw await missingFault(operation, key)
    // Servers differ in what they answer when a folder is opened like a file.
    if (file === undefined && session.isOpen() && !operation.signal.aborted) await refuseFolder(operation, key)
    throw error
  }
}

async function refuseFolder(operation: Operation, key: string): Promise<void> {
  const found = await statIfThere(operation, pathOf(operation.place, key))
  if (found?.kind === 'folder') throw await missingFault(operation, key)
}

interface Ahead {
  readonly blocks: number
  readonly grant: GrantedBytes | undefined
}

/** Read-ahead as far as memory is free at this moment. */
async function grantAhead(budget: ByteBudget, bytes: number): Promise<Ahead> {
  const wanted = Math.min(BLOCKS_AHEAD, Math.ceil(bytes / READ_BLOCK_BYTES)) - LEAST_BLOCKS_AHEAD
  if (wanted <= 0) return { blocks: LEAST_BLOCKS_AHEAD, grant: undefined }
  const now = new AbortController()
  const asked = budget.acquire(wanted * READ_BLOCK_BYTES, now.signal).catch(() => undefined)
  // What fits is granted at once; what does not is not waited for.
  const grant = await Promise.race([asked, Promise.resolve().then(() => Promise.resolve())])
  if (grant !== undefined) return { blocks: LEAST_BLOCKS_AHEAD + wanted, grant }
  now.abort()
  const late = await asked
  late?.release()
  return { blocks: LEAST_BLOCKS_AHEAD, grant: undefined }
}

interface PendingBlock {
  readonly bytes: Promise<Uint8Array>
  arrived: boolean
}

/** Asks for several blocks ahead of the consumer and hands them out in order. Chunks are lent. */
async function* readRange(
  object: OpenObject,
  { start, end }: { readonly start: number; readonly end: number },
  blocksAhead: number,
): AsyncGenerator<Uint8Array> {
  const pending: PendingBlock[] = []
  let next = start
  const ask = (): void => {
    while (pending.length < blocksAhead && next < end) {
      const length = Math.min(READ_BLOCK_BYTES, end - next)
      const bytes = readBlock(object, next, length)
      const block: PendingBlock = { bytes, arrived: false }
      bytes.then(
        () => (block.arrived = true),
        () => undefined, // told when it is its turn, or not at all if the consumer stops before
      )
      pending.push(block)
      next += length
    }
  }
  ask()
  for (let block = pending.shift(); block !== undefined; block = pending.shift()) {
    throwIfAborted(object.signal)
    const chunk = block.arrived ? await block.bytes : await arrival(object, block.bytes)
    ask()
    yield chunk
  }
  throwIfAborted(object.signal)
}

/** Only while somebody waits for bytes is a silent connection a stalled one. */
function arrival({ place, file, key, signal }: OpenObject, bytes: Promise<Uint8Array>): Promise<Uint8Array> {
  const { session } = file
  return watched({ place, session, doing: `a read of ${key}`, signal }, (operation) => untilAborted(bytes, operation.signal))
}

/** A block in as many requests as it takes, all at once. */
async function readBlock(object: OpenObject, offset: number, length: number): Promise<Uint8Array> {
  const { place, file } = object
  const block = (length === READ_BLOCK_BYTES ? place.readBlocks.take() : Buffer.allocUnsafeSlow(length)) as Buffer
  const { requestBytes } = file.session.traits
  const requests: Promise<void>[] = []
  for (let from = 0; from < length; from += requestBytes) {
    requests.push(readPiece(object, { block, offset, from, to: Math.min(from + requestBytes, length) }))
  }
  await Promise.all(requests)
  return block
}

interface Piece {
  readonly block: Buffer
  /** Of the block in the object. */
  readonly offset: number
  readonly from: number
  readonly to: number
}

/** A server may give less than it was asked for, so the rest is asked for again. */
async function readPiece({ place, key, file }: OpenObject, { block, offset, from, to }: Piece): Promise<void> {
  for (let filled = from; filled < to;) {
    const at = filled
    const count = await file.session
      .call<number>((sftp, answer) => sftp.read(file.handle, block, at, to - at, offset + at, answer), {
        doing: `a read of ${key}`,
        location: place.location,
      })
      .catch((error: unknown) => {
        if (isEnd(error)) return 0
        throw error
      })
    if (count === 0) throw shortFault(key, place, offset + at)
    filled += count
  }
}

function shortFault(key: string, { location }: Place, end: number): Fault {
  return new Fault(
    'corrupt',
    'STORAGE_SHORT_OBJECT',
    `${key} in ${location} ended at byte ${end}, before the size that it had when it was opened`,
    {
      hint: 'something other than Waltz changed this file',
      context: { key, location },
    },
  )
}
