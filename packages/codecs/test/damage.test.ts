import { sourceOf } from '@waltz/bytes'
import { gzipSync } from 'node:zlib'
import { describe, expect, it, vi } from 'vitest'
import { brotli } from '../src/brotli.ts'
import { gzip } from '../src/gzip.ts'
import { lz4 } from '../src/lz4.ts'
import { openLzma } from '../src/lzma.ts'
import { lzo } from '../src/lzo.ts'
import { zstd } from '../src/zstd.ts'
import { collect, expectSame, faultOf, fixture, noise, sample } from './support.ts'

vi.setConfig({ testTimeout: 30_000 }) // many runs each, on machines that do other things as well

// Two equal halves without a short period, so that a changed match shows in the content.
const plain = new Uint8Array(Buffer.concat([noise(200), noise(200)]))
const lzmaDefault = await openLzma({ engine: '@napi-rs/lzma' })
const lzmaNative = await openLzma({ engine: 'lzma-native' })
const subjects = [
  { label: 'lz4', codec: lz4(), packed: await collect(lz4().compress(sourceOf(plain))) },
  { label: 'zstd', codec: zstd(), packed: await collect(zstd().compress(sourceOf(plain))) },
  { label: 'brotli', codec: brotli(), packed: await collect(brotli().compress(sourceOf(plain))) },
  { label: 'gzip', codec: gzip(), packed: new Uint8Array(gzipSync(plain)) },
  { label: 'lzma of @napi-rs/lzma', codec: lzmaDefault, packed: await collect(lzmaDefault.compress(sourceOf(plain))) },
  { label: 'lzma of lzma-native', codec: lzmaNative, packed: await collect(lzmaNative.compress(sourceOf(plain))) },
  { label: 'lzo', codec: lzo(), packed: fixture('backup-history.lzo') },
]
const JUNK: readonly (readonly number[])[] = [
  [0],
  [1],
  [0x1f],
  [0x1f, 0x8c],
  [0x04, 0x22, 0x4d],
  [0x28, 0xb5],
  [0, 0, 0, 0],
  [1, 2, 3, 4, 5, 6, 7, 8],
  Array.from({ length: 700 }, () => 0x41),
]

describe.each(subjects.map((subject) => [subject.label, subject] as const))('%s', (label, { codec, packed }) => {
  it('notices every cut', async () => {
    for (let length = label === 'zstd' ? 1 : 0; length < packed.length; length += 1) {
      const fault = await faultOf(() => codec.decompress(sourceOf(packed.subarray(0, length))))
      expect([length, fault?.kind, fault?.code]).toEqual([length, 'corrupt', 'CODEC_TRUNCATED'])
    }
  })

  it('notices every cut when the bytes come in small chunks', async () => {
    for (let length = 1; length < packed.length; length += 13) {
      const halves = [packed.subarray(0, length >> 1), packed.subarray(length >> 1, length)]
      expect((await faultOf(() => codec.decompress(sourceOf(...halves))))?.code).toBe('CODEC_TRUNCATED')
    }
  })

  // The default engine of lzma does not tell: see lzma.test.ts.
  it.each((codec === lzmaDefault ? [] : JUNK).map((junk) => [junk.length, junk[0], junk] as const))(
    'notices %d bytes of junk behind the end, beginning with %d',
    async (_, __, junk) => {
      const tail = Uint8Array.from(junk)
      const together = Buffer.concat([packed, tail])
      for (const chunks of [[together], [packed, tail], [together.subarray(0, 5), together.subarray(5)]]) {
        const fault = await faultOf(() => codec.decompress(sourceOf(...chunks)))
        expect([fault?.kind, fault?.code, fault?.context['offset']]).toEqual(['corrupt', 'CODEC_TRAILING_BYTES', packed.length])
      }
    },
  )

  it('refuses what is another format altogether', async () => {
    const fault = await faultOf(() => codec.decompress(sourceOf(sample(3000))))
    expect(fault?.kind).toBe('corrupt')
  })
})

describe.each(subjects.filter(({ codec }) => codec.checksummed).map((subject) => [subject.label, subject] as const))(
  '%s with a flipped bit',
  (_, { codec, packed }) => {
    it('never gives other bytes', async () => {
      const whole = await collect(codec.decompress(sourceOf(packed)))
      let harmless = 0
      for (let bit = 0; bit < packed.length * 8; bit += 1) {
        const damaged = packed.slice()
        damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        try {
          expectSame(await collect(codec.decompress(sourceOf(damaged))), whole)
          harmless += 1
        } catch (error) {
          expect(error).toMatchObject({ name: 'Fault' })
          expect(['corrupt', 'unsupported']).toContain((error as { kind: string }).kind)
        }
      }
      // gzip's time and system fields say nothing about the content; zstd has a few such bits, lz4 and lzo none.
      expect(harmless).toBeLessThan(codec.name === 'gzip' ? 60 : 12)
    })
  },
)

describe('an empty object', () => {
  it('is empty content for zstd, as old writers left it, and damage for the others', async () => {
    expect((await collect(zstd().decompress(sourceOf()))).length).toBe(0)
    for (const codec of [lz4(), brotli(), gzip(), lzmaDefault, lzmaNative, lzo()]) {
      expect((await faultOf(() => codec.decompress(sourceOf())))?.code).toBe('CODEC_TRUNCATED')
    }
  })
})

describe('brotli', () => {
  it('refuses a second stream behind the first: the format has no concatenation', async () => {
    const packed = await collect(brotli().compress(sourceOf(plain)))
    expect((await faultOf(() => brotli().decompress(sourceOf(packed, packed))))?.code).toBe('CODEC_TRAILING_BYTES')
  })
})

describe('lzma of @napi-rs/lzma', () => {
  it('passes over what follows the end: it does not tell where that is', async () => {
    const packed = await collect(lzmaDefault.compress(sourceOf(plain)))
    expectSame(await collect(lzmaDefault.decompress(sourceOf(packed, Uint8Array.of(1, 2, 3)))), plain)
  })
})

describe('lzma', () => {
  it.each([lzmaDefault, lzmaNative])('gives a fault or some bytes for a flipped bit, and nothing else', async (codec) => {
    const packed = await collect(codec.compress(sourceOf(plain)))
    for (let bit = 0; bit < packed.length * 8; bit += 1) {
      const damaged = packed.slice()
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const fault = await faultOf(() => codec.decompress(sourceOf(damaged)))
      expect(['corrupt', 'unsupported', undefined]).toContain(fault?.kind)
    }
  })
})
