import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { readAhead } from '../src/read-ahead.ts'

async function settled(): Promise<void> {
  for (let index = 0; index < 20; index += 1) await turn()
}

describe('reading ahead', () => {
  it('fetches while nobody asks, as much as may wait, and gives everything in order', async () => {
    let made = 0
    async function* source(): AsyncGenerator<number> {
      for (; made < 100; made += 1) yield made
    }
    await using ahead = readAhead(source(), 10, () => 2)
    await settled()
    expect(made).toBe(4) // the fifth was given, and has not been asked to go on
    const seen: number[] = []
    for await (const item of ahead) {
      seen.push(item)
      if (item % 10 === 0) await settled()
      expect(made - item).toBeLessThanOrEqual(6)
    }
    expect(seen).toEqual(Array.from({ length: 100 }, (_, index) => index))
  })

  it('tells of a failure behind what came before it, and leaves none that nobody sees', async () => {
    async function* source(): AsyncGenerator<number> {
      yield 1
      yield 2
      throw new Error('boom')
    }
    const seen: number[] = []
    const all = async (): Promise<void> => {
      for await (const item of readAhead(source(), 10, () => 1)) seen.push(item)
    }
    await expect(all()).rejects.toThrow('boom')
    expect(seen).toEqual([1, 2])
    await using unseen = readAhead(source(), 10, () => 1)
    await settled()
    expect(unseen).toBeDefined()
  })

  it('closes its source when nobody wants it any more', async () => {
    let closed = false
    async function* source(): AsyncGenerator<number> {
      try {
        for (let index = 0; ; index += 1) yield index
      } finally {
        closed = true
      }
    }
    const ahead = readAhead(source(), 5, () => 1)
    for await (const item of ahead) if (item === 3) break
    await ahead[Symbol.asyncDispose]()
    expect(closed).toBe(true)
  })
})
