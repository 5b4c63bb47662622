import type { ByteSource } from './byte-source.ts'
import { createBlockPool, giveBack, type BlockPool } from './lent-bytes.ts'

/** Chunk size between stages, in bytes. The figures behind it are in docs/decisions/0001-byte-source.md. */
export const CHUNK_BYTES = 262_144

/**
 * Regroups any chunks into chunks of exactly `size` bytes; only the last may be shorter. A chunk of that size, and a last one that
 * is shorter, is passed on as it is, so a producer that builds whole blocks pays nothing here; a larger one is split into views
 * that do not overlap. A chunk that is copied whole is given back, and what it was copied into is lent: by a pool that many sources
 * share, if one is given in place of the size.
 */
export async function* coalesce(source: ByteSource, into: number | BlockPool = CHUNK_BYTES): AsyncGenerator<Uint8Array, void, undefined> {
  const pool = typeof into === 'number' ? createBlockPool(into, { maxSpare: MAX_SPARE_BLOCKS }) : into
  const size = pool.blockBytes
  let rest: Rest | undefined
  for await (const chunk of source) {
    let offset = 0
    if (rest !== undefined) {
      offset = extend(rest, chunk, pool)
      if (rest.bytes.length < size) continue
      yield rest.bytes
      rest = undefined
    }
    for (; chunk.length - offset >= size; offset += size) yield chunk.length === size ? chunk : chunk.subarray(offset, offset + size)
    if (offset < chunk.length) rest = { bytes: offset === 0 ? chunk : chunk.subarray(offset) }
  }
  if (rest !== undefined) yield rest.bytes
}

/** Of blocks that came back. More are in use at once where several are worked on. */
const MAX_SPARE_BLOCKS = 4

/** What was not passed on yet: less than a block; the beginning of `block` once something had to be added. */
interface Rest {
  bytes: Uint8Array
  block?: Uint8Array
}

/** Adds as much of a chunk as makes a block; how much that is. */
function extend(rest: Rest, chunk: Uint8Array, pool: BlockPool): number {
  const size = pool.blockBytes
  const before = rest.bytes.length
  if (rest.block === undefined) {
    rest.block = pool.take()
    rest.block.set(rest.bytes)
    giveBack(rest.bytes)
  }
  const count = Math.min(size - before, chunk.length)
  rest.block.set(count === chunk.length ? chunk : chunk.subarray(0, count), before)
  rest.bytes = before + count === size ? rest.block : rest.block.subarray(0, before + count)
  if (count === chunk.length) giveBack(chunk)
  return count
}
