import { xxh32 } from '@node-rs/xxhash'

/** Facts of the LZ4 frame format, version 1.6.4 of its description, shared by the writer and the reader. */
export const LZ4_MAGIC = 0x184d2204
export const LZ4_LEGACY_MAGIC = 0x184c2102
/** The lowest of sixteen numbers that begin a frame without content. */
export const LZ4_SKIPPABLE_MAGIC = 0x184d2a50
/** Every block of a legacy frame but the last holds this much content. */
export const LZ4_LEGACY_BLOCK_BYTES = 8_388_608
/** In the word before a block: the block is stored as it is. */
export const LZ4_STORED_BIT = 0x80000000

/** How far a linked block may look back. */
export const LZ4_WINDOW_BYTES = 65_536

/** The sizes that a frame can state as its largest block; the index plus 4 is the code in the BD byte. */
export const LZ4_BLOCK_SIZES = [65_536, 262_144, 1_048_576, 4_194_304] as const
export type Lz4BlockBytes = (typeof LZ4_BLOCK_SIZES)[number]

/** Bits of the FLG byte. */
export const LZ4_FLAG = {
  version: 0xc0,
  version1: 0x40,
  independentBlocks: 0x20,
  blockChecksums: 0x10,
  contentSize: 0x08,
  contentChecksum: 0x04,
  reserved: 0x02,
  dictionary: 0x01,
} as const

/** Whether a frame can state this block size. */
export function isLz4BlockBytes(bytes: number): bytes is Lz4BlockBytes {
  return (LZ4_BLOCK_SIZES as readonly number[]).includes(bytes)
}

/** The checksum byte behind a frame header: the second byte of the xxh32 of its descriptor. */
export function lz4HeaderChecksum(descriptor: Uint8Array): number {
  return (xxh32(descriptor, 0) >>> 8) & 0xff
}

/** What a frame may have besides. */
export interface Lz4FrameFeatures {
  readonly linkedBlocks?: boolean
  readonly blockChecksums?: boolean
  readonly contentBytes?: number | undefined
}

/** The bytes that begin a frame as Waltz writes it, with a content checksum: seven of them, or fifteen that state the content's size. */
export function encodeLz4FrameHeader(blockBytes: Lz4BlockBytes, features: Lz4FrameFeatures = {}): Uint8Array {
  const { linkedBlocks = false, blockChecksums = false, contentBytes } = features
  const header = new Uint8Array(contentBytes === undefined ? 7 : 15)
  const view = new DataView(header.buffer)
  view.setUint32(0, LZ4_MAGIC, true)
  header[4] =
    LZ4_FLAG.version1 |
    LZ4_FLAG.contentChecksum |
    (linkedBlocks ? 0 : LZ4_FLAG.independentBlocks) |
    (blockChecksums ? LZ4_FLAG.blockChecksums : 0) |
    (contentBytes === undefined ? 0 : LZ4_FLAG.contentSize)
  header[5] = (LZ4_BLOCK_SIZES.indexOf(blockBytes) + 4) << 4
  if (contentBytes !== undefined) view.setBigUint64(6, BigInt(contentBytes), true)
  header[header.length - 1] = lz4HeaderChecksum(header.subarray(4, -1))
  return header
}
