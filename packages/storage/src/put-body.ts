import { Fault, throwIfAborted } from '@waltz/errors'
import type { ByteSource } from '@waltz/bytes'
import type { PutOptions } from './object-store.ts'
import { untilAborted } from './until-aborted.ts'

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined }

/** The bytes of one put, watched over: see `openPutBody`. */
export interface PutBody extends ByteSource {
  /** Releases the caller's source, started or not; harmless at any time and more than once. Never rejects. */
  close(): Promise<void>
}

/**
 * Wraps the source that a `put` was given, so that every store treats it alike: the signal interrupts even a source
 * that hangs, `options.size` is enforced to the byte, empty chunks are dropped, and the source is closed when either
 * fails. A store iterates it once and calls `close()` on every failure of its own. A failure of the source itself
 * passes through unchanged.
 * @throws Fault from the iteration: `aborted` `ABORTED`; `invalid` `STORAGE_SIZE_MISMATCH`.
 */
export function openPutBody(key: string, body: ByteSource, options: PutOptions | undefined): PutBody {
  const signal = options?.signal
  const expected = options?.size
  let source: AsyncIterator<Uint8Array> | undefined
  let pulling = false
  let closed = false
  let failure: { readonly error: unknown } | undefined
  let bytes = 0

  const close = async (): Promise<void> => {
    if (closed) return
    closed = true
    try {
      source ??= body[Symbol.asyncIterator]()
      const closing = source.return?.()
      // A generator that hangs in a pull would never answer; one that rests is waited for, so that its files are closed.
      if (pulling) closing?.catch(() => undefined)
      else await closing
    } catch {
      // The failure that led here is the one to tell.
    }
  }

  const pull = async (): Promise<IteratorResult<Uint8Array>> => {
    throwIfAborted(signal)
    source ??= body[Symbol.asyncIterator]()
    pulling = true
    const pulled = source.next().finally(() => (pulling = false))
    const step = await untilAborted(pulled, signal)
    if (step.done === true) closed = true
    else bytes += step.value.length
    const wrong = expected !== undefined && (step.done === true ? bytes !== expected : bytes > expected)
    if (wrong) throw sizeMismatchFault(key, expected, step.done === true ? `${bytes}` : `at least ${bytes}`)
    return step
  }

  const iterator: AsyncIterator<Uint8Array, undefined> = {
    async next() {
      if (failure !== undefined) throw failure.error
      try {
        for (;;) {
          if (closed) return DONE
          const step = await pull()
          if (step.done !== true && step.value.length > 0) return step
        }
      } catch (error) {
        failure = { error }
        await close()
        throw error
      }
    },
    async return() {
      await close()
      return DONE
    },
  }
  return { [Symbol.asyncIterator]: () => iterator, close }
}

function sizeMismatchFault(key: string, expected: number, actual: string): Fault {
  return new Fault(
    'invalid',
    'STORAGE_SIZE_MISMATCH',
    `${key} was announced with ${expected} bytes but has ${actual}; nothing was stored`,
    {
      hint: 'whatever produces the bytes changed while it was read; try again',
      context: { key, expected },
    },
  )
}
