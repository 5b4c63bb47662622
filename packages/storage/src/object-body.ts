import { Fault } from '@waltz/errors'
import type { ObjectBody, ObjectInfo } from './object-store.ts'

/** What a store supplies for an opened object. */
export interface ObjectBodyParts {
  readonly info: ObjectInfo
  /** Starts reading; called at most once. Its `finally` blocks are not relied upon: resources are freed by `close`. */
  readonly read: () => AsyncIterator<Uint8Array, unknown>
  /** Frees the handle, response or inner body; called exactly once unless the body is simply forgotten. */
  readonly close: () => Promise<void>
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined }

/**
 * Builds a body that keeps the promises of `ObjectBody`: it can be iterated once, is closed at the end, on failure,
 * on an early stop (even before the first chunk) and when disposed of, in any order and any number of times.
 * Reading it a second time, or after disposal, is a fault rather than an empty object.
 * @throws Fault `invalid` `STORAGE_BODY_USED` from a second iteration.
 */
export function createObjectBody({ info, read, close }: ObjectBodyParts): ObjectBody {
  let used = false
  let closing: Promise<void> | undefined
  const release = (): Promise<void> => (closing ??= close())

  const iterate = (): AsyncIterator<Uint8Array, undefined> => {
    const inner = read()
    let finished = false
    return {
      async next() {
        if (finished) return DONE
        if (closing !== undefined) throw usedFault(info.key)
        try {
          const step = await inner.next()
          if (step.done !== true) return step
        } catch (error) {
          finished = true
          await release().catch(() => undefined) // the first failure is the one to tell
          throw error
        }
        finished = true
        await release()
        return DONE
      },
      async return() {
        if (finished) return DONE
        finished = true
        await inner.return?.()
        await release()
        return DONE
      },
    }
  }

  return {
    info,
    [Symbol.asyncIterator]() {
      if (used) throw usedFault(info.key)
      used = true
      return iterate()
    },
    async [Symbol.asyncDispose]() {
      used = true
      await release()
    },
  }
}

function usedFault(key: string): Fault {
  return new Fault('invalid', 'STORAGE_BODY_USED', `the body of ${key} was already read or closed`, { context: { key } })
}
