import { Xxh32, xxh32 } from '@node-rs/xxhash'
import { concatBytes, type ByteSource } from '@waltz/bytes'
import { uncompress } from 'lz4-napi'
import { createByteCursor, takeInto, type ByteCursor } from './byte-cursor.ts'
import { damagedFault, truncatedFault } from './codec-faults.ts'
import { LZ4_STORED_BIT } from './lz4-frame.ts'
import { readLz4FrameHeader, takeExactly, uint32, type Lz4FrameHeader } from './lz4-header-reader.ts'
import { adoptNative, asBuffer, freeBytes } from './native-bytes.ts'
import { orderedAhead } from './ordered-ahead.ts'

/** How far a linked block may look back. */
const WINDOW_BYTES = 65_536
/** `uncompress` wants the length of the content in front of the block; it takes an upper bound, too. */
const PREFIX_BYTES = 4
/** No byte of an lz4 block makes more than this many bytes of content. */
const MAX_EXPANSION = 255

/** A frame being read: its header, and what is known of its content so far. */
interface OpenFrame {
  readonly header: Lz4FrameHeader
  readonly checksum: Xxh32
  contentBytes: number
  /** The last 64 KiB before the next block to decode; only for linked blocks. */
  window: Promise<Uint8Array>
}

/** A block as it lies in the frame, or the end of one. */
type Lz4Part =
  | { readonly kind: 'block'; readonly frame: OpenFrame; readonly offset: number; readonly stored: boolean; readonly bytes: Uint8Array }
  | { readonly kind: 'end'; readonly frame: OpenFrame; readonly offset: number; readonly checksum: number | undefined }

/**
 * The content of all frames of an object, a block at a time, a few blocks decoded ahead on the thread pool. Block
 * checksums, content sizes and content checksums are verified before the iteration ends.
 * @throws Fault `corrupt` `CODEC_TRUNCATED`, `CODEC_DAMAGED`, `CODEC_TRAILING_BYTES`; `unsupported` `CODEC_FORMAT_UNSUPPORTED`.
 */
export async function* readLz4(
  source: ByteSource,
  options: { readonly blocksInFlight: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  const results = orderedAhead(readParts(source), options.blocksInFlight, async (part) => {
    return { part, content: part.kind === 'block' ? await decode(part) : undefined }
  })
  for await (const { part, content } of results) {
    if (content === undefined) {
      if (part.kind === 'end') checkEnd(part)
      continue
    }
    part.frame.checksum.update(content)
    part.frame.contentBytes += content.length
    if (content.length > 0) yield content
  }
}

async function* readParts(source: ByteSource): AsyncGenerator<Lz4Part, void, undefined> {
  const cursor = createByteCursor(source)
  try {
    for (let frames = 0; ; frames += 1) {
      const header = await readLz4FrameHeader(cursor, frames)
      if (header === undefined) return
      yield* readFrame(cursor, { header, checksum: new Xxh32(0), contentBytes: 0, window: Promise.resolve(new Uint8Array(0)) })
    }
  } finally {
    await cursor.close()
  }
}

async function* readFrame(cursor: ByteCursor, frame: OpenFrame): AsyncGenerator<Lz4Part, void, undefined> {
  for (;;) {
    const offset = cursor.offset
    const word = uint32(await takeExactly(cursor, 4, 'a block or the end mark'), 0)
    if (word === 0) {
      const sum = frame.header.contentChecksum ? uint32(await takeExactly(cursor, 4, 'the content checksum'), 0) : undefined
      yield { kind: 'end', frame, offset, checksum: sum }
      return
    }
    const stored = word >= LZ4_STORED_BIT
    const length = stored ? word - LZ4_STORED_BIT : word
    if (length > frame.header.maxBlockBytes) {
      throw damagedFault({ codec: 'lz4', offset }, `a block of ${length} bytes where at most ${frame.header.maxBlockBytes} are allowed`)
    }
    const bytes = stored ? await takeExactly(cursor, length, 'the rest of a block') : await takeWithPrefix(cursor, length)
    if (frame.header.blockChecksums) {
      const sum = uint32(await takeExactly(cursor, 4, 'a block checksum'), 0)
      if (sum !== xxh32(stored ? bytes : bytes.subarray(PREFIX_BYTES), 0)) {
        throw damagedFault({ codec: 'lz4', offset }, 'a block does not match its checksum')
      }
    }
    yield { kind: 'block', frame, offset, stored, bytes }
  }
}

async function takeWithPrefix(cursor: ByteCursor, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(PREFIX_BYTES + length)
  if (await takeInto(cursor, bytes, PREFIX_BYTES)) return bytes
  throw truncatedFault({ codec: 'lz4', offset: cursor.offset }, 'the rest of a block')
}

/** Called in the order of the blocks; only linked blocks wait for the one before. */
function decode(part: Lz4Part & { readonly kind: 'block' }): Promise<Uint8Array> {
  const { frame } = part
  if (!frame.header.linkedBlocks) return part.stored ? Promise.resolve(part.bytes) : decodeBlock(part, undefined)
  const before = frame.window
  const content = part.stored ? Promise.resolve(part.bytes) : before.then((window) => decodeBlock(part, window))
  frame.window = Promise.all([before, content]).then(([window, bytes]) => slide(window, bytes))
  frame.window.catch(() => undefined) // the failure of the block itself is the one that is reported
  return content
}

async function decodeBlock(part: Lz4Part & { readonly kind: 'block' }, window: Uint8Array | undefined): Promise<Uint8Array> {
  const { bytes, offset, frame } = part
  const bound = Math.min(frame.header.maxBlockBytes, bytes.length * MAX_EXPANSION)
  new DataView(bytes.buffer).setUint32(0, bound, true)
  try {
    const useWindow = window !== undefined && window.length > 0
    const result = await (useWindow ? uncompress(asBuffer(bytes), asBuffer(window)) : uncompress(asBuffer(bytes)))
    freeBytes(bytes)
    return adoptNative(result)
  } catch (error) {
    throw damagedFault({ codec: 'lz4', offset }, 'a block does not decode', error)
  }
}

/** A copy of the last 64 KiB: the block itself goes to the consumer, who may change it. */
function slide(window: Uint8Array, content: Uint8Array): Uint8Array {
  if (content.length >= WINDOW_BYTES) return new Uint8Array(content.subarray(-WINDOW_BYTES))
  return concatBytes([window.subarray(Math.max(0, window.length + content.length - WINDOW_BYTES)), content])
}

function checkEnd(part: Lz4Part & { readonly kind: 'end' }): void {
  const { frame, offset } = part
  const { contentBytes } = frame.header
  if (contentBytes !== undefined && contentBytes !== BigInt(frame.contentBytes)) {
    throw damagedFault({ codec: 'lz4', offset }, `${frame.contentBytes} bytes of content where ${contentBytes} were announced`)
  }
  if (part.checksum !== undefined && part.checksum !== frame.checksum.digest()) {
    throw damagedFault({ codec: 'lz4', offset }, 'the content does not match its checksum')
  }
}
