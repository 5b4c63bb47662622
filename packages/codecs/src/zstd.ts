import { CHUNK_BYTES, coalesce, giveBack, throughNodeTransform } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import { constants, createZstdCompress } from 'node:zlib'
import type { Codec } from './codec.ts'
import { checkBlockBytes, compressorOptions } from './engine-options.ts'
import { readZstd } from './zstd-reader.ts'

/** What may be chosen for zstd. */
export interface ZstdOptions {
  /** 1 to 22; 3 by default. */
  readonly level?: number
  /** Bytes handed to the engine at once, 65,536 or more; 256 KiB by default. More saves time and takes memory; the stored bytes may differ. */
  readonly blockBytes?: number
}

/** From this level on the library would choose a window above 8 MiB, which not every reader allows. */
const FIRST_LEVEL_WITH_LARGE_WINDOW = 20
const MAX_WINDOW_LOG = 23

/**
 * Zstandard (RF 6.4): one frame with a content checksum and a window of at most 8 MiB. Reading accepts concatenated
 * and skippable frames, windows up to 512 MiB, and an empty object as empty content, as old writers left it.
 * @throws Fault `invalid` `CODEC_OPTION_INVALID` for a level outside 1 to 22, or such a number of bytes.
 */
export function zstd(options: ZstdOptions = {}): Codec {
  const level = options.level ?? 3
  if (!Number.isInteger(level) || level < 1 || level > 22) {
    throw new Fault('invalid', 'CODEC_OPTION_INVALID', `zstd level ${level} is not an integer from 1 to 22`)
  }
  const params: Record<number, number> = { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 }
  if (level >= FIRST_LEVEL_WITH_LARGE_WINDOW) params[constants.ZSTD_c_windowLog] = MAX_WINDOW_LOG
  // ZSTD_c_nbWorkers stays unset: with workers node:zlib loses data on inputs of a few MiB.
  const blockBytes = checkBlockBytes(options.blockBytes ?? CHUNK_BYTES)
  const create = () => createZstdCompress({ ...compressorOptions(blockBytes), params })
  return {
    name: 'zstd',
    extension: 'zst',
    checksummed: true,
    chunkBytes: blockBytes,
    compress: (source) => throughNodeTransform(coalesce(source, blockBytes), create, giveBack),
    decompress: (source) => readZstd(source),
  }
}
