import { constants, type BigIntStats } from 'node:fs'
import { open, stat, type FileHandle } from 'node:fs/promises'
import { Fault, throwIfAborted } from '@waltz/errors'
import { checkKey, checkRange, clipRange, createObjectBody, untilAborted } from '@waltz/storage'
import type { CallOptions, GetOptions, ObjectBody, ObjectInfo } from '@waltz/storage'
import { attempt } from './errors.ts'
import { infoOf } from './object-stats.ts'
import { lookFault, missingFault, pathOf, type Place } from './place.ts'
import { isHiddenKey } from './hidden-name.ts'

/** How much of a large object is read at a time. */
export const READ_BLOCK_BYTES = 524_288
/** Non-blocking, so that a named pipe in the repository cannot stop a read for ever; files do not notice. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK

/** `ObjectStore.head`: one stat. */
export async function headObject(place: Place, key: string, options: CallOptions | undefined): Promise<ObjectInfo> {
  await refuseHidden(place, key, options)
  let found: BigIntStats
  try {
    found = await untilAborted(stat(pathOf(place, key), { bigint: true }), options?.signal)
  } catch (error) {
    throw await lookFault(place, key, error)
  }
  if (!found.isFile()) throw await missingFault(place, key)
  return infoOf(key, found)
}

/** `ObjectStore.get`: the file is open when this resolves, so a later replacement or deletion does not change the bytes. */
export async function getObject(place: Place, key: string, options: GetOptions | undefined): Promise<ObjectBody> {
  checkRange(options?.range)
  await refuseHidden(place, key, options)
  const path = pathOf(place, key)
  const handle = await openOrAbort(place, key, options)
  try {
    const found = await handle.stat({ bigint: true })
    throwIfAborted(options?.signal)
    if (!found.isFile()) throw await missingFault(place, key)
    const info = infoOf(key, found)
    const range = clipRange(options?.range, info.size)
    return createObjectBody({
      info,
      read: () => readRange({ place, handle, path, key }, range, options?.signal),
      close: () => attempt(handle.close(), { doing: 'close', path, key }),
    })
  } catch (error) {
    await handle.close()
    throw await lookFault(place, key, error)
  }
}

async function refuseHidden(place: Place, key: string, options: CallOptions | undefined): Promise<void> {
  throwIfAborted(options?.signal)
  checkKey(key)
  if (isHiddenKey(key)) throw await missingFault(place, key)
}

async function openOrAbort(place: Place, key: string, options: CallOptions | undefined): Promise<FileHandle> {
  const opening = open(pathOf(place, key), READ_FLAGS)
  try {
    return await untilAborted(opening, options?.signal)
  } catch (error) {
    // After an abort the file may still come open; nobody else would close it.
    void opening.then((handle) => handle.close()).catch(() => undefined)
    throw await lookFault(place, key, error)
  }
}

interface OpenFile {
  readonly place: Place
  readonly handle: FileHandle
  readonly path: string
  readonly key: string
}

/** Reads one chunk ahead of its consumer, so that disk and consumer work at the same time. Chunks are lent. */
async function* readRange(
  file: OpenFile,
  { start, end }: { readonly start: number; readonly end: number },
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  let ahead: Promise<Uint8Array> | undefined
  const request = (offset: number): Promise<Uint8Array> | undefined => {
    if (offset >= end) return undefined
    const left = end - offset
    const reading = readFully(file, offset, left < READ_BLOCK_BYTES ? Buffer.allocUnsafeSlow(left) : file.place.readBlocks.take())
    reading.catch(() => undefined) // reported when it is its turn, or not at all if the consumer stops before
    return reading
  }
  for (let offset = start; offset < end;) {
    throwIfAborted(signal)
    const chunk = await untilAborted(ahead ?? (request(offset) as Promise<Uint8Array>), signal)
    offset += chunk.length
    ahead = request(offset)
    yield chunk
  }
  throwIfAborted(signal)
}

async function readFully({ handle, path, key }: OpenFile, offset: number, chunk: Uint8Array): Promise<Uint8Array> {
  const { length } = chunk
  for (let filled = 0; filled < length;) {
    const { bytesRead } = await attempt(handle.read(chunk, filled, length - filled, offset + filled), { doing: 'read', path, key })
    if (bytesRead === 0) {
      throw new Fault(
        'corrupt',
        'STORAGE_SHORT_OBJECT',
        `${path} ended at byte ${offset + filled}, before the size that it had when it was opened`,
        {
          hint: 'something other than Waltz changed this file',
          context: { path, key },
        },
      )
    }
    filled += bytesRead
  }
  return chunk
}
