import { CHUNK_BYTES, coalesce, giveBack, throughNodeTransform, type ByteSource } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import { constants, createBrotliCompress, createBrotliDecompress } from 'node:zlib'
import { createByteCursor } from './byte-cursor.ts'
import type { Codec } from './codec.ts'
import { trailingFault } from './codec-faults.ts'
import { checkBlockBytes, compressorOptions, engineOptions } from './engine-options.ts'
import { runEngine } from './run-engine.ts'

/** What may be chosen for brotli. */
export interface BrotliOptions {
  /** Quality, 0 to 11; 3 by default. */
  readonly level?: number
  /** Bytes handed to the engine at once, 65,536 or more; 256 KiB by default. More saves time and takes memory; the stored bytes may differ. */
  readonly blockBytes?: number
}

/**
 * Brotli (RF 6.5): one raw stream, window of 4 MiB. The format has no checksum: damage in the middle can decode to
 * other bytes of any length, and only a cut or a broken structure is noticed.
 * @throws Fault `invalid` `CODEC_OPTION_INVALID` for a quality outside 0 to 11, or such a number of bytes.
 */
export function brotli(options: BrotliOptions = {}): Codec {
  const level = options.level ?? 3
  if (!Number.isInteger(level) || level < 0 || level > 11) {
    throw new Fault('invalid', 'CODEC_OPTION_INVALID', `brotli quality ${level} is not an integer from 0 to 11`)
  }
  const params = { [constants.BROTLI_PARAM_QUALITY]: level, [constants.BROTLI_PARAM_LGWIN]: 22 }
  const blockBytes = checkBlockBytes(options.blockBytes ?? CHUNK_BYTES)
  const create = () => createBrotliCompress({ ...compressorOptions(blockBytes), params })
  return {
    name: 'brotli',
    extension: 'br',
    checksummed: false,
    chunkBytes: blockBytes,
    compress: (source) => throughNodeTransform(coalesce(source, blockBytes), create, giveBack),
    decompress: readBrotli,
  }
}

async function* readBrotli(source: ByteSource): AsyncGenerator<Uint8Array, void, undefined> {
  const cursor = createByteCursor(source)
  try {
    yield* runEngine({
      codec: 'brotli',
      offset: 0,
      create: () => createBrotliDecompress(engineOptions),
      pull: () => cursor.next(),
      giveBack: (rest) => cursor.unread(rest),
    })
    const end = cursor.offset
    if ((await cursor.next()) !== undefined) throw trailingFault({ codec: 'brotli', offset: end })
  } finally {
    await cursor.close()
  }
}
