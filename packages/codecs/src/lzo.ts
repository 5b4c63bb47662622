import { CHUNK_BYTES } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import type { Codec } from './codec.ts'
import { readLzo } from './lzo-reader.ts'

/**
 * LZO in the files of the `lzop` program, as WAL-E wrote them (RF 6.7), for reading only. Its decoder runs on the main thread, a block
 * (256 KiB as a rule, 64 MiB at most) at a time. `checksummed`, because lzop writes checksums unless told otherwise; those that are
 * there are verified.
 * `compress` throws Fault `unsupported` `CODEC_READ_ONLY`.
 */
export function lzo(): Codec {
  return {
    name: 'lzo',
    extension: 'lzo',
    checksummed: true,
    chunkBytes: CHUNK_BYTES,
    compress: () => {
      throw new Fault('unsupported', 'CODEC_READ_ONLY', 'lzo objects can be read, not written', {
        hint: 'Choose one of lz4, zstd, brotli, lzma, none.',
      })
    },
    decompress: readLzo,
  }
}
