import { sourceOf } from '@waltz/bytes'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { limitContent } from '../src/index.ts'
import { gzip } from '../src/gzip.ts'
import { codecs, collect, expectSame } from './support.ts'

const all = await codecs()

describe.each(Object.entries({ ...all, gzip: gzip() }))('%s with a limit', (name, codec) => {
  const plain = new Uint8Array(3_000_000)
  const pack = async (): Promise<Uint8Array> =>
    name === 'gzip' ? new Uint8Array(gzipSync(plain)) : collect(codec.compress(sourceOf(plain)))

  it('gives what fits, and not a byte more', async () => {
    const packed = await pack()
    expectSame(await collect(limitContent(codec, plain.length).decompress(sourceOf(packed))), plain)
    let seen = 0
    let closed = false
    const source = (async function* () {
      try {
        for (let at = 0; at < packed.length; at += 1000) yield packed.subarray(at, at + 1000)
        yield new Uint8Array(1)
      } finally {
        closed = true
      }
    })()
    const reading = (async () => {
      for await (const chunk of limitContent(codec, 1_000_000).decompress(source)) seen += chunk.length
    })()
    await expect(reading).rejects.toMatchObject({ kind: 'corrupt', code: 'CODEC_CONTENT_TOO_LARGE' })
    expect(seen).toBeLessThanOrEqual(1_000_000)
    expect(closed).toBe(true)
  })

  it('is otherwise the same codec', () => {
    const { name: sameName, extension, checksummed, chunkBytes } = limitContent(codec, 5)
    expect({ sameName, extension, checksummed, chunkBytes }).toEqual({
      sameName: codec.name,
      extension: codec.extension,
      checksummed: codec.checksummed,
      chunkBytes: codec.chunkBytes,
    })
  })
})

it.each([-1, 1.5, Number.NaN, Infinity])('%d is no limit', (maxBytes) => {
  expect(() => limitContent(gzip(), maxBytes)).toThrow(expect.objectContaining({ code: 'CODEC_OPTION_INVALID' }))
})
