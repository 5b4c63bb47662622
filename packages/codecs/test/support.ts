import { concatBytes, type ByteSource } from '@waltz/bytes'
import { isFault, type Fault } from '@waltz/errors'
import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import { createCodecRegistry, type Codec } from '../src/index.ts'
import { openBrotli } from '../src/brotli.ts'
import { lz4 } from '../src/lz4.ts'
import { openLzma } from '../src/lzma.ts'

export async function collect(source: ByteSource): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of source) {
    expect(chunk.length).toBeGreaterThan(0)
    chunks.push(chunk)
  }
  return concatBytes(chunks)
}

/** A stored object from the folder of fixtures. */
export function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`fixtures/${name}`, import.meta.url)))
}

/** Bytes that compress to about half: repeated words between numbers from a fixed generator. */
export function sample(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = seed
  for (let at = 0; at < length; at += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    bytes[at] = at % 16 < 9 ? 97 + (at % 16) : (state >>> 16) & 0xff
  }
  return bytes
}

/** Bytes that no codec makes smaller. */
export function noise(length: number, seed = 7): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = seed
  for (let at = 0; at < length; at += 1) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes[at] = state & 0xff
  }
  return bytes
}

/** Cuts `bytes` into chunks whose sizes go round in `sizes`; each chunk is memory of its own. */
export async function* inChunks(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = Math.max(1, sizes[turn % sizes.length] ?? 1)
    yield new Uint8Array(bytes.subarray(at, at + size))
    at += size
  }
}

/** The fault that reading `bytes` ends with; undefined when it ends well. */
export async function faultOf(run: () => ByteSource): Promise<Fault | undefined> {
  try {
    for await (const _ of run());
    return undefined
  } catch (error) {
    if (isFault(error)) return error
    throw error
  }
}

export async function codecs(): Promise<Record<string, Codec>> {
  const registry = createCodecRegistry()
  return {
    lz4: await registry.byName('lz4'),
    'lz4-64k': await registry.byName('lz4', { blockBytes: 65_536, blocksInFlight: 1 }),
    'lz4-4m': await registry.byName('lz4', { blockBytes: 4_194_304, blocksInFlight: 4 }),
    'lz4-linked': lz4({ blockBytes: 65_536, linkedBlocks: true, blockChecksums: true }),
    zstd: await registry.byName('zstd'),
    'zstd-1': await registry.byName('zstd', { level: 1 }),
    'zstd-long': await registry.byName('zstd', { longWindowLog: 24 }),
    brotli: await registry.byName('brotli'),
    'brotli-wasm': await openBrotli({ engine: 'brotli-wasm' }),
    lzma: await registry.byName('lzma'),
    'lzma-native': await openLzma({ engine: 'lzma-native' }),
    none: await registry.byName('none'),
  }
}

/** Equality without the cost of comparing element by element. */
export function expectSame(actual: Uint8Array, wanted: Uint8Array): void {
  expect(actual.length).toBe(wanted.length)
  expect(Buffer.compare(actual, wanted)).toBe(0)
}
