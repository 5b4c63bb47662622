import { coalesce, giveBack, throughNodeTransform } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import { constants, createZstdCompress } from 'node:zlib'
import type { Codec } from './codec.ts'
import { checkBlockBytes, compressorOptions, STATEFUL_BLOCK_BYTES } from './engine-options.ts'
import { lendOutput } from './lend-output.ts'
import { readZstd } from './zstd-reader.ts'

/** What may be chosen for zstd. */
export interface ZstdOptions {
  /** 1 to 22, or -7 to -2 for speed at the price of size; 3 by default. */
  readonly level?: number
  /**
   * Looks for repetitions far back, in a window of this power of two: 20 to 27, so up to 128 MiB. Off by default. Whoever reads such an
   * object needs the window in memory.
   */
  readonly longWindowLog?: number
  /** For programs that know the library: anything but 0 is refused, because `node:zlib` loses data with workers. */
  readonly workers?: number
  /** Bytes handed to the engine at once, 65,536 or more; 2 MiB by default. Less saves memory and takes time; the stored bytes may differ. */
  readonly blockBytes?: number
}

/** From this level on the library would choose a window above 8 MiB, which not every reader allows. */
const FIRST_LEVEL_WITH_LARGE_WINDOW = 20
const MAX_WINDOW_LOG = 23
const LEAST_LONG_WINDOW_LOG = 20
const MOST_LONG_WINDOW_LOG = 27

/**
 * Zstandard (RF 6.4): one frame with a content checksum and a window of at most 8 MiB unless a longer one is asked for. Reading accepts concatenated
 * and skippable frames, windows up to 512 MiB, and an empty object as empty content, as old writers left it.
 * @throws Fault `invalid` `CODEC_OPTION_INVALID` for a level that does not exist, another window, workers, or such a number of bytes.
 */
export function zstd(options: ZstdOptions = {}): Codec {
  const params = paramsOf(options)
  const blockBytes = checkBlockBytes(options.blockBytes ?? STATEFUL_BLOCK_BYTES)
  const create = () => createZstdCompress({ ...compressorOptions(blockBytes), params })
  return {
    name: 'zstd',
    extension: 'zst',
    checksummed: true,
    chunkBytes: blockBytes,
    compress: (source) => lendOutput(throughNodeTransform(coalesce(source, blockBytes), create, giveBack)),
    decompress: (source) => readZstd(source),
  }
}

function paramsOf({ level = 3, longWindowLog, workers = 0 }: ZstdOptions): Record<number, number> {
  // Level -1 cannot be told: node:zlib takes that number for "not set". Level 0 means the default, whatever that is.
  if (!Number.isInteger(level) || level < -7 || level > 22 || level === 0 || level === -1) {
    throw new Fault('invalid', 'CODEC_OPTION_INVALID', `zstd level ${level} is not an integer from -7 to -2 or from 1 to 22`)
  }
  if (workers !== 0) {
    throw new Fault('invalid', 'CODEC_OPTION_INVALID', `${workers} zstd workers cannot be used: node:zlib loses data with them`, {
      hint: 'Compress several objects at once instead: each stream has a thread of its own.',
    })
  }
  const params = { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 }
  if (longWindowLog !== undefined) {
    checkLongWindow(longWindowLog)
    return { ...params, [constants.ZSTD_c_enableLongDistanceMatching]: 1, [constants.ZSTD_c_windowLog]: longWindowLog }
  }
  return level >= FIRST_LEVEL_WITH_LARGE_WINDOW ? { ...params, [constants.ZSTD_c_windowLog]: MAX_WINDOW_LOG } : params
}

function checkLongWindow(windowLog: number): void {
  if (Number.isInteger(windowLog) && windowLog >= LEAST_LONG_WINDOW_LOG && windowLog <= MOST_LONG_WINDOW_LOG) return
  throw new Fault(
    'invalid',
    'CODEC_OPTION_INVALID',
    `a zstd window of 2 to the power of ${windowLog} is not one of ${LEAST_LONG_WINDOW_LOG} to ${MOST_LONG_WINDOW_LOG}`,
  )
}
