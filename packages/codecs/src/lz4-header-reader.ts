import { giveBack } from '@waltz/bytes'
import type { Fault } from '@waltz/errors'
import { skipBytes, takeBytes, type ByteCursor } from './byte-cursor.ts'
import { damagedFault, trailingFault, truncatedFault, unsupportedFormatFault, type CodecPlace } from './codec-faults.ts'
import {
  LZ4_BLOCK_SIZES,
  LZ4_FLAG,
  LZ4_LEGACY_BLOCK_BYTES,
  LZ4_LEGACY_MAGIC,
  LZ4_MAGIC,
  LZ4_SKIPPABLE_MAGIC,
  lz4HeaderChecksum,
} from './lz4-frame.ts'

/** What a frame says of itself before its first block. */
export interface Lz4FrameHeader {
  readonly linkedBlocks: boolean
  readonly blockChecksums: boolean
  readonly contentChecksum: boolean
  readonly contentBytes: bigint | undefined
  readonly maxBlockBytes: number
  /** A frame of the oldest form, which has no header, no checksums and no end mark: it ends where no block follows. */
  readonly legacy: boolean
}

const LEGACY_FRAME: Lz4FrameHeader = {
  linkedBlocks: false,
  blockChecksums: false,
  contentChecksum: false,
  contentBytes: undefined,
  maxBlockBytes: LZ4_LEGACY_BLOCK_BYTES,
  legacy: true,
}

/**
 * The header of the next frame, skippable frames passed over; undefined at the end of the object.
 * @throws Fault `corrupt` `CODEC_TRUNCATED` (also for an object without any frame), `CODEC_DAMAGED`, `CODEC_TRAILING_BYTES`
 * when `framesBefore` is not 0 and something else follows; `unsupported` `CODEC_FORMAT_UNSUPPORTED`.
 */
export async function readLz4FrameHeader(cursor: ByteCursor, framesBefore: number): Promise<Lz4FrameHeader | undefined> {
  for (;;) {
    const place = { codec: 'lz4', offset: cursor.offset }
    const bytes = await takeBytes(cursor, 4)
    if (bytes.length === 0) {
      if (framesBefore > 0) return undefined
      throw truncatedFault(place, 'a frame')
    }
    const magic = bytes.length === 4 ? uint32(bytes, 0) : undefined
    if (magic === LZ4_MAGIC) {
      giveBack(bytes)
      return readDescriptor(cursor)
    }
    if (magic === LZ4_LEGACY_MAGIC) return LEGACY_FRAME
    if (magic === undefined || !isSkippable(magic)) throw notAFrame(place, bytes, framesBefore)
    await skipFrame(cursor)
  }
}

function isSkippable(magic: number): boolean {
  return magic >= LZ4_SKIPPABLE_MAGIC && magic < LZ4_SKIPPABLE_MAGIC + 16
}

function notAFrame(place: CodecPlace, bytes: Uint8Array, framesBefore: number): Fault {
  if (framesBefore > 0) return trailingFault(place)
  const cut = bytes.length < 4 && [0x04, 0x22, 0x4d].every((byte, index) => index >= bytes.length || bytes[index] === byte)
  if (cut) return truncatedFault({ codec: 'lz4', offset: bytes.length }, 'a frame header')
  return damagedFault(place, 'this is not an lz4 frame')
}

/** The little-endian number at `offset`. */
function uint32(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(offset, true)
}

/**
 * Exactly `count` bytes.
 * @throws Fault `corrupt` `CODEC_TRUNCATED` naming `what`.
 */
export async function takeExactly(cursor: ByteCursor, count: number, what: string): Promise<Uint8Array> {
  const bytes = await takeBytes(cursor, count)
  if (bytes.length < count) throw truncatedFault({ codec: 'lz4', offset: cursor.offset }, what)
  return bytes
}

/**
 * The next little-endian number of four bytes.
 * @throws Fault `corrupt` `CODEC_TRUNCATED` naming `what`.
 */
export async function takeUint32(cursor: ByteCursor, what: string): Promise<number> {
  const bytes = await takeExactly(cursor, 4, what)
  const value = uint32(bytes, 0)
  giveBack(bytes)
  return value
}

async function skipFrame(cursor: ByteCursor): Promise<void> {
  const size = await takeUint32(cursor, 'the size of a skippable frame')
  if (!(await skipBytes(cursor, size))) throw truncatedFault({ codec: 'lz4', offset: cursor.offset }, 'the rest of a skippable frame')
}

async function readDescriptor(cursor: ByteCursor): Promise<Lz4FrameHeader> {
  const place = { codec: 'lz4', offset: cursor.offset }
  const fixed = await takeExactly(cursor, 2, 'a frame header')
  const [flags = 0, block = 0] = fixed
  const sizeBytes = (flags & LZ4_FLAG.contentSize) === 0 ? 0 : 8
  const dictionaryBytes = (flags & LZ4_FLAG.dictionary) === 0 ? 0 : 4
  const rest = await takeExactly(cursor, sizeBytes + dictionaryBytes + 1, 'the rest of the frame header')
  const descriptor = new Uint8Array(2 + sizeBytes + dictionaryBytes)
  descriptor.set(fixed)
  descriptor.set(rest.subarray(0, -1), 2)
  const checksum = rest.at(-1)
  giveBack(fixed)
  giveBack(rest)
  if (checksum !== lz4HeaderChecksum(descriptor)) throw damagedFault(place, 'the frame header does not match its checksum')
  if ((flags & LZ4_FLAG.version) !== LZ4_FLAG.version1) throw unsupportedFormatFault(place, 'has another version of the frame format')
  if ((flags & LZ4_FLAG.reserved) !== 0 || (block & 0x8f) !== 0)
    throw unsupportedFormatFault(place, 'uses reserved bits of the frame header')
  if (dictionaryBytes > 0) throw unsupportedFormatFault(place, 'needs a dictionary')
  const maxBlockBytes = LZ4_BLOCK_SIZES[(block >> 4) - 4]
  if (maxBlockBytes === undefined) throw damagedFault(place, 'the frame header has an impossible block size')
  return {
    linkedBlocks: (flags & LZ4_FLAG.independentBlocks) === 0,
    blockChecksums: (flags & LZ4_FLAG.blockChecksums) !== 0,
    contentChecksum: (flags & LZ4_FLAG.contentChecksum) !== 0,
    contentBytes: sizeBytes === 0 ? undefined : new DataView(descriptor.buffer).getBigUint64(2, true),
    maxBlockBytes,
    legacy: false,
  }
}
