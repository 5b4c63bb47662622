import { CHUNK_BYTES, type ByteSource } from '@waltz/bytes'

/** Bytes that differ from place to place and from seed to seed. */
export function patternBytes(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = seed >>> 0
  for (let index = 0; index < length; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[index] = state >>> 24
  }
  return bytes
}

/** A source of copies of parts of `bytes`; what the store does to its chunks does not reach `bytes`. */
export async function* chunked(bytes: Uint8Array, chunkBytes: number = CHUNK_BYTES): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += chunkBytes) yield bytes.slice(offset, offset + chunkBytes)
}

/** A short text as a source. */
export function textSource(text: string): ByteSource {
  return chunked(new TextEncoder().encode(text))
}

/** Ends after `length` bytes by calling `end`, which throws, aborts or hangs. */
export async function* endingWith(length: number, end: () => Promise<void> | void): AsyncGenerator<Uint8Array> {
  yield* chunked(patternBytes(length), 100_000)
  await end()
}

/** A source that says whether it was closed: by return, by its own end or by its own failure. */
export interface WatchedSource extends ByteSource {
  readonly isClosed: () => boolean
}

/** Gives `chunks` copies of `chunk`, unless stopped. */
export function watchedSource(chunk: Uint8Array, chunks: number): WatchedSource {
  let closed = false
  let given = 0
  const iterator: AsyncIterator<Uint8Array> = {
    async next() {
      if (given === chunks) closed = true
      if (closed) return { done: true, value: undefined }
      given += 1
      return { done: false, value: chunk.slice() }
    },
    async return() {
      closed = true
      return { done: true, value: undefined }
    },
  }
  return { [Symbol.asyncIterator]: () => iterator, isClosed: () => closed }
}
