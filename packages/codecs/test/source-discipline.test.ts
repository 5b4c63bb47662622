import { Fault } from '@waltz/errors'
import { describe, expect, it, vi } from 'vitest'
import { gzip } from '../src/gzip.ts'
import { gzipSync } from 'node:zlib'
import { codecs, collect, faultOf, inChunks, sample } from './support.ts'

vi.setConfig({ testTimeout: 30_000 }) // on machines that do other things as well

const all = await codecs()
const plain = sample(2_000_000)

function watched(bytes: Uint8Array, chunk: number, failAt = Number.POSITIVE_INFINITY) {
  const seen = { pulled: 0, closed: false, opened: false }
  async function* source(): AsyncGenerator<Uint8Array, void, undefined> {
    seen.opened = true
    try {
      for (let at = 0; at < bytes.length; at += chunk) {
        if (at >= failAt) throw new Fault('unavailable', 'TEST_STORE_GONE', 'the store went away')
        seen.pulled += 1
        yield bytes.slice(at, at + chunk)
      }
    } finally {
      seen.closed = true
    }
  }
  return { seen, source: source() }
}

describe.each(Object.entries(all))('%s', (_, codec) => {
  it('opens nothing before the first pull', async () => {
    const { seen, source } = watched(plain, 65_536)
    codec.compress(source)
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(seen.opened).toBe(false)
  })

  it('closes the source when the consumer stops', async () => {
    const compressing = watched(plain, 65_536)
    for await (const _ of codec.compress(compressing.source)) break
    expect(compressing.seen.closed).toBe(true)
    const decompressing = watched(await collect(codec.compress(inChunks(plain, [65_536]))), 10_000)
    for await (const _ of codec.decompress(decompressing.source)) break
    expect(decompressing.seen.closed).toBe(true)
  })

  it('passes the failure of the source on as it is', async () => {
    const compressing = watched(plain, 65_536, 700_000)
    expect((await faultOf(() => codec.compress(compressing.source)))?.code).toBe('TEST_STORE_GONE')
    const packed = await collect(codec.compress(inChunks(plain, [65_536])))
    const decompressing = watched(packed, 10_000, packed.length / 2)
    expect((await faultOf(() => codec.decompress(decompressing.source)))?.code).toBe('TEST_STORE_GONE')
  })

  it('does not read far ahead of a slow consumer', async () => {
    // The encoders of lzma fill a window of 4 MiB before anything comes out.
    const ahead = codec.name === 'lzma' ? 26 : 9
    const { seen, source } = watched(sample(2 * ahead * codec.chunkBytes), codec.chunkBytes)
    for await (const _ of codec.compress(source)) {
      await new Promise((resolve) => setTimeout(resolve, 20))
      break
    }
    expect(seen.pulled).toBeLessThanOrEqual(ahead)
  })
})

describe('gzip', () => {
  it('closes its source and passes its failures on', async () => {
    const packed = gzipSync(plain)
    const early = watched(packed, 10_000)
    for await (const _ of gzip().decompress(early.source)) break
    expect(early.seen.closed).toBe(true)
    const failing = watched(packed, 10_000, packed.length / 2)
    expect((await faultOf(() => gzip().decompress(failing.source)))?.code).toBe('TEST_STORE_GONE')
  })
})
