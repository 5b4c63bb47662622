import type { ByteSource } from '@waltz/bytes'

/**
 * Whether two sources yield the same bytes, however they are cut into chunks. Stops at the first difference, holds one
 * chunk of each, and closes both.
 */
export async function sameBytes(left: ByteSource, right: ByteSource): Promise<boolean> {
  const a = left[Symbol.asyncIterator]()
  const b = right[Symbol.asyncIterator]()
  try {
    let fromA: Uint8Array = new Uint8Array(0)
    let fromB: Uint8Array = new Uint8Array(0)
    for (;;) {
      const nextA = fromA.length > 0 ? fromA : await nextChunk(a)
      const nextB = fromB.length > 0 ? fromB : await nextChunk(b)
      if (nextA === undefined || nextB === undefined) return nextA === nextB
      const length = Math.min(nextA.length, nextB.length)
      if (!equal(nextA, nextB, length)) return false
      fromA = nextA.subarray(length)
      fromB = nextB.subarray(length)
    }
  } finally {
    await Promise.allSettled([a.return?.(), b.return?.()])
  }
}

async function nextChunk(iterator: AsyncIterator<Uint8Array>): Promise<Uint8Array | undefined> {
  for (;;) {
    const { done, value } = await iterator.next()
    if (done === true) return undefined
    if (value.length > 0) return value
  }
}

function equal(a: Uint8Array, b: Uint8Array, length: number): boolean {
  return Buffer.compare(a.subarray(0, length), b.subarray(0, length)) === 0
}
