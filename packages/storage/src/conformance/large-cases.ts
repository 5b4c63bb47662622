import type { ByteSource } from '@waltz/bytes'
import { defineCase, ranged, type ConformanceCase } from './case.ts'
import { expectSame, expectThat } from './expect.ts'

const LARGE_BYTES = 200 * 2 ** 20
const BLOCK_BYTES = 2 ** 20

/** How memory is measured while a large object passes. */
export interface MemoryBound {
  /** Bytes that the process holds now, such as `process.memoryUsage.rss`. */
  readonly usedBytes: () => number
  /** How many more than at the start it may hold. */
  readonly maxBytes: number
}

/** The cases of `largeCases`, with memory measured. A store that keeps all objects in memory cannot pass. */
export function largeCasesWithin(bound: MemoryBound | undefined): readonly ConformanceCase[] {
  return [
    defineCase('200 MiB of unknown length pass as a stream, up and down', async ({ store, at }) => {
      const memory = watchMemory(bound)
      const info = await store.put(at('large'), blocks(memory.look))
      expectSame([info.size, (await store.head(at('large'))).size], [LARGE_BYTES, LARGE_BYTES], 'size')
      const read = await compareBlocks(await store.get(at('large')), 0, memory.look)
      expectSame(read, LARGE_BYTES, 'bytes read')
      memory.check()
    }),
    defineCase(
      'ranges far into a large object',
      async ({ store, at }) => {
        await store.put(
          at('large'),
          blocks(() => undefined),
          { size: LARGE_BYTES },
        )
        for (const [start, end] of [
          [150 * BLOCK_BYTES + 13, 151 * BLOCK_BYTES + 14],
          [LARGE_BYTES - 1, LARGE_BYTES],
        ] as const) {
          const read = await compareBlocks(await store.get(at('large'), { range: { start, end } }), start, () => undefined)
          expectSame(read, end, 'end of the range')
        }
        expectSame(
          await compareBlocks(await store.get(at('large'), { range: { start: LARGE_BYTES } }), LARGE_BYTES, () => undefined),
          LARGE_BYTES,
          'nothing behind the end',
        )
      },
      ranged,
    ),
  ]
}

/** Cases that move several hundred MiB: not for every run. */
export const largeCases: readonly ConformanceCase[] = largeCasesWithin(undefined)

/** Each block has its own number in front, so that none can stand for another. */
function blockOf(index: number, memory: Uint8Array<ArrayBuffer> = new Uint8Array(BLOCK_BYTES)): Uint8Array {
  const block = memory.fill(index & 0xff)
  new DataView(block.buffer).setUint32(0, index)
  return block
}

async function* blocks(look: () => void): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < LARGE_BYTES / BLOCK_BYTES; index += 1) {
    look()
    yield blockOf(index)
  }
}

/** Reads to the end; gives the offset at which the source ended. */
async function compareBlocks(source: ByteSource, start: number, look: () => void): Promise<number> {
  let offset = start
  // One for all: what the comparison leaves to the collector would count as the store's.
  const memory = new Uint8Array(BLOCK_BYTES)
  let made = -1
  for await (const chunk of source) {
    look()
    for (let at = 0; at < chunk.length;) {
      const within = offset % BLOCK_BYTES
      const index = Math.floor(offset / BLOCK_BYTES)
      if (index !== made) blockOf(index, memory)
      made = index
      const expected = memory.subarray(within, within + chunk.length - at)
      const same = Buffer.compare(chunk.subarray(at, at + expected.length), expected) === 0
      expectThat(same, `bytes differ between ${offset} and ${offset + expected.length}`)
      at += expected.length
      offset += expected.length
    }
  }
  return offset
}

/** Looks at memory now and then, and checks in the end how much it has grown since. */
export function watchMemory(bound: MemoryBound | undefined): { readonly look: () => void; readonly check: () => void } {
  const before = bound?.usedBytes() ?? 0
  let most = before
  return {
    look: () => void (most = Math.max(most, bound?.usedBytes() ?? 0)),
    check() {
      const grown = most - before
      expectThat(bound === undefined || grown <= bound.maxBytes, `memory grew by ${grown} bytes, more than ${bound?.maxBytes ?? 0}`)
    },
  }
}
