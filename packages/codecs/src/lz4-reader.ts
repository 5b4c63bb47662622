import { Xxh32, xxh32 } from '@node-rs/xxhash'
import { concatBytes, createBlockPool, giveBack, lendBytes, type BlockPool, type ByteSource } from '@waltz/bytes'
import { uncompress } from 'lz4-napi'
import { createByteCursor, takeBytes, takeInto, type ByteCursor } from './byte-cursor.ts'
import { damagedFault, truncatedFault } from './codec-faults.ts'
import { LZ4_LEGACY_BLOCK_BYTES, LZ4_STORED_BIT, LZ4_WINDOW_BYTES } from './lz4-frame.ts'
import { readLz4FrameHeader, takeUint32, type Lz4FrameHeader } from './lz4-header-reader.ts'
import { asBuffer, freeBytes } from './native-bytes.ts'
import { orderedAhead } from './ordered-ahead.ts'

/** `uncompress` wants the length of the content in front of the block; it takes an upper bound, too. */
const PREFIX_BYTES = 4
/** No byte of an lz4 block makes more than this many bytes of content. */
const MAX_EXPANSION = 255
/** What 8 MiB that do not shrink become; a larger number in the place of a block's length begins another frame. */
const MOST_LEGACY_BYTES = LZ4_LEGACY_BLOCK_BYTES + Math.floor(LZ4_LEGACY_BLOCK_BYTES / 255) + 16

/** Shorter stored blocks, which are handed on as they are, get memory of their own: a consumer may keep many of them. */
const SMALL_BLOCK_BYTES = 65_536
/** Blocks that are being decoded hold no more content than this, where at least two of them are. */
const MOST_BYTES_IN_FLIGHT = 8_388_608

/** Memory for blocks as they lie in frames, by the size of their content: frames that one codec reads use it one after the other. */
export type BlockPools = Map<number, BlockPool>

/** A frame being read: its header, and what is known of its content so far. */
interface OpenFrame {
  readonly header: Lz4FrameHeader
  readonly checksum: Xxh32
  /** For blocks as they lie in the frame. */
  readonly pool: BlockPool
  contentBytes: number
  /** The last 64 KiB before the next block to decode; only for linked blocks. */
  window: Promise<Uint8Array>
}

/** A block behind a prefix, in `memory` that is to be given back. */
interface Lz4Block {
  readonly kind: 'block'
  readonly frame: OpenFrame
  readonly offset: number
  readonly stored: boolean
  readonly bytes: Uint8Array
  readonly memory: Uint8Array
}

/** A block as it lies in the frame, or the end of one. */
type Lz4Part =
  | Lz4Block
  | { readonly kind: 'end'; readonly frame: OpenFrame; readonly offset: number; readonly checksum: number | undefined }

/**
 * The content of all frames of an object, a block at a time, a few blocks decoded ahead on the thread pool. Block
 * checksums, content sizes and content checksums are verified before the iteration ends. Chunks of the source are given back, and
 * those of the content are lent.
 * @throws Fault `corrupt` `CODEC_TRUNCATED`, `CODEC_DAMAGED`, `CODEC_TRAILING_BYTES`; `unsupported` `CODEC_FORMAT_UNSUPPORTED`.
 */
export async function* readLz4(
  source: ByteSource,
  options: { readonly blocksInFlight: number; readonly pools: BlockPools },
): AsyncGenerator<Uint8Array, void, undefined> {
  const cursor = createByteCursor(source)
  try {
    const first = await readLz4FrameHeader(cursor, 0)
    if (first === undefined) return
    const inFlight = Math.min(options.blocksInFlight, Math.max(2, Math.floor(MOST_BYTES_IN_FLIGHT / first.maxBlockBytes)))
    const results = orderedAhead(readParts(cursor, first, options.pools), inFlight, async (part) => {
      return { part, content: part.kind === 'block' ? await decode(part) : undefined }
    })
    for await (const { part, content } of results) {
      if (content === undefined) {
        if (part.kind === 'end') checkEnd(part)
        continue
      }
      take(part, content)
      if (content.length > 0) yield content
    }
  } finally {
    await cursor.close()
  }
}

function take({ frame, offset }: Lz4Part, content: Uint8Array): void {
  if (frame.header.legacy) {
    if (frame.contentBytes % LZ4_LEGACY_BLOCK_BYTES !== 0)
      throw damagedFault({ codec: 'lz4', offset }, 'a block follows one that is not full')
  } else frame.checksum.update(content)
  frame.contentBytes += content.length
}

function poolFor({ maxBlockBytes, legacy }: Lz4FrameHeader, pools: BlockPools): BlockPool {
  const pool = pools.get(maxBlockBytes) ?? createBlockPool(PREFIX_BYTES + (legacy ? MOST_LEGACY_BYTES : maxBlockBytes))
  pools.set(maxBlockBytes, pool)
  return pool
}

