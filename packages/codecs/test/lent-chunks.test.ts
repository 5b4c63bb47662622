import { giveBack, lendBytes, sourceOf, type ByteSource } from '@waltz/bytes'
import { describe, expect, it } from 'vitest'
import { brotli } from '../src/brotli.ts'
import type { Codec } from '../src/codec.ts'
import { lz4 } from '../src/lz4.ts'
import { none } from '../src/none.ts'
import { zstd } from '../src/zstd.ts'
import { noise, sample } from './support.ts'

/** Half of it does not shrink, so that blocks of both kinds are written. */
const content = Buffer.concat([sample(2_500_000), noise(2_500_000), sample(700_001)])

const codecs: Readonly<Record<string, Codec>> = {
  'lz4, blocks of 64 KiB': lz4({ blockBytes: 65_536 }),
  'lz4, blocks of 1 MiB': lz4({ blockBytes: 1_048_576 }),
  'zstd, a MiB at once': zstd({ blockBytes: 1_048_576 }),
  'brotli, a MiB at once': brotli({ blockBytes: 1_048_576 }),
  none: none({ blockBytes: 1_048_576 }),
}

/** Chunks whose memory is overwritten as soon as they are given back. */
function lentChunks(size: number): { readonly source: ByteSource; readonly seen: { lent: number; returned: number } } {
  const seen = { lent: 0, returned: 0 }
  async function* source(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let at = 0; at < content.length; at += size) {
      seen.lent += 1
      const chunk = Uint8Array.from(content.subarray(at, at + size))
      yield lendBytes(chunk, () => {
        seen.returned += 1
        chunk.fill(0xa5)
      })
    }
  }
  return { source: source(), seen }
}

/** Reads like a store that writes each chunk to a disk: what was taken is given back later, but before the end. */
async function collectLate(source: ByteSource): Promise<Buffer> {
  const parts: Buffer[] = []
  let last: Uint8Array | undefined
  for await (const chunk of source) {
    if (last !== undefined) {
      parts.push(Buffer.from(last))
      giveBack(last)
    }
    last = chunk
    await new Promise((resolve) => setImmediate(resolve))
  }
  if (last !== undefined) parts.push(Buffer.from(last))
  return Buffer.concat(parts)
}

describe.each(Object.entries(codecs))('%s', (_, codec) => {
  it.each([
    ['of its own size', codec.chunkBytes],
    ['of any size', 300_001],
  ])('uses no chunk %s after it gave it back', async (_size, size) => {
    const { source, seen } = lentChunks(size)
    const packed = await collectLate(codec.compress(source))
    expect(seen.lent).toBeGreaterThan(5)
    if (size === codec.chunkBytes) expect(seen.returned).toBeGreaterThanOrEqual(seen.lent - 2)
    const parts: Buffer[] = []
    for await (const chunk of codec.decompress(sourceOf(packed))) parts.push(Buffer.from(chunk))
    expect(Buffer.concat(parts).equals(content)).toBe(true)
  })
})

describe('the number of bytes that are compressed at once', () => {
  it.each([1000, 100_000.5, 2 ** 30])('cannot be %d', (blockBytes) => {
    for (const create of [zstd, brotli, none]) {
      expect(() => create({ blockBytes })).toThrow(expect.objectContaining({ code: 'CODEC_OPTION_INVALID' }))
    }
  })

  it('is the size of the chunks that are wanted', () => {
    expect([zstd, brotli, none].map((create) => create({ blockBytes: 524_288 }).chunkBytes)).toEqual([524_288, 524_288, 524_288])
  })
})
