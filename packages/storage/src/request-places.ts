import { abortedFault, throwIfAborted } from '@waltz/errors'

/** A place among the requests in flight. */
export interface Place {
  /** Says that the holder waits for its caller's bytes (true), or works again (false). */
  idle(waiting: boolean): void
  release(): void
}

/** How a place is asked for. */
export interface PlaceRequest {
  /** A put: it pulls its bytes from the caller while it holds its place. */
  readonly pulls?: boolean
  readonly signal?: AbortSignal | undefined
}

interface Waiter {
  readonly pulls: boolean
  readonly admit: () => void
}

/** Bounds how many requests are in flight; first come, first served. */
export interface RequestPlaces {
  enter(request: PlaceRequest): Promise<Place>
}

/**
 * Places for at most `max` requests at a time, in the order of asking.
 *
 * A put whose bytes come from the same store (a copy through this process) would wait for a read that waits for the
 * put's place. So when every place is held by a put that is waiting for its own bytes, the next request that is not a
 * put is admitted beyond the limit.
 */
export function createRequestPlaces(max: number): RequestPlaces {
  const queue: Waiter[] = []
  let held = 0
  let idle = 0

  const admitNext = (): void => {
    while (queue.length > 0) {
      const index = held < max ? 0 : held === idle ? queue.findIndex((waiter) => !waiter.pulls) : -1
      if (index < 0) return
      held += 1
      queue.splice(index, 1)[0]?.admit()
    }
  }

  const place = (): Place => {
    let waiting = false
    let released = false
    const setIdle = (next: boolean): void => {
      if (released || next === waiting) return
      waiting = next
      idle += next ? 1 : -1
      if (next) admitNext()
    }
    return {
      idle: setIdle,
      release() {
        if (released) return
        setIdle(false)
        released = true
        held -= 1
        admitNext()
      },
    }
  }

  return {
    enter({ pulls = false, signal }) {
      return new Promise((resolve, reject) => {
        throwIfAborted(signal)
        const onAbort = (): void => {
          queue.splice(queue.indexOf(waiter), 1)
          reject(abortedFault(signal as AbortSignal))
        }
        const waiter: Waiter = {
          pulls,
          admit() {
            signal?.removeEventListener('abort', onAbort)
            resolve(place())
          },
        }
        signal?.addEventListener('abort', onAbort, { once: true })
        queue.push(waiter)
        admitNext()
      })
    },
  }
}
