import type { ByteSource } from './byte-source.ts'

/** Chunk size between stages, in bytes. The figures behind it are in docs/decisions/0001-byte-source.md. */
export const CHUNK_BYTES = 262_144

/**
 * Regroups any chunks into chunks of exactly `size` bytes; only the last may be shorter. A chunk that already has
 * that size is passed on without a copy, so a producer that builds whole blocks pays nothing here; a larger one is split
 * into views that do not overlap.
 */
export async function* coalesce(source: ByteSource, size: number = CHUNK_BYTES): AsyncGenerator<Uint8Array, void, undefined> {
  let pending: Uint8Array | undefined
  let used = 0
  for await (let chunk of source) {
    while (chunk.length > 0) {
      if (used === 0 && chunk.length >= size) {
        yield chunk.length === size ? chunk : chunk.subarray(0, size)
        chunk = chunk.subarray(size)
        continue
      }
      pending ??= new Uint8Array(size)
      const taken = Math.min(size - used, chunk.length)
      pending.set(taken === chunk.length ? chunk : chunk.subarray(0, taken), used)
      used += taken
      chunk = chunk.subarray(taken)
      if (used < size) continue
      yield pending
      pending = undefined
      used = 0
    }
  }
  if (pending !== undefined && used > 0) yield pending.subarray(0, used)
}
