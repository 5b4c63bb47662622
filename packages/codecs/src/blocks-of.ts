import type { ByteSource } from '@waltz/bytes'

/**
 * Regroups chunks into blocks of exactly `size` bytes; only the last may be shorter. Blocks are views into larger
 * chunks, so nothing is copied unless a block spans chunks. For use inside a codec only: a block may share its
 * memory with the next one, which `coalesce` of `@waltz/bytes` never does.
 */
export async function* blocksOf(source: ByteSource, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  let partial: Uint8Array | undefined
  let used = 0
  for await (const chunk of source) {
    let offset = 0
    while (offset < chunk.length) {
      const left = chunk.length - offset
      if (partial === undefined && left >= size) {
        yield left === chunk.length && left === size ? chunk : chunk.subarray(offset, offset + size)
        offset += size
        continue
      }
      partial ??= new Uint8Array(size)
      const taken = Math.min(size - used, left)
      partial.set(chunk.subarray(offset, offset + taken), used)
      used += taken
      offset += taken
      if (used < size) continue
      yield partial
      partial = undefined
      used = 0
    }
  }
  if (partial !== undefined) yield partial.subarray(0, used)
}
