import { CHUNK_BYTES, coalesce, type ByteSource } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import { loadBrotliEngine, nodeBrotli, type BrotliEngine, type BrotliEngineName } from './brotli-engines.ts'
import { createByteCursor } from './byte-cursor.ts'
import type { Codec } from './codec.ts'
import { trailingFault } from './codec-faults.ts'
import { checkBlockBytes, STATEFUL_BLOCK_BYTES } from './engine-options.ts'

export type { BrotliEngineName } from './brotli-engines.ts'

/** What may be chosen for brotli. */
export interface BrotliOptions {
  /** Quality, 0 to 11; 3 by default. */
  readonly level?: number
  /**
   * Bytes handed to the engine at once, 65,536 or more; 2 MiB by default, 256 KiB for `brotli-wasm`. Less saves memory and takes time; the
   * stored bytes may differ.
   */
  readonly blockBytes?: number
}

/** What may be chosen where the engine is loaded first. */
export interface OpenBrotliOptions extends BrotliOptions {
  /**
   * Who does the work: `node:zlib`, off the main thread, or the package `brotli-wasm`, on the main thread and several times slower, for
   * runtimes without the former. The first that there is unless given.
   */
  readonly engine?: BrotliEngineName
}

/**
 * Brotli (RF 6.5) of `node:zlib`: one raw stream, window of 4 MiB. The format has no checksum: damage in the middle can decode to
 * other bytes of any length, and only a cut or a broken structure is noticed.
 * @throws Fault `invalid` `CODEC_OPTION_INVALID` for a quality outside 0 to 11, or such a number of bytes; `unsupported`
 * `CODEC_LOAD_FAILED` where `node:zlib` has no brotli.
 */
export function brotli(options: BrotliOptions = {}): Codec {
  return createBrotli(options, nodeBrotli())
}

/**
 * Brotli of a chosen engine. All of them read each other's objects and report damage alike.
 * @throws Fault `invalid` `CODEC_OPTION_INVALID` as `brotli` does; `unsupported` `CODEC_LOAD_FAILED` that names the package to install.
 */
export async function openBrotli(options: OpenBrotliOptions = {}): Promise<Codec> {
  return createBrotli(options, await loadBrotliEngine(options.engine))
}

function createBrotli(options: BrotliOptions, engine: BrotliEngine): Codec {
  const level = options.level ?? 3
  if (!Number.isInteger(level) || level < 0 || level > 11) {
    throw new Fault('invalid', 'CODEC_OPTION_INVALID', `brotli quality ${level} is not an integer from 0 to 11`)
  }
  const blockBytes = checkBlockBytes(options.blockBytes ?? (engine.name === 'node:zlib' ? STATEFUL_BLOCK_BYTES : CHUNK_BYTES))
  return {
    name: 'brotli',
    extension: 'br',
    checksummed: false,
    chunkBytes: blockBytes,
    compress: (source) => engine.compress(coalesce(source, blockBytes), { level, blockBytes }),
    decompress: (source) => readBrotli(source, engine),
  }
}

async function* readBrotli(source: ByteSource, engine: BrotliEngine): AsyncGenerator<Uint8Array, void, undefined> {
  const cursor = createByteCursor(source)
  try {
    yield* engine.decompress(cursor)
    const end = cursor.offset
    if ((await cursor.next()) !== undefined) throw trailingFault({ codec: 'brotli', offset: end })
  } finally {
    await cursor.close()
  }
}
