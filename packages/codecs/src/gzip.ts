import { CHUNK_BYTES } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import type { Codec } from './codec.ts'
import { readGzip } from './gzip-reader.ts'

/**
 * gzip (RFC 1952, RF 6.7), for reading only: concatenated members are accepted, each with its CRC-32 and length checked.
 * `compress` throws Fault `unsupported` `CODEC_READ_ONLY`.
 */
export function gzip(): Codec {
  return {
    name: 'gzip',
    extension: 'gz',
    checksummed: true,
    chunkBytes: CHUNK_BYTES,
    compress: () => {
      throw new Fault('unsupported', 'CODEC_READ_ONLY', 'gzip objects can be read, not written', {
        hint: 'Choose one of lz4, zstd, brotli, lzma, none.',
      })
    },
    decompress: readGzip,
  }
}
