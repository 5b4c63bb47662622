import { createGunzip, createGzip, createZstdCompress, zstdDecompressSync } from 'node:zlib'
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import {
  coalesce,
  concatBytes,
  emptySource,
  fromNodeStream,
  limitBytes,
  prefetch,
  readAll,
  readExactly,
  sourceOf,
  tap,
  throughNodeTransform,
  type ByteSource,
} from '../src/index.ts'

const bytes = (length: number, start = 0): Uint8Array => Uint8Array.from({ length }, (_, index) => (start + index) % 251)

/** A source that records whether it was closed, and may fail after its chunks. */
function watched(chunks: readonly Uint8Array[], failure?: Error): { source: ByteSource; state: { pulled: number; closed: boolean } } {
  const state = { pulled: 0, closed: false }
  async function* generate(): AsyncGenerator<Uint8Array> {
    try {
      for (const chunk of chunks) {
        state.pulled += 1
        yield chunk
      }
      if (failure !== undefined) throw failure
    } finally {
      state.closed = true
    }
  }
  return { source: generate(), state }
}

async function collect(source: ByteSource): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = []
  for await (const chunk of source) chunks.push(chunk)
  return chunks
}

describe('coalesce', () => {
  it.each([[[1, 1, 1]], [[7]], [[4, 4]], [[8, 1]], [[3, 13, 2]], [[0, 5]], [[]]])('regroups %j into fours', async (lengths) => {
    const whole = bytes(lengths.reduce((a, b) => a + b, 0))
    let at = 0
    const parts = lengths.map((length) => whole.slice(at, (at += length)))
    const chunks = await collect(coalesce(sourceOf(...parts), 4))
    expect(concatBytes(chunks)).toEqual(whole)
    expect(chunks.slice(0, -1).every((chunk) => chunk.length === 4)).toBe(true)
    expect(chunks.every((chunk) => chunk.length > 0)).toBe(true)
  })

  it('passes a chunk of the right size on without a copy', async () => {
    const chunk = bytes(4)
    expect((await collect(coalesce(sourceOf(chunk), 4)))[0]).toBe(chunk)
  })
})

describe('prefetch', () => {
  it('runs ahead of its consumer, but not further than told', async () => {
    const { source, state } = watched([bytes(10), bytes(10), bytes(10), bytes(10), bytes(10)])
    const iterator = prefetch(source, 20)[Symbol.asyncIterator]()
    await iterator.next()
    await new Promise((resolve) => setTimeout(resolve, 10))
    expect(state.pulled).toBe(3)
    await iterator.return?.(undefined)
    expect(state.closed).toBe(true)
  })

  it('delivers everything, then the failure', async () => {
    const { source } = watched([bytes(3), bytes(3)], new Error('disk'))
    const seen: number[] = []
    await expect(async () => {
      for await (const chunk of prefetch(source, 1000)) seen.push(chunk.length)
    }).rejects.toThrow('disk')
    expect(seen).toEqual([3, 3])
  })

  it('opens nothing before the first pull', async () => {
    const { source, state } = watched([bytes(1)])
    const ahead = prefetch(source, 10)
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(state.pulled).toBe(0)
    await collect(ahead)
    expect(state.closed).toBe(true)
  })
})

describe('small helpers', () => {
  it('readAll refuses more than its limit', async () => {
    expect(await readAll(sourceOf('abc', 'de'), 5)).toEqual(new TextEncoder().encode('abcde'))
    await expect(readAll(sourceOf('abc', 'def'), 5)).rejects.toMatchObject({ kind: 'corrupt', code: 'BYTES_LIMIT_EXCEEDED' })
  })

  it('limitBytes stops and closes its source', async () => {
    const { source, state } = watched([bytes(3), bytes(3)])
    await expect(collect(limitBytes(source, 4))).rejects.toMatchObject({ code: 'BYTES_LIMIT_EXCEEDED' })
    expect(state.closed).toBe(true)
  })

  it('readExactly takes a head and closes', async () => {
    const { source, state } = watched([bytes(3), bytes(3, 3), bytes(3, 6)])
    expect(await readExactly(source, 5)).toEqual(bytes(5))
    expect(state.closed).toBe(true)
    await expect(readExactly(sourceOf('ab'), 3)).rejects.toMatchObject({ kind: 'corrupt', code: 'BYTES_TOO_SHORT' })
    expect(await readExactly(emptySource(), 0)).toHaveLength(0)
  })

  it('tap sees what passes', async () => {
    let seen = 0
    await collect(tap(sourceOf('ab', 'cde'), (chunk) => (seen += chunk.length)))
    expect(seen).toBe(5)
  })
})

/** Takes several chunks before it asks to wait, which is when its end can overtake its last input. */
const roomyCompressor = () => createZstdCompress({ writableHighWaterMark: 524_288 } as object)

describe('node adapters', () => {
  it('throughNodeTransform carries bytes and back-pressure through zlib', async () => {
    const whole = bytes(3_000_000)
    const packed = throughNodeTransform(coalesce(sourceOf(whole), 10_000), () => createGzip())
    expect(
      await readAll(
        throughNodeTransform(packed, () => createGunzip()),
        4_000_000,
      ),
    ).toEqual(whole)
  })

  it('throughNodeTransform reports the failure of its source, and closes it when the consumer leaves', async () => {
    const broken = watched([bytes(10)], new Error('disk'))
    await expect(collect(throughNodeTransform(broken.source, () => createGzip()))).rejects.toThrow('disk')
    const many = watched(Array.from({ length: 1000 }, () => crypto.getRandomValues(new Uint8Array(60_000))))
    for await (const chunk of throughNodeTransform(many.source, () => createGzip())) {
      expect(chunk.length).toBeGreaterThan(0)
      break
    }
    expect(many.state.closed).toBe(true)
    expect(many.state.pulled).toBeLessThan(1000)
  })

  it('throughNodeTransform ends the compressor once only: one zstd frame, however the last chunk arrives', async () => {
    for (const lengths of [[300_000], [262_144, 262_144], [262_144, 262_144, 262_144, 100_000], []]) {
      const packed = await readAll(throughNodeTransform(sourceOf(...lengths.map((length) => bytes(length))), roomyCompressor), 4_000_000)
      const frames = Buffer.from(packed).toString('latin1').split('\x28\xb5\x2f\xfd').length - 1
      expect(frames).toBe(1)
      expect(zstdDecompressSync(packed)).toHaveLength(lengths.reduce((a, b) => a + b, 0))
    }
  })

  it('throughNodeTransform reports damage', async () => {
    await expect(collect(throughNodeTransform(sourceOf('not gzip'), () => createGunzip()))).rejects.toMatchObject({ code: 'Z_DATA_ERROR' })
  })

  it('fromNodeStream destroys the stream when the consumer leaves', async () => {
    const stream = Readable.from([Buffer.from('a'), Buffer.from('b')])
    for await (const chunk of fromNodeStream(() => stream)) {
      expect(chunk).toHaveLength(1)
      break
    }
    expect(stream.destroyed).toBe(true)
  })
})
