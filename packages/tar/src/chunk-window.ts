import { concatBytes, giveBack, lendBytes, type ByteSource } from '@waltz/bytes'

/**
 * The chunk at hand of a source, and what has been read of it. A chunk is given back when all of it was read and everything that was
 * lent of it came back. Views that are not lent are good until the next call that waits.
 */
export interface ChunkWindow {
  /** Bytes read so far. */
  readonly offset: number
  /** Bytes of the chunk at hand that are not read yet. */
  readonly available: number
  /** `count` bytes, at most `available`, as a view; nothing is awaited. */
  takeNow(count: number): Uint8Array
  /** Lends a view of the chunk at hand, so that it stays as it is until the view is given back. */
  lend(view: Uint8Array): Uint8Array
  /** Up to `limit` bytes as they lie, after waiting for a chunk when none is at hand; undefined at the end. */
  next(limit: number): Promise<Uint8Array | undefined>
  /** Closes the source. */
  close(): Promise<void>
}

/** A chunk, and how many hold it: the window while it is at hand, and every view that was lent. */
interface Loan {
  readonly whole: Uint8Array
  holders: number
}

function letGo(loan: Loan): void {
  loan.holders -= 1
  if (loan.holders === 0) giveBack(loan.whole)
}

/** A window over `source`; nothing is read before the first call. */
export function createChunkWindow(source: ByteSource): ChunkWindow {
  const iterator = source[Symbol.asyncIterator]()
  const nothing = new Uint8Array(0)
  let chunk: Uint8Array = nothing
  let loan: Loan = { whole: nothing, holders: 1 }
  let position = 0
  let before = 0
  let ended = false

  const hold = (next: Uint8Array): void => {
    letGo(loan)
    chunk = next
    loan = { whole: next, holders: 1 }
  }
  const takeNow = (count: number): Uint8Array => {
    const taken = chunk.subarray(position, position + count)
    position += taken.length
    return taken
  }
  const load = async (): Promise<boolean> => {
    while (position === chunk.length) {
      if (ended) return false
      before += chunk.length
      position = 0
      hold(nothing)
      ended = true // an iterator that throws is over, too
      const next = await iterator.next()
      if (next.done === true) return false
      ended = false
      hold(next.value)
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
    lend(view) {
      const held = loan
      held.holders += 1
      return lendBytes(view, () => letGo(held))
    },
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
    parts.push(window.lend(part))
    left -= part.length
  }
  const joined = concatBytes(parts)
  parts.forEach(giveBack)
  return joined
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
