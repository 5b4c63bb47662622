import { concatBytes, type ByteSource } from '@waltz/bytes'

/** The chunk at hand of a source, and what has been read of it. */
export interface ChunkWindow {
  /** Bytes read so far. */
  readonly offset: number
  /** Bytes of the chunk at hand that are not read yet. */
  readonly available: number
  /** `count` bytes, at most `available`, as a view; nothing is awaited. */
  takeNow(count: number): Uint8Array
  /** Up to `limit` bytes as they lie, after waiting for a chunk when none is at hand; undefined at the end. */
  next(limit: number): Promise<Uint8Array | undefined>
  /** Closes the source. */
  close(): Promise<void>
}

/** A window over `source`; nothing is read before the first call. */
export function createChunkWindow(source: ByteSource): ChunkWindow {
  const iterator = source[Symbol.asyncIterator]()
  let chunk: Uint8Array = new Uint8Array(0)
  let position = 0
  let before = 0
  let ended = false

  const takeNow = (count: number): Uint8Array => {
    const taken = chunk.subarray(position, position + count)
    position += taken.length
    return taken
  }
  const load = async (): Promise<boolean> => {
    while (position === chunk.length) {
      if (ended) return false
      ended = true // an iterator that throws is over, too
      const next = await iterator.next()
      if (next.done === true) return false
      ended = false
      before += chunk.length
      chunk = next.value
      position = 0
    }
    return true
  }
  return {
    get offset() {
      return before + position
    },
    get available() {
      return chunk.length - position
    },
    takeNow,
    async next(limit) {
      if (position === chunk.length && !(await load())) return undefined
      return takeNow(Math.min(limit, chunk.length - position))
    },
    async close() {
      if (ended) return
      ended = true
      await iterator.return?.()
    },
  }
}

/** Up to `count` bytes in one piece, fewer only at the end; a view when they lie in the chunk at hand. */
export async function takeBytes(window: ChunkWindow, count: number): Promise<Uint8Array> {
  if (count <= window.available) return window.takeNow(count)
  const parts: Uint8Array[] = []
  for (let left = count; left > 0;) {
    const part = await window.next(left)
    if (part === undefined) break
    parts.push(part)
    left -= part.length
  }
  return concatBytes(parts)
}

/** Passes over `count` bytes. Returns how many were missing at the end. */
export async function skipBytes(window: ChunkWindow, count: number): Promise<number> {
  let left = count
  while (left > 0) {
    const part = await window.next(left)
    if (part === undefined) break
    left -= part.length
  }
  return left
}
