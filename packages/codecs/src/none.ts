import { CHUNK_BYTES, type ByteSource } from '@waltz/bytes'
import type { Codec } from './codec.ts'

/** No compression: bytes pass through untouched. There is no end mark, so a cut cannot be seen here (RF 6.6). */
export function none(): Codec {
  const same = (source: ByteSource): ByteSource => source
  return { name: 'none', extension: '', checksummed: false, chunkBytes: CHUNK_BYTES, compress: same, decompress: same }
}
