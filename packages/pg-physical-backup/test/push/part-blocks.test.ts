import { describe, expect, it } from 'vitest'
import { giveBack } from '@waltz/bytes'
import { createPartBlocks, type PartBlocks } from '../../src/push/part-blocks.ts'

const BLOCK = 1024

/** Takes the rest of the current block, which is filled when the returned functions say so. */
function fillLater(
  blocks: PartBlocks,
  value: number,
): { readonly fill: () => void; readonly fail: (error: Error) => void; readonly filling: Promise<void> } {
  const { block, used, room } = blocks.room()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  blocks.advance(room, promise)
  return {
    fill() {
      block.fill(value, used, used + room)
      resolve()
    },
    fail: reject,
    filling: promise,
  }
}

async function take(blocks: PartBlocks): Promise<Uint8Array[]> {
  const taken: Uint8Array[] = []
  for await (const block of blocks.full()) taken.push(Uint8Array.from(block))
  return taken
}

describe('the blocks of a part', () => {
  it('are yielded whole and in order, whichever content arrives first', async () => {
    const blocks = createPartBlocks(BLOCK)
    const fills = [1, 2, 3].map((value) => fillLater(blocks, value))
    blocks.bytes(Uint8Array.of(4))
    const taken: number[] = []
    const taking = (async () => {
      for await (const block of blocks.rest()) taken.push(block[block.length - 1] ?? -1)
    })()
    fills[2]?.fill()
    fills[1]?.fill()
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(taken).toEqual([])
    fills[0]?.fill()
    await taking
    expect(taken).toEqual([1, 2, 3, 4])
  })

  it('do not wait for content ahead of the first, and then hold back no more than two', async () => {
    const blocks = createPartBlocks(BLOCK)
    const counts: number[] = []
    for (let value = 1; value <= 6; value += 1) {
      fillLater(blocks, value).fill()
      counts.push((await take(blocks)).length)
    }
    expect(counts).toEqual([1, 0, 1, 0, 1, 1])
  })

  it('throw what made their content fail, when their turn has come', async () => {
    const blocks = createPartBlocks(BLOCK)
    const fills = [1, 2].map((value) => fillLater(blocks, value))
    fills[1]?.fail(new Error('no such disk'))
    fills[0]?.fill()
    const values: number[] = []
    const reading = (async () => {
      for await (const block of blocks.rest()) values.push(block[0] ?? -1)
    })()
    await expect(reading).rejects.toThrow('no such disk')
    expect(values).toEqual([1])
    await blocks.settled()
  })

  it('are given memory that came back, and no other', async () => {
    const blocks = createPartBlocks(BLOCK)
    fillLater(blocks, 1).fill()
    const held: Uint8Array[] = []
    for await (const block of blocks.full()) held.push(block)
    const [first] = held as [Uint8Array]
    expect(blocks.room().block.buffer).not.toBe(first.buffer)
    giveBack(first)
    fillLater(blocks, 2).fill()
    expect(blocks.room().block.buffer).toBe(first.buffer)
  })

  it('are settled only when nothing is read into them and what was to follow is done', async () => {
    const blocks = createPartBlocks(BLOCK)
    const reading = fillLater(blocks, 1)
    const steps: string[] = []
    blocks.afterReads([reading.filling], async () => void steps.push('closed'))
    const settled = blocks.settled().then(() => steps.push('settled'))
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(steps).toEqual([])
    reading.fail(new Error('gone'))
    await settled
    expect(steps).toEqual(['closed', 'settled'])
  })
})
