import { concatBytes, giveBack, lendBytes, type ByteSource } from '@waltz/bytes'

/**
 * Reads a source by count instead of by chunk. What it hands out may be given back: a chunk that was handed out in parts goes back
 * to its lender when all of them did.
 */
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
  let cut: CutChunk | undefined
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
      if (chunk.length <= limit && cut?.rest !== chunk) {
        offset += chunk.length
        return chunk
      }
      if (cut?.rest !== chunk) cut = { whole: chunk, rest: chunk, parts: 1 }
      offset += Math.min(limit, chunk.length)
      if (chunk.length <= limit) {
        const last = cut
        cut = undefined
        return lendBytes(chunk, () => endPart(last))
      }
      cut.rest = chunk.subarray(limit)
      waiting.unshift(cut.rest)
      return lendPart(chunk.subarray(0, limit), cut)
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

/** A chunk that is handed out in parts. */
interface CutChunk {
  readonly whole: Uint8Array
  /** What was not handed out yet. */
  rest: Uint8Array
  /** Parts that were not given back, the rest among them. */
  parts: number
}

function lendPart(part: Uint8Array, cut: CutChunk): Uint8Array {
  cut.parts += 1
  return lendBytes(part, () => endPart(cut))
}

function endPart(cut: CutChunk): void {
  cut.parts -= 1
  if (cut.parts === 0) giveBack(cut.whole)
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
  if (parts.length === 1 && parts[0] !== undefined) return parts[0]
  const joined = concatBytes(parts)
  parts.forEach(giveBack)
  return joined
}

/** Fills `target` from `start` on; false when the source ended before. */
export async function takeInto(cursor: ByteCursor, target: Uint8Array, start: number): Promise<boolean> {
  let at = start
  while (at < target.length) {
    const chunk = await cursor.next(target.length - at)
    if (chunk === undefined) return false
    target.set(chunk, at)
    at += chunk.length
    giveBack(chunk)
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
    giveBack(chunk)
  }
  return true
}
