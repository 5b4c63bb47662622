/**
 * A single-use sequence of byte chunks: the one streaming primitive of Waltz.
 *
 * - Nothing is opened before the first `next()`.
 * - `return()` releases everything, at any moment and in any state; `for await` calls it for you.
 * - A chunk belongs to its consumer once yielded: producers do not reuse the memory, unless the consumer gives it back
 *   (`giveBack`). A stage that passes a chunk on has let go of it: what it wants to keep it copies first.
 * - Empty chunks are never yielded.
 */
export type ByteSource = AsyncIterable<Uint8Array>

/** Turns one source into another: a codec, a cipher, a checksum, a rate limit. */
export type ByteStage = (source: ByteSource) => ByteSource

/** Half-open, in bytes. `end` undefined means "to the end of the object". */
export interface ByteRange {
  readonly start: number
  readonly end?: number
}
