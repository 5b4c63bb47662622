import { concatBytes, type ByteSource } from '@waltz/bytes'

/** Reads a source by count instead of by chunk. */
export interface ByteCursor {
  /** Bytes handed out so far. */
  readonly offset: number
  /** The next chunk as it lies, cut to `limit` bytes; undefined at the end. */
  next(limit?: number): Promise<Uint8Array | undefined>
  /** Puts chunks back in front of what was not read yet. */
  unread(chunks: readonly Uint8Array[]): void
  /** Closes the source. */
  close(): Promise<void>
}

/** A cursor over `source`; nothing is read before the first call. */
export function createByteCursor(source: ByteSource): ByteCursor {
  const iterator = source[Symbol.asyncIterator]()
  let waiting: Uint8Array[] = []
  let ended = false
  let offset = 0
  return {
    get offset() {
      return offset
    },
    async next(limit = Number.POSITIVE_INFINITY) {
      let chunk = waiting.shift()
      while (chunk === undefined || chunk.length === 0) {
        if (ended) return undefined
        ended = true // an iterator that throws is over, too
        const next = await iterator.next()
        if (next.done === true) return undefined
        ended = false
        chunk = next.value
      }
      if (chunk.length > limit) {
        waiting.unshift(chunk.subarray(limit))
        chunk = chunk.subarray(0, limit)
      }
      offset += chunk.length
      return chunk
    },
    unread(chunks) {
      waiting = [...chunks, ...waiting]
      for (const chunk of chunks) offset -= chunk.length
    },
    async close() {
      if (ended) return
      ended = true
      waiting = []
      await iterator.return?.()
    },
  }
}

/** Up to `count` bytes, fewer only at the end; a view into a chunk when they lie in one. */
export async function takeBytes(cursor: ByteCursor, count: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let have = 0
  while (have < count) {
    const chunk = await cursor.next(count - have)
    if (chunk === undefined) break
    parts.push(chunk)
    have += chunk.length
  }
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : concatBytes(parts)
}

/** Fills `target` from `start` on; false when the source ended before. */
export async function takeInto(cursor: ByteCursor, target: Uint8Array, start: number): Promise<boolean> {
  let at = start
  while (at < target.length) {
    const chunk = await cursor.next(target.length - at)
    if (chunk === undefined) return false
    target.set(chunk, at)
    at += chunk.length
  }
  return true
}

/** Passes over `count` bytes; false when the source ended before. */
export async function skipBytes(cursor: ByteCursor, count: number): Promise<boolean> {
  let left = count
  while (left > 0) {
    const chunk = await cursor.next(left)
    if (chunk === undefined) return false
    left -= chunk.length
  }
  return true
}
