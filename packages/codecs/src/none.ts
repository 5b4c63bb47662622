import { CHUNK_BYTES, type ByteSource } from '@waltz/bytes'
import type { Codec } from './codec.ts'
import { checkBlockBytes } from './engine-options.ts'

/** What may be chosen without compression. */
export interface NoneOptions {
  /** Bytes of a chunk, 65,536 or more; 256 KiB by default. */
  readonly blockBytes?: number
}

/**
 * No compression: bytes pass through untouched. There is no end mark, so a cut cannot be seen here (RF 6.6).
 * @throws Fault `invalid` `CODEC_OPTION_INVALID` for another number of bytes.
 */
export function none(options: NoneOptions = {}): Codec {
  const chunkBytes = checkBlockBytes(options.blockBytes ?? CHUNK_BYTES)
  const same = (source: ByteSource): ByteSource => source
  return { name: 'none', extension: '', checksummed: false, chunkBytes, compress: same, decompress: same }
}
