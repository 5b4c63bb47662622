import { giveBack, throughNodeTransform, type ByteSource } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import * as zlib from 'node:zlib'
import type { ByteCursor } from './byte-cursor.ts'
import { compressorOptions, engineOptions } from './engine-options.ts'
import { lendOutput } from './lend-output.ts'
import { runEngine } from './run-engine.ts'

/** What can compress and decompress brotli: Node itself, or a package. */
export type BrotliEngineName = 'node:zlib' | 'brotli-wasm'

/** One of them. */
export interface BrotliEngine {
  readonly name: BrotliEngineName
  /** `source` has chunks of `blockBytes`. */
  compress(source: ByteSource, choice: { readonly level: number; readonly blockBytes: number }): ByteSource
  /** Reads one stream and puts what follows it back. */
  decompress(cursor: ByteCursor): ByteSource
}

/** RF 6.5: a window of 4 MiB. */
const WINDOW_LOG = 22

/** Some runtimes have a `node:zlib` without brotli. */
const ofNode: { readonly createBrotliCompress?: typeof zlib.createBrotliCompress } = zlib

/**
 * Node's own brotli.
 * @throws Fault `unsupported` `CODEC_LOAD_FAILED` where `node:zlib` has none.
 */
export function nodeBrotli(): BrotliEngine {
  if (ofNode.createBrotliCompress === undefined) {
    throw loadFailed('node:zlib has no brotli here', new Error('createBrotliCompress is missing'))
  }
  return {
    name: 'node:zlib',
    compress(source, { level, blockBytes }) {
      const params = { [zlib.constants.BROTLI_PARAM_QUALITY]: level, [zlib.constants.BROTLI_PARAM_LGWIN]: WINDOW_LOG }
      const create = (): zlib.BrotliCompress => zlib.createBrotliCompress({ ...compressorOptions(blockBytes), params })
      return lendOutput(throughNodeTransform(source, create, giveBack))
    },
    decompress: (cursor) =>
      runEngine({
        codec: 'brotli',
        offset: 0,
        create: () => zlib.createBrotliDecompress(engineOptions),
        pull: () => cursor.next(),
        giveBack: (rest) => cursor.unread(rest),
      }),
  }
}

/**
 * Loads the engine that is named; by default Node's own, and `brotli-wasm` where Node has none.
 * @throws Fault `unsupported` `CODEC_LOAD_FAILED` that names the package to install.
 */
export async function loadBrotliEngine(name?: BrotliEngineName): Promise<BrotliEngine> {
  const wanted = name ?? (ofNode.createBrotliCompress === undefined ? 'brotli-wasm' : 'node:zlib')
  if (wanted === 'node:zlib') return nodeBrotli()
  try {
    return await (await import('./brotli-wasm.ts')).loadWasmBrotli()
  } catch (error) {
    throw loadFailed('brotli-wasm is missing or does not run here', error)
  }
}

function loadFailed(why: string, cause: unknown): Fault {
  return new Fault('unsupported', 'CODEC_LOAD_FAILED', `the brotli codec could not be loaded: ${why}`, {
    hint: 'Install it beside @waltz/codecs: npm install brotli-wasm',
    cause,
  })
}
