import { abortedFault, Fault, throwIfAborted } from '@waltz/errors'

/** Bytes that were granted; `release` gives them back and is harmless when called again. */
export interface GrantedBytes {
  readonly bytes: number
  release(): void
}

/** Bounds how many bytes are held in memory at the same time, by everything that shares it. */
export interface ByteBudget {
  readonly maxBytes: number
  /**
   * Resolves when `bytes` fit, in the order of asking. More than the whole budget is granted when nothing else is held, so that a
   * small budget makes an upload slow and never impossible.
   * @throws Fault `aborted` `ABORTED`, or the signal's own fault; nothing is held then.
   */
  acquire(bytes: number, signal?: AbortSignal): Promise<GrantedBytes>
}

interface Waiter {
  readonly bytes: number
  readonly admit: () => void
}

/**
 * A budget of `maxBytes` for all stores of a process. Whoever holds bytes must be able to finish without asking for more: then
 * nobody waits for ever. That includes the source of an upload: no store asks the budget for the bytes of a download and waits, so a
 * copy reads and writes under one budget; a source must not wait for the end of another upload once it has begun.
 * @throws Fault `invalid` `STORAGE_WRAPPER_INVALID` for a budget below one byte.
 */
export function createByteBudget(maxBytes: number): ByteBudget {
  if (!(maxBytes >= 1)) throw new Fault('invalid', 'STORAGE_WRAPPER_INVALID', `a budget of ${maxBytes} bytes lets nothing pass`)
  const queue: Waiter[] = []
  let held = 0

  const admitNext = (): void => {
    for (let first = queue[0]; first !== undefined && (held === 0 || held + first.bytes <= maxBytes); first = queue[0]) {
      queue.shift()
      held += first.bytes
      first.admit()
    }
  }
  const granted = (bytes: number): GrantedBytes => {
    let released = false
    return {
      bytes,
      release() {
        if (released) return
        released = true
        held -= bytes
        admitNext()
      },
    }
  }
  return {
    maxBytes,
    acquire(bytes, signal) {
      return new Promise((resolve, reject) => {
        throwIfAborted(signal)
        const onAbort = (): void => {
          queue.splice(queue.indexOf(waiter), 1)
          reject(abortedFault(signal as AbortSignal))
          admitNext() // those behind it may fit
        }
        const waiter: Waiter = {
          bytes,
          admit() {
            signal?.removeEventListener('abort', onAbort)
            resolve(granted(bytes))
          },
        }
        signal?.addEventListener('abort', onAbort, { once: true })
        queue.push(waiter)
        admitNext()
      })
    },
  }
}
