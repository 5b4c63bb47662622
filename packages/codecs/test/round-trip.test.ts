import { sourceOf } from '@waltz/bytes'
import { array, assert, asyncProperty, integer } from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { codecs, collect, expectSame, inChunks, noise, sample } from './support.ts'

vi.setConfig({ testTimeout: 30_000 }) // many runs each, on machines that do other things as well

const all = await codecs()
const K = 1024

describe.each(Object.entries(all))('%s', (_, codec) => {
  const block = codec.chunkBytes
  it.each([0, 1, 511, block - 1, block, block + 1, 3 * block + 17])('returns %d bytes as they were', async (size) => {
    const plain = sample(size)
    const packed = await collect(codec.compress(inChunks(plain, [100_000])))
    expectSame(await collect(codec.decompress(inChunks(packed, [65_536]))), plain)
  })

  it('returns bytes that do not shrink', async () => {
    const plain = noise(2 * block + 5)
    const packed = await collect(codec.compress(inChunks(plain, [block])))
    expect(packed.length).toBeLessThan(plain.length * (codec.name === 'lzma' ? 1.02 : 1) + 200)
    expectSame(await collect(codec.decompress(inChunks(packed, [1_000_003]))), plain)
  })

  it('does not care how the bytes are cut', async () => {
    const sizes = array(integer({ min: 1, max: 70 * K }), { minLength: 1, maxLength: 5 })
    await assert(
      asyncProperty(integer({ min: 0, max: 300 * K }), sizes, sizes, async (size, cutIn, cutOut) => {
        const plain = sample(size, size + 1)
        const packed = await collect(codec.compress(inChunks(plain, cutIn)))
        expectSame(await collect(codec.decompress(inChunks(packed, cutOut))), plain)
      }),
      { numRuns: 15 },
    )
  })

  it('reads a byte at a time', async () => {
    const plain = sample(2000)
    const packed = await collect(codec.compress(sourceOf(plain)))
    expectSame(await collect(codec.decompress(inChunks(packed, [1]))), plain)
  })

  it('leaves its input as it was', async () => {
    const plain = sample(block + 100)
    const copy = plain.slice()
    const packed = await collect(codec.compress(sourceOf(plain)))
    expectSame(plain, copy)
    const packedCopy = packed.slice()
    await collect(codec.decompress(sourceOf(packed)))
    expectSame(packed, packedCopy)
  })

  it('hands chunks over for good: a consumer may overwrite them', async () => {
    const plain = sample(3 * block)
    const packed: Uint8Array[] = []
    for await (const chunk of codec.compress(inChunks(plain, [block]))) {
      packed.push(new Uint8Array(chunk))
      chunk.fill(0xee)
    }
    const seen: Uint8Array[] = []
    for await (const chunk of codec.decompress(sourceOf(...packed))) {
      seen.push(new Uint8Array(chunk))
      chunk.fill(0xdd)
    }
    expectSame(Buffer.concat(seen), plain)
  })
})
