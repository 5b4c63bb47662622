import type { ByteSource } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import type { Preset } from 'lzma-native'
import { pipeline, Readable, type Transform } from 'node:stream'
import { throughWebTransform, type WebTransform } from './through-web-transform.ts'

/** Packages that can compress and decompress LZMA. */
export type LzmaEngineName = '@napi-rs/lzma' | 'lzma-native'

/** One of them, loaded. */
export interface LzmaEngine {
  readonly name: LzmaEngineName
  compress(source: ByteSource, preset: number): ByteSource
  /** `onEnd` hears how many bytes of the source belong to the stream, where the engine tells. */
  decompress(source: ByteSource, onEnd: (consumedBytes: number) => void): ByteSource
}

/** Not in the declarations of `lzma-native`. */
interface CountingStream {
  totalIn(): number
}

/**
 * Loads the engine that is named, or the first that loads.
 * @throws Fault `unsupported` `CODEC_LOAD_FAILED` that names the package to install.
 */
export async function loadLzmaEngine(name?: LzmaEngineName): Promise<LzmaEngine> {
  const names: readonly LzmaEngineName[] = name === undefined ? ['@napi-rs/lzma', 'lzma-native'] : [name]
  const failures: unknown[] = []
  for (const candidate of names) {
    try {
      return candidate === 'lzma-native' ? await loadLzmaNative() : await loadNapiLzma()
    } catch (error) {
      failures.push(error)
    }
  }
  throw new Fault(
    'unsupported',
    'CODEC_LOAD_FAILED',
    `the lzma codec could not be loaded: ${names.join(' and ')} are missing or do not run here`,
    {
      hint: `Install it beside @waltz/codecs: npm install ${names[0]}`,
      cause: failures[0],
    },
  )
}

async function loadNapiLzma(): Promise<LzmaEngine> {
  const { compressStream, decompressStream } = await import('@napi-rs/lzma/lzma')
  return {
    name: '@napi-rs/lzma',
    compress: (source, preset) => throughWebTransform(source, (input) => compressStream(input, { preset })),
    decompress: (source) => throughWebTransform(source, decompressStream),
  }
}

async function loadLzmaNative(): Promise<LzmaEngine> {
  const { createStream } = (await import('lzma-native')).default
  return {
    name: 'lzma-native',
    compress: (source, preset) => throughWebTransform(source, piped(createStream('aloneEncoder', { preset: preset as Preset }))),
    decompress: async function* (source, onEnd) {
      const decoder: Transform = createStream('aloneDecoder', {})
      yield* throughWebTransform(source, piped(decoder))
      onEnd((decoder as Transform & CountingStream).totalIn())
    },
  }
}

/** These streams push whatever they make, wanted or not, so they are given their input as the other engine is. */
function piped(stream: Transform): WebTransform {
  return (input) => Readable.toWeb(pipeline(Readable.fromWeb(input), stream, () => undefined)) // failures come out at the reading end
}
