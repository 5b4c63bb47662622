import { concatBytes, giveBack, type ByteSource } from '@waltz/bytes'

/** Reads a source by count. Chunks are given back when they were read to their end. */
export interface ByteReader {
  /** The number of the next byte. */
  readonly offset: number
  /** The next `count` bytes without reading them, fewer only at the end; for headers. Valid until the next call. */
  peek(count: number): Promise<Uint8Array>
  /** Passes over bytes that `peek` showed. */
  skip(count: number): void
  /** Between 1 and `max` bytes, as they lie; undefined at the end. Valid until the next call. */
  read(max: number): Promise<Uint8Array | undefined>
  /** What the source failed with, if it did. */
  readonly failure: { readonly error: unknown } | undefined
  /** Closes the source. */
  close(): Promise<void>
}

/** A reader of `source`, whose first byte has the number `start`; nothing is opened before the first call. */
export function createByteReader(source: ByteSource, start = 0): ByteReader {
  const chunks = createChunks(source)
  let chunk: Uint8Array = new Uint8Array(0)
  let at = 0
  let offset = start
  return {
    get offset() {
      return offset
    },
    get failure() {
      return chunks.failure
    },
    async peek(count) {
      while (chunk.length - at < count) {
        const next = await chunks.next()
        if (next === undefined) break
        chunk = joinRest(chunk, at, next)
        at = 0
      }
      return chunk.subarray(at, at + count)
    },
    skip(count) {
      at += count
      offset += count
    },
    async read(max) {
      if (at === chunk.length) {
        giveBack(chunk)
        chunk = (await chunks.next()) ?? new Uint8Array(0)
        at = 0
        if (chunk.length === 0) return undefined
      }
      const view = chunk.subarray(at, at + max)
      at += view.length
      offset += view.length
      return view
    },
    close: () => chunks.close(),
  }
}

/** What is left of a chunk, and the next one. */
function joinRest(chunk: Uint8Array, at: number, next: Uint8Array): Uint8Array {
  const left = chunk.length - at
  if (left === 0) {
    giveBack(chunk)
    return next
  }
  const joined = concatBytes([chunk.subarray(at), next])
  giveBack(chunk)
  giveBack(next)
  return joined
}

/** The chunks of a source, with what it failed with. */
interface Chunks {
  readonly failure: ByteReader['failure']
  next(): Promise<Uint8Array | undefined>
  close(): Promise<void>
}

function createChunks(source: ByteSource): Chunks {
  const iterator = source[Symbol.asyncIterator]()
  let ended = false
  let failure: ByteReader['failure']
  return {
    get failure() {
      return failure
    },
    async next() {
      while (!ended) {
        ended = true // an iterator that throws is over, too
        const next = await iterator.next().catch((error: unknown) => {
          failure = { error }
          throw error
        })
        if (next.done === true) return undefined
        ended = false
        if (next.value.length > 0) return next.value
      }
      return undefined
    },
    async close() {
      if (ended) return
      ended = true
      await iterator.return?.()
    },
  }
}
