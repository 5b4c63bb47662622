import { Fault } from '@waltz/errors'
import type { Codec } from './codec.ts'
import { isLz4BlockBytes, LZ4_BLOCK_SIZES, type Lz4BlockBytes } from './lz4-frame.ts'
import { readLz4, type BlockPools } from './lz4-reader.ts'
import { createPiecePool, writeLz4 } from './lz4-writer.ts'

/** What may be chosen for lz4. */
export interface Lz4Options {
  /** Bytes of content in one block: 64 KiB, 256 KiB, 1 MiB (the default) or 4 MiB. Larger packs slightly better and takes more memory. */
  readonly blockBytes?: number
  /** Blocks being compressed or decompressed at once, 1 to 64; 3 by default, 2 of 4 MiB. Each holds about two blocks of memory. */
  readonly blocksInFlight?: number
  /** Blocks refer to the one before: packs a little better, above all small blocks; readers cannot decode such blocks side by side. */
  readonly linkedBlocks?: boolean
  /** A checksum behind each block besides the one of the whole content. */
  readonly blockChecksums?: boolean
}

/** A trip to the thread pool costs as much as compressing 50 KiB. */
const DEFAULT_BLOCK_BYTES: Lz4BlockBytes = 1_048_576
const DEFAULT_BLOCKS_IN_FLIGHT = 3
/** Of content, unless more blocks in flight are asked for: there are two even of the largest. */
const DEFAULT_BYTES_IN_FLIGHT = 8_388_608

/**
 * LZ4 frames (RF 6.2): blocks compressed on the thread pool, independent unless asked otherwise, with a content checksum. A length that
 * is known goes into the header. Reading accepts what the frame format allows except dictionaries, and legacy frames.
 * @throws Fault `invalid` `CODEC_OPTION_INVALID` for another block size or number of blocks.
 */
export function lz4(options: Lz4Options = {}): Codec {
  const blockBytes = options.blockBytes ?? DEFAULT_BLOCK_BYTES
  const blocksInFlight = options.blocksInFlight ?? Math.min(DEFAULT_BLOCKS_IN_FLIGHT, Math.floor(DEFAULT_BYTES_IN_FLIGHT / blockBytes))
  if (!isLz4BlockBytes(blockBytes)) {
    throw new Fault('invalid', 'CODEC_OPTION_INVALID', `lz4 blocks have one of ${LZ4_BLOCK_SIZES.join(', ')} bytes, not ${blockBytes}`)
  }
  if (!Number.isInteger(blocksInFlight) || blocksInFlight < 1 || blocksInFlight > 64) {
    throw new Fault('invalid', 'CODEC_OPTION_INVALID', `${blocksInFlight} lz4 blocks in flight: it must be an integer from 1 to 64`)
  }
  const { linkedBlocks = false, blockChecksums = false } = options
  const pieces = createPiecePool()
  const pools: BlockPools = new Map()
  return {
    name: 'lz4',
    extension: 'lz4',
    checksummed: true,
    chunkBytes: blockBytes,
    compress: (source, { contentBytes } = {}) =>
      writeLz4(source, { blockBytes, blocksInFlight, pieces, linkedBlocks, blockChecksums, contentBytes }),
    decompress: (source) => readLz4(source, { blocksInFlight, pools }),
  }
}
