import { Fault } from '@waltz/errors'
import type { ByteSource } from '@waltz/bytes'
import { createListing, pagesOf } from './listing.ts'
import { createObjectBody } from './object-body.ts'
import type { CallOptions, ObjectBody, ObjectStore } from './object-store.ts'
import { openPutBody } from './put-body.ts'
import { createRateLimit, type RateLimit } from './rate-limit.ts'
import { createRequestPlaces, type Place, type RequestPlaces } from './request-places.ts'
import type { Sleep } from './sleep.ts'

/** What a store may use; an absent limit is no limit. */
export interface StoreLimits {
  /** Requests in flight. A put counts until it is stored, a get until it is open, a listing while it fetches. */
  readonly maxRequests?: number
  /** Bytes in both directions together; the burst is one second's worth and 64 KiB more. */
  readonly bytesPerSecond?: number
  readonly now: () => Date
  readonly sleep: Sleep
}

/**
 * Bounds requests in flight and bytes per second, both in the order of asking and given up at once when the call's
 * signal fires. An open body holds no place, so any number may be open; its bytes are counted as they are read.
 * @throws Fault `invalid` `STORAGE_WRAPPER_INVALID` for a limit that lets nothing pass.
 */
export function withLimits(store: ObjectStore, limits: StoreLimits): ObjectStore {
  const { maxRequests = Number.MAX_SAFE_INTEGER, bytesPerSecond, now, sleep } = limits
  if (!(maxRequests >= 1))
    throw new Fault('invalid', 'STORAGE_WRAPPER_INVALID', `at most ${maxRequests} requests in flight lets nothing pass`)
  const places = createRequestPlaces(maxRequests)
  const rate: RateLimit = bytesPerSecond === undefined ? async () => undefined : createRateLimit({ bytesPerSecond, now, sleep })

  const placed = async <T>(options: CallOptions | undefined, run: () => Promise<T>): Promise<T> => {
    const place = await places.enter({ signal: options?.signal })
    try {
      return await run()
    } finally {
      place.release()
    }
  }
  return {
    capabilities: store.capabilities,
    location: store.location,
    head: (key, options) => placed(options, () => store.head(key, options)),
    async get(key, options) {
      const body = await placed(options, () => store.get(key, options))
      return throttled(body, (bytes) => rate(bytes, options?.signal))
    },
    async put(key, body, options) {
      const source = openPutBody(key, body, options)
      try {
        const place = await places.enter({ pulls: true, signal: options?.signal })
        try {
          return await store.put(
            key,
            metered(source, place, (bytes) => rate(bytes, options?.signal)),
            options,
          )
        } finally {
          place.release()
        }
      } catch (error) {
        await source.close()
        throw error
      }
    },
    delete: (keys, options) => placed(options, () => store.delete(keys, options)),
    list: (prefix, options) => createListing(() => stepwise(pagesOf(store.list(prefix, options)), places, options), options),
    listGroups: (prefix, options) => stepwise(store.listGroups(prefix, options), places, options),
    copy: (from, to, options) => placed(options, () => store.copy(from, to, options)),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

function throttled(body: ObjectBody, pass: (bytes: number) => Promise<void>): ObjectBody {
  async function* read(): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      await pass(chunk.length)
      yield chunk
    }
  }
  return createObjectBody({ info: body.info, read, close: async () => body[Symbol.asyncDispose]() })
}

/** Tells the place when the put waits for its caller, and holds each chunk back until the rate allows it. */
async function* metered(source: ByteSource, place: Place, pass: (bytes: number) => Promise<void>): AsyncGenerator<Uint8Array> {
  place.idle(true)
  for await (const chunk of source) {
    place.idle(false)
    await pass(chunk.length)
    yield chunk
    place.idle(true)
  }
  place.idle(false)
}

/** Holds a place during each step of a listing, not while its consumer thinks. */
async function* stepwise<T>(items: AsyncIterable<T>, places: RequestPlaces, options: CallOptions | undefined): AsyncGenerator<T> {
  const iterator = items[Symbol.asyncIterator]()
  let ended = false
  try {
    for (;;) {
      const place = await places.enter({ signal: options?.signal })
      try {
        const { done, value } = await iterator.next()
        ended = done === true
        if (done === true) return
        place.release()
        yield value
      } catch (error) {
        ended = true
        throw error
      } finally {
        place.release()
      }
    }
  } finally {
    if (!ended) await iterator.return?.()
  }
}
