import { CHUNK_BYTES, coalesce, type ByteSource } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import type { Codec } from './codec.ts'
import { checkBlockBytes } from './engine-options.ts'
import { loadLzmaEngine, type LzmaEngineName } from './lzma-engines.ts'
import { readLzma } from './lzma-reader.ts'

export type { LzmaEngineName } from './lzma-engines.ts'

/** What may be chosen for lzma. */
export interface LzmaOptions {
  /** Preset, 0 to 9; 1 by default. Higher ones cost ten times as much for a tenth less, and hundreds of MiB of memory. */
  readonly level?: number
  /** Bytes handed to the engine at once, 65,536 or more; 256 KiB by default. */
  readonly blockBytes?: number
  /** Objects that need a larger dictionary are refused: it is memory that the object asks for. 128 MiB by default. */
  readonly maxDictionaryBytes?: number
  /** The package that does the work; the first that loads unless given. `lzma-native` also tells bytes behind the end. */
  readonly engine?: LzmaEngineName
}

const DEFAULT_LEVEL = 1
const DEFAULT_MAX_DICTIONARY_BYTES = 134_217_728

/**
 * "LZMA alone" (RF 6.3): a header without content size, one stream, an end mark. The format has no checksum: damage in the middle can
 * decode to other bytes. Compressing takes about 80 MiB with preset 1 and 225 with preset 6, outside of JavaScript's memory.
 * @throws Fault `invalid` `CODEC_OPTION_INVALID` for a level outside 0 to 9, or such a number of bytes; `unsupported` `CODEC_LOAD_FAILED`
 * when no engine loads.
 */
export async function openLzma(options: LzmaOptions = {}): Promise<Codec> {
  const level = options.level ?? DEFAULT_LEVEL
  if (!Number.isInteger(level) || level < 0 || level > 9) {
    throw new Fault('invalid', 'CODEC_OPTION_INVALID', `lzma level ${level} is not an integer from 0 to 9`)
  }
  const blockBytes = checkBlockBytes(options.blockBytes ?? CHUNK_BYTES)
  const maxDictionaryBytes = options.maxDictionaryBytes ?? DEFAULT_MAX_DICTIONARY_BYTES
  const engine = await loadLzmaEngine(options.engine)
  return {
    name: 'lzma',
    extension: 'lzma',
    checksummed: false,
    chunkBytes: blockBytes,
    // The engine may hold on to its input after it has said that it took it, so chunks are not given back.
    compress: (source: ByteSource) => engine.compress(coalesce(source, blockBytes), level),
    decompress: (source: ByteSource) => readLzma(source, { engine, maxDictionaryBytes }),
  }
}
