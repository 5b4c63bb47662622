import { lendBytes, type ByteSource } from '@waltz/bytes'
import { freeBytes } from './native-bytes.ts'

/** Makes the output of a transform from its input, both Web streams. */
export type WebTransform = (input: ReadableStream<Uint8Array>) => ReadableStream<Uint8Array>

/** Chunks that the transform may take while nobody waits for its output. */
const CHUNKS_AHEAD = 4

/**
 * Runs a source through a Web transform that reads its input as fast as it comes, whatever becomes of its output: it gets input only
 * while the consumer waits, and a few chunks more. An error of the source wins over the error it causes in the transform; the source is
 * closed at the end, whatever the end is. Chunks are lent: given back, their memory is freed at once.
 */
export async function* throughWebTransform(source: ByteSource, transform: WebTransform): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = source[Symbol.asyncIterator]()
  let sourceFailure: { readonly error: unknown } | undefined
  let sourceEnded = false
  const gate = createGate()
  const input = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (!(await gate.pass())) return controller.close()
        try {
          const next = await iterator.next()
          sourceEnded = next.done === true
          if (next.done === true) controller.close()
          else controller.enqueue(next.value)
        } catch (error) {
          sourceEnded = true
          sourceFailure = { error }
          controller.error(error)
        }
      },
    },
    { highWaterMark: 0 },
  )
  const reader = transform(input).getReader()
  try {
    for (;;) {
      gate.open()
      const { done, value } = await reader.read()
      gate.close()
      if (done) break
      if (value.length > 0) yield lendBytes(value, freeBytes)
    }
  } catch (error) {
    throw sourceFailure === undefined ? error : sourceFailure.error
  } finally {
    gate.end()
    await reader.cancel().catch(() => undefined) // what it fails with was reported by read, or nobody wants it any more
    if (!sourceEnded) await iterator.return?.()
  }
  if (sourceFailure !== undefined) throw sourceFailure.error
}

interface Gate {
  /** Resolves when the next chunk may go through; false when none will any more. */
  pass(): Promise<boolean>
  open(): void
  close(): void
  end(): void
}

function createGate(): Gate {
  const state = { open: false, ended: false, ahead: CHUNKS_AHEAD }
  let waiting: (() => void) | undefined
  const wake = (): void => {
    waiting?.()
    waiting = undefined
  }
  return {
    async pass() {
      while (!state.open && !state.ended && state.ahead === 0) await new Promise<void>((resolve) => (waiting = resolve))
      if (!state.open) state.ahead -= 1
      return !state.ended
    },
    open() {
      state.open = true
      state.ahead = CHUNKS_AHEAD
      wake()
    },
    close() {
      state.open = false
    },
    end() {
      state.ended = true
      wake()
    },
  }
}
