import { concatBytes, type ByteSource } from '@waltz/bytes'

/** A source whose first bytes were looked at. */
export interface SplitSource {
  /** Up to as many bytes as were asked for; fewer when there are no more. */
  readonly head: Uint8Array
  /** What follows. `close` releases the source when it is not read to its end; it may always be called. */
  readonly body: ByteSource & { close(): Promise<void> }
}

/** Reads the first `length` bytes and hands on the rest, without copying more than the head. */
export async function splitHead(source: ByteSource, length: number): Promise<SplitSource> {
  const iterator = source[Symbol.asyncIterator]()
  const chunks: Uint8Array[] = []
  let have = 0
  let ended = false
  while (have < length && !ended) {
    const { done, value } = await iterator.next()
    if (done === true) ended = true
    else {
      chunks.push(value)
      have += value.length
    }
  }
  const last = chunks.at(-1)
  const over = Math.max(0, have - length)
  const rest = last !== undefined && over > 0 ? last.subarray(last.length - over) : undefined
  const head = chunks.length === 1 && last !== undefined ? last.slice(0, length) : concatBytes(chunks).slice(0, length)
  const close = async (): Promise<void> => {
    if (ended) return
    ended = true
    await iterator.return?.()
  }
  return { head, body: { close, [Symbol.asyncIterator]: () => continued(iterator, rest, close) } }
}

async function* continued(
  iterator: AsyncIterator<Uint8Array>,
  rest: Uint8Array | undefined,
  close: () => Promise<void>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    if (rest !== undefined) yield rest
    for (;;) {
      const { done, value } = await iterator.next()
      if (done === true) return
      yield value
    }
  } finally {
    await close()
  }
}
