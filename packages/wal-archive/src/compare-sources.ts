import { giveBack, type ByteSource } from '@waltz/bytes'

/**
 * Whether two sources yield the same bytes, however they are cut into chunks. Stops at the first difference, holds one
 * chunk of each, which it gives back when it is compared, and closes both.
 */
export async function sameBytes(left: ByteSource, right: ByteSource): Promise<boolean> {
  const a = createSide(left)
  const b = createSide(right)
  try {
    for (;;) {
      const [hasA, hasB] = await Promise.all([a.fetch(), b.fetch()])
      if (!hasA || !hasB) return hasA === hasB
      const length = Math.min(a.rest().length, b.rest().length)
      if (Buffer.compare(a.rest().subarray(0, length), b.rest().subarray(0, length)) !== 0) return false
      a.advance(length)
      b.advance(length)
    }
  } finally {
    await Promise.allSettled([a.close(), b.close()])
  }
}

/** One of the two sources, and the chunk of it that is being compared. */
interface Side {
  /** Makes sure that there is something to compare; false at the end. */
  fetch(): Promise<boolean>
  rest(): Uint8Array
  advance(length: number): void
  close(): Promise<unknown>
}

const NOTHING = new Uint8Array(0)

function createSide(source: ByteSource): Side {
  const iterator = source[Symbol.asyncIterator]()
  let chunk: Uint8Array = NOTHING
  let rest: Uint8Array = NOTHING
  return {
    async fetch() {
      while (rest.length === 0) {
        giveBack(chunk)
        chunk = NOTHING
        const next = await iterator.next()
        if (next.done === true) return false
        chunk = next.value
        rest = chunk
      }
      return true
    },
    rest: () => rest,
    advance: (length) => void (rest = rest.subarray(length)),
    close: async () => iterator.return?.(),
  }
}
