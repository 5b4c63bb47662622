import { giveBack, sourceOf } from '@waltz/bytes'
import { describe, expect, it } from 'vitest'
import { brotli } from '../src/brotli.ts'
import { zstd } from '../src/zstd.ts'
import { collect, expectSame, noise } from './support.ts'

const content = noise(2_000_000)

describe.each([
  ['zstd', zstd({ blockBytes: 65_536 })],
  ['brotli', brotli({ blockBytes: 65_536 })],
])('what %s writes', (_, codec) => {
  it('is freed when it was given back, as soon as the engine works elsewhere', async () => {
    const memories = new Set<ArrayBufferLike>()
    for await (const chunk of codec.compress(sourceOf(content))) {
      memories.add(chunk.buffer)
      giveBack(chunk)
    }
    expect(memories.size).toBeGreaterThan(5)
    expect([...memories].filter(({ byteLength }) => byteLength > 0)).toEqual([])
  })

  it('stays as long as one chunk of the same memory was not given back', async () => {
    const kept: { readonly chunk: Uint8Array; readonly copy: Buffer }[] = []
    const parts: Buffer[] = []
    for await (const chunk of codec.compress(sourceOf(content))) {
      const copy = Buffer.from(chunk)
      parts.push(copy)
      if (parts.length % 3 === 0) kept.push({ chunk, copy })
      else giveBack(chunk)
    }
    expect(kept.length).toBeGreaterThan(3)
    for (const { chunk, copy } of kept) expect(copy.equals(chunk)).toBe(true)
    expectSame(await collect(codec.decompress(sourceOf(Buffer.concat(parts)))), content)
  })
})
