import { giveBack, type BlockPool, type ByteSource } from '@waltz/bytes'

/** Blocks for small objects start with so much and are enlarged. */
const FIRST_BLOCK_BYTES = 262_144

/** Cuts a source into parts. */
export interface PartReader {
  /** Fills a block with the next bytes, `pool.blockBytes` of them unless the source ends. */
  fill(expected: number): Promise<{ readonly bytes: Uint8Array; readonly block: Uint8Array }>
  /** Whether there is no further byte. */
  atEnd(): Promise<boolean>
}

/** Reads `source` in parts of `pool.blockBytes`; full blocks are lent by the pool. */
export function createPartReader(source: ByteSource, pool: BlockPool): PartReader {
  const iterator = source[Symbol.asyncIterator]()
  /** The chunk at hand and how much of it was taken. */
  let chunk: Uint8Array | undefined
  let taken = 0
  let ended = false
  let fills = 0

  const more = async (): Promise<boolean> => {
    if (chunk !== undefined) return true
    if (ended) return false
    const step = await iterator.next()
    if (step.done === true) {
      ended = true
      return false
    }
    chunk = step.value
    taken = 0
    return true
  }
  return {
    atEnd: async () => !(await more()),
    async fill(expected) {
      let block = fills === 0 ? firstBlock(pool, expected) : (pool.take() as Buffer)
      fills += 1
      let filled = 0
      while (filled < pool.blockBytes && (await more()) && chunk !== undefined) {
        if (filled === block.length) block = larger(block, pool)
        const count = Math.min(chunk.length - taken, block.length - filled)
        block.set(chunk.subarray(taken, taken + count), filled)
        filled += count
        taken += count
        if (taken < chunk.length) continue
        giveBack(chunk)
        chunk = undefined
      }
      return { bytes: block.subarray(0, filled), block }
    },
  }
}

/**
 * Most objects are much smaller than a part: memory for a whole one only when a quarter of it is full. Where a second part follows the
 * first was full, so all others begin with a whole block.
 */
function firstBlock({ blockBytes }: BlockPool, expected: number): Buffer {
  return Buffer.allocUnsafeSlow(expected < blockBytes ? Math.max(1, expected) : Math.min(FIRST_BLOCK_BYTES, blockBytes))
}

function larger(block: Uint8Array, pool: BlockPool): Buffer {
  const bytes = block.length * 4
  const next = bytes >= pool.blockBytes ? (pool.take() as Buffer) : Buffer.allocUnsafeSlow(bytes)
  next.set(block)
  return next
}