async function* readParts(cursor: ByteCursor, first: Lz4FrameHeader, pools: BlockPools): AsyncGenerator<Lz4Part, void, undefined> {
  let header: Lz4FrameHeader | undefined = first
  for (let frames = 1; header !== undefined; frames += 1) {
    const pool = poolFor(header, pools)
    const frame = { header, checksum: new Xxh32(0), pool, contentBytes: 0, window: Promise.resolve(new Uint8Array(0)) }
    yield* header.legacy ? readLegacyFrame(cursor, frame) : readFrame(cursor, frame)
    header = await readLz4FrameHeader(cursor, frames)
  }
}

async function* readFrame(cursor: ByteCursor, frame: OpenFrame): AsyncGenerator<Lz4Part, void, undefined> {
  for (;;) {
    const offset = cursor.offset
    const word = await takeUint32(cursor, 'a block or the end mark')
    if (word === 0) {
      const sum = frame.header.contentChecksum ? await takeUint32(cursor, 'the content checksum') : undefined
      yield { kind: 'end', frame, offset, checksum: sum }
      return
    }
    const stored = word >= LZ4_STORED_BIT
    const length = stored ? word - LZ4_STORED_BIT : word
    if (length > frame.header.maxBlockBytes) {
      throw damagedFault({ codec: 'lz4', offset }, `a block of ${length} bytes where at most ${frame.header.maxBlockBytes} are allowed`)
    }
    const memory = stored && length < SMALL_BLOCK_BYTES ? new Uint8Array(PREFIX_BYTES + length) : frame.pool.take()
    const bytes = memory.subarray(0, PREFIX_BYTES + length)
    if (!(await takeInto(cursor, bytes, PREFIX_BYTES))) {
      throw truncatedFault({ codec: 'lz4', offset: cursor.offset }, 'the rest of a block')
    }
    if (frame.header.blockChecksums) {
      const sum = await takeUint32(cursor, 'a block checksum')
      if (sum !== xxh32(bytes.subarray(PREFIX_BYTES), 0)) {
        throw damagedFault({ codec: 'lz4', offset }, 'a block does not match its checksum')
      }
    }
    yield { kind: 'block', frame, offset, stored, bytes, memory }
  }
}

/** Blocks until the object ends, or something comes that cannot be the length of one: another frame, or what does not belong there. */
async function* readLegacyFrame(cursor: ByteCursor, frame: OpenFrame): AsyncGenerator<Lz4Part, void, undefined> {
  for (;;) {
    const offset = cursor.offset
    const word = await takeBytes(cursor, 4)
    if (word.length === 0) return
    const length = word.length < 4 ? 0 : new DataView(word.buffer, word.byteOffset, 4).getUint32(0, true)
    if (length === 0) throw truncatedFault({ codec: 'lz4', offset: cursor.offset }, 'a block')
    if (length > MOST_LEGACY_BYTES) return cursor.unread([word])
    giveBack(word)
    const memory = frame.pool.take()
    const bytes = memory.subarray(0, PREFIX_BYTES + length)
    if (!(await takeInto(cursor, bytes, PREFIX_BYTES))) {
      throw truncatedFault({ codec: 'lz4', offset: cursor.offset }, 'the rest of a block')
    }
    yield { kind: 'block', frame, offset, stored: false, bytes, memory }
  }
}

/** Called in the order of the blocks; only linked blocks wait for the one before. */
function decode(block: Lz4Block): Promise<Uint8Array> {
  const { frame } = block
  if (!frame.header.linkedBlocks) return decodeBlock(block, undefined)
  const step = frame.window.then(async (window) => {
    const content = await decodeBlock(block, window)
    return { content, window: slide(window, content) }
  })
  frame.window = step.then(({ window }) => window)
  frame.window.catch(() => undefined) // the failure of the block itself is the one that is reported
  return step.then(({ content }) => content)
}

async function decodeBlock({ bytes, memory, stored, offset, frame }: Lz4Block, window: Uint8Array | undefined): Promise<Uint8Array> {
  if (stored) return lendBytes(bytes.subarray(PREFIX_BYTES), () => giveBack(memory))
  const bound = Math.min(frame.header.maxBlockBytes, bytes.length * MAX_EXPANSION)
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, bound, true)
  try {
    const useWindow = window !== undefined && window.length > 0
    const content = await (useWindow ? uncompress(asBuffer(bytes), asBuffer(window)) : uncompress(asBuffer(bytes)))
    giveBack(memory)
    return lendBytes(content, freeBytes)
  } catch (error) {
    throw damagedFault({ codec: 'lz4', offset }, 'a block does not decode', error)
  }
}

/** A copy of the last 64 KiB: the block itself goes to the consumer, who may change it. */
function slide(window: Uint8Array, content: Uint8Array): Uint8Array {
  if (content.length >= LZ4_WINDOW_BYTES) return new Uint8Array(content.subarray(-LZ4_WINDOW_BYTES))
  return concatBytes([window.subarray(Math.max(0, window.length + content.length - LZ4_WINDOW_BYTES)), content])
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
