import { gzipSync } from 'node:zlib'
import { giveBack, lendBytes, type ByteSource } from '@waltz/bytes'
import { describe, expect, it } from 'vitest'
import { brotli } from '../src/brotli.ts'
import type { Codec } from '../src/codec.ts'
import { gzip } from '../src/gzip.ts'
import { lz4 } from '../src/lz4.ts'
import { zstd } from '../src/zstd.ts'
import { noise, sample } from './support.ts'

/** Half of it does not shrink, so that blocks of both kinds are read. */
const content = Buffer.concat([sample(2_500_000), noise(2_500_000), sample(700_001)])

const codecs: Readonly<Record<string, Codec>> = {
  'lz4, blocks of 64 KiB': lz4({ blockBytes: 65_536 }),
  'lz4, blocks of 1 MiB': lz4({ blockBytes: 1_048_576 }),
  'lz4, blocks of 4 MiB': lz4({ blockBytes: 4_194_304 }),
  zstd: zstd(),
  brotli: brotli(),
}

async function collect(source: ByteSource): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const chunk of source) parts.push(Buffer.from(chunk))
  return Buffer.concat(parts)
}

/** Chunks whose memory is overwritten as soon as they are given back. */
function poisoned(bytes: Uint8Array, size: number): { readonly source: ByteSource; readonly seen: { lent: number; returned: number } } {
  const seen = { lent: 0, returned: 0 }
  async function* source(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let at = 0; at < bytes.length; at += size) {
      seen.lent += 1
      const chunk = Uint8Array.from(bytes.subarray(at, at + size))
      yield lendBytes(chunk, () => {
        seen.returned += 1
        chunk.fill(0xa5)
      })
    }
  }
  return { source: source(), seen }
}

/** Reads like a restore: some chunks at once, the oldest given back while newer ones arrive. */
async function collectHolding(source: ByteSource, held: number): Promise<Buffer> {
  const parts: Buffer[] = []
  const waiting: Uint8Array[] = []
  const letGo = (chunk: Uint8Array | undefined): void => {
    if (chunk === undefined) return
    parts.push(Buffer.from(chunk))
    giveBack(chunk)
  }
  for await (const chunk of source) {
    waiting.push(chunk)
    if (waiting.length > held) letGo(waiting.shift())
    await new Promise((resolve) => setImmediate(resolve))
  }
  waiting.forEach(letGo)
  return Buffer.concat(parts)
}

describe.each(Object.entries(codecs))('reading %s', (_, codec) => {
  it.each([524_288, 70_001, 1000])(
    'uses no chunk of %d bytes after it gave it back, and hands out none that is still held',
    async (size) => {
      const packed = await collect(
        codec.compress(
          (async function* () {
            yield Uint8Array.from(content)
          })(),
        ),
      )
      for (const held of [0, 3]) {
        const { source, seen } = poisoned(packed, size)
        expect((await collectHolding(codec.decompress(source), held)).equals(content)).toBe(true)
        expect(seen.returned).toBeGreaterThanOrEqual(seen.lent - 3)
      }
    },
  )
})

it('reads gzip from chunks that are used again', async () => {
  const { source } = poisoned(Buffer.concat([gzipSync(content), gzipSync(content)]), 65_536)
  expect((await collectHolding(gzip().decompress(source), 2)).equals(Buffer.concat([content, content]))).toBe(true)
})

it('frees the content of an lz4 block when it comes back', async () => {
  const packed = await collect(lz4({ blockBytes: 1_048_576 }).compress(poisoned(sample(3_000_000), 1_048_576).source))
  for await (const chunk of lz4().decompress(poisoned(packed, 65_536).source)) {
    expect(chunk.length).toBeGreaterThan(0)
    giveBack(chunk)
    expect(chunk.length).toBe(0)
  }
})
