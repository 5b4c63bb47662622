import { Xxh32, xxh32 } from '@node-rs/xxhash'
import { coalesce, createBlockPool, giveBack, lendBytes, type BlockPool, type ByteSource } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import { compress } from 'lz4-napi'
import { encodeLz4FrameHeader, LZ4_STORED_BIT, LZ4_WINDOW_BYTES, type Lz4BlockBytes, type Lz4FrameFeatures } from './lz4-frame.ts'
import { asBuffer, freeBytes } from './native-bytes.ts'
import { orderedAhead } from './ordered-ahead.ts'

/** How a frame is written. */
export interface Lz4WriteOptions extends Lz4FrameFeatures {
  readonly blockBytes: Lz4BlockBytes
  readonly blocksInFlight: number
  /** What the frame is gathered in; see `createPiecePool`. */
  readonly pieces: BlockPool
}

/** Memory for frames that are written by one codec, one after the other or side by side. */
export function createPiecePool(): BlockPool {
  return createBlockPool(PIECE_BYTES)
}

/** `compress` puts the length of the content before the block, in as many bytes as the frame has for the block's own. */
const PREFIX_BYTES = 4
/** The frame is handed out in pieces of up to this size, because each costs its consumer a trip to the thread pool, */
const PIECE_BYTES = 1_048_576
/** and of up to this number of blocks, so that little is read ahead of a slow consumer. */
const PIECE_BLOCKS = 4
/** A piece that holds no more than this is copied, and its memory stays in use. */
const SMALL_PIECE_BYTES = 65_536

/**
 * One LZ4 frame: header, blocks in order, end mark, content checksum. The source is read ahead by as many blocks as
 * are in flight; a block that does not shrink is stored. Empty content gives the same 15 bytes as WAL-G's writer (RF 15).
 * Chunks of the source are given back when they are compressed, and those of the frame are lent.
 * @throws Fault `invalid` `CODEC_CONTENT_LENGTH_WRONG` when the source is not as long as `contentBytes` says.
 */
export async function* writeLz4(source: ByteSource, options: Lz4WriteOptions): AsyncGenerator<Uint8Array, void, undefined> {
  const checksum = new Xxh32(0)
  const pieces = createPieces(options.pieces)
  let started = false
  let gathered = 0
  let length = 0
  let window: Uint8Array | undefined
  const blocks = orderedAhead(coalesce(source, options.blockBytes), options.blocksInFlight, (block) => {
    checksum.update(block)
    length += block.length
    const encoding = encodeBlock(block, options, window)
    // A copy, because the block is given back. Only the last one may be shorter than the window, and nothing looks back on it.
    if (options.linkedBlocks === true) window = new Uint8Array(block.subarray(-LZ4_WINDOW_BYTES))
    return encoding
  })
  for await (const { word, packed, stored, check } of blocks) {
    if (!started) pieces.append(encodeLz4FrameHeader(options.blockBytes, options))
    started = true
    pieces.append(word)
    if (packed !== undefined) {
      pieces.append(packed.subarray(PREFIX_BYTES))
      freeBytes(packed)
      if (check !== undefined) pieces.append(check)
    }
    gathered += 1
    if (stored !== undefined || gathered === PIECE_BLOCKS) {
      pieces.close()
      gathered = 0
    }
    yield* pieces.closed()
    if (stored === undefined) continue
    yield stored
    if (check !== undefined) pieces.append(check)
  }
  checkLength(length, options.contentBytes)
  if (!started) pieces.append(encodeLz4FrameHeader(4_194_304, options))
  const end = new Uint8Array(8) // four zero bytes are the end mark
  new DataView(end.buffer).setUint32(4, checksum.digest(), true)
  pieces.append(end)
  pieces.close()
  yield* pieces.closed()
}

/** A block as the frame has it: its length, and either what became of it, behind a prefix, or what it was. */
interface EncodedBlock {
  readonly word: Uint8Array
  readonly packed?: Uint8Array
  readonly stored?: Uint8Array
  /** The checksum behind it, where blocks have one. */
  readonly check: Uint8Array | undefined
}

function checkLength(length: number, announced: number | undefined): void {
  if (announced === undefined || announced === length) return
  throw new Fault('invalid', 'CODEC_CONTENT_LENGTH_WRONG', `the content has ${length} bytes where ${announced} were announced`, {
    hint: 'It changed while it was read, or its length was taken elsewhere: leave the length out, or take it again.',
  })
}

async function encodeBlock(block: Uint8Array, options: Lz4WriteOptions, window: Uint8Array | undefined): Promise<EncodedBlock> {
  const packed = await (window === undefined ? compress(asBuffer(block)) : compress(asBuffer(block), asBuffer(window)))
  const length = packed.length - PREFIX_BYTES
  const word = new Uint8Array(PREFIX_BYTES)
  const view = new DataView(word.buffer)
  const checkOf = (bytes: Uint8Array): Uint8Array | undefined => (options.blockChecksums === true ? checksumBytes(bytes) : undefined)
  if (length < block.length) {
    giveBack(block)
    view.setUint32(0, length, true)
    return { word, packed, check: checkOf(packed.subarray(PREFIX_BYTES)) }
  }
  freeBytes(packed)
  view.setUint32(0, LZ4_STORED_BIT + block.length, true)
  return { word, stored: block, check: checkOf(block) }
}

function checksumBytes(bytes: Uint8Array): Uint8Array {
  const check = new Uint8Array(4)
  new DataView(check.buffer).setUint32(0, xxh32(bytes, 0), true)
  return check
}

/** Gathers what is appended into pieces. */
interface Pieces {
  append(bytes: Uint8Array): void
  /** Ends the current piece, full or not. */
  close(): void
  closed(): Generator<Uint8Array, void, undefined>
}

/**
 * Copying a result of a native module costs little, and is won back: left to the garbage collector, which hardly sees native memory,
 * results pile up to a hundred MiB and more.
 */
function createPieces(pool: BlockPool): Pieces {
  const waiting: Uint8Array[] = []
  let piece: Uint8Array | undefined
  let used = 0
  const close = (): void => {
    if (piece === undefined || used === 0) return
    if (used <= SMALL_PIECE_BYTES) waiting.push(Uint8Array.prototype.slice.call(piece, 0, used))
    else {
      waiting.push(used === PIECE_BYTES ? piece : shorten(piece, used))
      piece = undefined
    }
    used = 0
  }
  return {
    append(bytes) {
      for (let at = 0; at < bytes.length;) {
        piece ??= pool.take()
        const count = Math.min(PIECE_BYTES - used, bytes.length - at)
        piece.set(count === bytes.length ? bytes : bytes.subarray(at, at + count), used)
        used += count
        at += count
        if (used === PIECE_BYTES) close()
      }
    },
    close,
    *closed() {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) yield next
    },
  }
}

/** The first bytes of a lent piece, which give all of it back. */
function shorten(piece: Uint8Array, length: number): Uint8Array {
  return lendBytes(piece.subarray(0, length), () => giveBack(piece))
}
