import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concatBytes, createBlockPool, lendBytes } from '@waltz/bytes'
import { createPartReader } from '../src/part-reader.ts'
import { patternBytes } from '../src/conformance/sources.ts'

describe('a reader of parts', () => {
  it('cuts any chunks into full parts and a rest, and gives every chunk back once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 5000 }), { maxLength: 40 }),
        fc.integer({ min: 1, max: 4000 }),
        fc.boolean(),
        async (lengths, partBytes, known) => {
          const total = lengths.reduce((sum, length) => sum + length, 0)
          const bytes = patternBytes(total)
          const returned: number[] = []
          async function* source(): AsyncGenerator<Uint8Array> {
            let offset = 0
            for (const [index, length] of lengths.entries()) {
              const chunk = bytes.slice(offset, offset + length)
              offset += length
              yield lendBytes(chunk, () => {
                returned.push(index)
                chunk.fill(0) // whoever took it must have copied it by now
              })
            }
          }
          const pool = createBlockPool(partBytes)
          const reader = createPartReader(source(), pool)
          const parts: Uint8Array[] = []
          while (!(await reader.atEnd())) {
            const expected = known ? Math.min(partBytes, total - parts.length * partBytes) : partBytes
            const { bytes: part, block } = await reader.fill(expected)
            expect(part.buffer).toBe(block.buffer)
            parts.push(new Uint8Array(part))
          }
          expect(Buffer.compare(concatBytes(parts), bytes)).toBe(0)
          expect(parts.slice(0, -1).every((part) => part.length === partBytes)).toBe(true)
          expect(returned).toEqual(lengths.map((_, index) => index))
          expect((await reader.fill(partBytes)).bytes.length).toBe(0)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('takes no more memory than a small object needs, and only whole blocks from the second part on', async () => {
    const pool = createBlockPool(4 * 2 ** 20)
    async function* small(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(100)
    }
    expect((await createPartReader(small(), pool).fill(100)).block.length).toBe(100)
    expect((await createPartReader(small(), pool).fill(4 * 2 ** 20)).block.length).toBe(262_144)
    async function* large(): AsyncGenerator<Uint8Array> {
      for (let chunk = 0; chunk < 90; chunk += 1) yield new Uint8Array(100_000)
    }
    const reader = createPartReader(large(), pool)
    for (const length of [4 * 2 ** 20, 4 * 2 ** 20, 9_000_000 - 8 * 2 ** 20]) {
      const { bytes, block } = await reader.fill(pool.blockBytes)
      expect([bytes.length, block.length]).toEqual([length, pool.blockBytes])
    }
  })

  it('passes a failure of its source on', async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(10)
      throw new Error('on purpose')
    }
    const reader = createPartReader(failing(), createBlockPool(100))
    expect(await reader.atEnd()).toBe(false)
    await expect(reader.fill(100)).rejects.toThrow('on purpose')
  })
})
