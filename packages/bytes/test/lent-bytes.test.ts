import { describe, expect, it } from 'vitest'
import { coalesce, createBlockPool, giveBack, lendBytes } from '../src/index.ts'

describe('lent bytes', () => {
  it('are taken back once, by the very chunk', () => {
    const returned: Uint8Array[] = []
    const chunk = lendBytes(Uint8Array.of(1, 2, 3), (bytes) => returned.push(bytes))
    giveBack(chunk.subarray(1))
    giveBack(new Uint8Array(chunk.buffer))
    expect(returned).toEqual([])
    giveBack(chunk)
    giveBack(chunk)
    expect(returned).toEqual([chunk])
  })

  it('may be anything else, without effect', () => {
    expect(() => giveBack(Uint8Array.of(1))).not.toThrow()
  })
})

describe('a block pool', () => {
  it('hands memory out again only after it was given back', () => {
    const pool = createBlockPool(4096)
    const first = pool.take()
    const second = pool.take()
    expect(second.buffer).not.toBe(first.buffer)
    giveBack(first)
    const third = pool.take()
    expect(third.buffer).toBe(first.buffer)
    expect(pool.take().buffer).not.toBe(second.buffer)
    expect([first, second, third].map((block) => block.length)).toEqual([4096, 4096, 4096])
  })

  it('keeps no more unused blocks than it was told', () => {
    const pool = createBlockPool(16, { maxSpare: 1 })
    const [first, second] = [pool.take(), pool.take()]
    giveBack(first)
    giveBack(second)
    expect(pool.take().buffer).toBe(first.buffer)
    expect(pool.take().buffer).not.toBe(second.buffer)
  })

  it('is not misled by a view of an earlier loan', () => {
    const pool = createBlockPool(16)
    const old = pool.take()
    giveBack(old)
    const current = pool.take()
    giveBack(old)
    expect(pool.take().buffer).not.toBe(current.buffer)
  })
})

describe('coalesce', () => {
  /** Chunks that are overwritten as soon as they are given back. */
  function lentChunks(sizes: readonly number[]): {
    readonly source: AsyncIterable<Uint8Array>
    readonly expected: Buffer
    returned: number
  } {
    let next = 0
    const chunks = sizes.map((size) => Uint8Array.from({ length: size }, () => (next += 1) % 251))
    const result = { source: undefined as never as AsyncIterable<Uint8Array>, expected: Buffer.concat(chunks), returned: 0 }
    result.source = (async function* () {
      for (const chunk of chunks) {
        yield lendBytes(chunk, () => {
          chunk.fill(0xff)
          result.returned += 1
        })
      }
    })()
    return result
  }

  it.each([
    { sizes: [10, 10, 10], size: 10, returned: 0 },
    { sizes: [10, 3], size: 10, returned: 0 },
    { sizes: [3, 3, 3, 3, 3], size: 4, returned: 2 },
    { sizes: [4, 4, 4], size: 10, returned: 2 },
    { sizes: [1, 25, 7], size: 10, returned: 1 },
    { sizes: [5, 0, 5], size: 10, returned: 3 },
  ])('gives back what it copied whole of $sizes, and nothing else', async ({ sizes, size, returned }) => {
    const lent = lentChunks(sizes)
    const chunks: Uint8Array[] = []
    for await (const chunk of coalesce(lent.source, size)) chunks.push(chunk)
    expect(Buffer.concat(chunks).equals(lent.expected)).toBe(true)
    expect(chunks.slice(0, -1).every((chunk) => chunk.length === size)).toBe(true)
    expect(chunks.at(-1)?.length).toBeLessThanOrEqual(size)
    expect(lent.returned).toBe(returned)
  })

  it('passes the last chunk on as it is', async () => {
    const only = Uint8Array.of(1, 2, 3)
    const chunks: Uint8Array[] = []
    for await (const chunk of coalesce(
      (async function* () {
        yield only
      })(),
      10,
    ))
      chunks.push(chunk)
    expect(chunks).toEqual([only])
    expect(chunks[0]).toBe(only)
  })
})
