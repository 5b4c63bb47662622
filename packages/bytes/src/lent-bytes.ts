/** What becomes of a lent chunk when its last reader is done with it. */
type TakeBack = (chunk: Uint8Array) => void

/** By the chunk itself and not by its memory, so that a view of a part of it can never give the whole back. */
const lenders = new WeakMap<Uint8Array, TakeBack>()

/**
 * Marks a chunk as lent and returns it: `takeBack` is called, once, when somebody calls `giveBack` with this very chunk. Nobody
 * has to: a chunk that is never given back is collected like any other. For producers whose chunks are large and many, because
 * memory outside the heap that only the garbage collector frees makes it run all the time.
 */
export function lendBytes(chunk: Uint8Array, takeBack: TakeBack): Uint8Array {
  lenders.set(chunk, takeBack)
  return chunk
}

/**
 * Says that the consumer is done with a chunk: its memory may be used again at once, and must not be read any more. Whoever
 * passes a chunk on has let go of it, so only the last reader calls this. Without effect on chunks that were not lent, on parts of
 * lent ones, and when called again.
 */
export function giveBack(chunk: Uint8Array): void {
  const takeBack = lenders.get(chunk)
  if (takeBack === undefined) return
  lenders.delete(chunk)
  takeBack(chunk)
}

/** Blocks of one size that are used again and again. */
export interface BlockPool {
  readonly blockBytes: number
  /** A block of `blockBytes` bytes with any content, lent: given back, it is handed out again. */
  take(): Uint8Array
}

/**
 * A pool that holds as many blocks as were in use at the same time, but no more than `maxSpare` unused ones, made as they are
 * needed. How many may be in use is for those who take them to limit.
 */
export function createBlockPool(
  blockBytes: number,
  { maxSpare = Number.POSITIVE_INFINITY }: { readonly maxSpare?: number } = {},
): BlockPool {
  const spare: ArrayBufferLike[] = []
  const takeBack: TakeBack = (block) => {
    if (spare.length < maxSpare) spare.push(block.buffer)
  }
  return {
    blockBytes,
    take() {
      // Slow buffers are not zeroed first, and share their memory with nobody. A view of its own for every loan: one kept from an
      // earlier loan cannot end this one.
      const memory = spare.pop() ?? Buffer.allocUnsafeSlow(blockBytes).buffer
      return lendBytes(Buffer.from(memory), takeBack)
    },
  }
}
