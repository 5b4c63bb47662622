import { isFault } from '@waltz/errors'
import type { ByteSource } from '@waltz/bytes'
import { createListing, pagesOf } from './listing.ts'
import { createObjectBody } from './object-body.ts'
import type { ObjectBody, ObjectInfo, ObjectStore } from './object-store.ts'

/** The calls of a store. */
export type StoreOperation = 'head' | 'get' | 'put' | 'delete' | 'list' | 'listGroups' | 'copy'

/** One finished call. */
export interface StoreEvent {
  readonly operation: StoreOperation
  /** The object; the prefix of a listing; the first key of a delete; the new object of a copy. */
  readonly key: string
  /** Bytes that went through: pulled by a put, handed out by a get. */
  readonly bytes: number
  /** Objects or groups that the call was about: listed, deleted, otherwise 1. */
  readonly count: number
  readonly ok: boolean
  /** The fault's code when `ok` is false; `UNKNOWN` when the failure was no fault. */
  readonly code?: string
}

/** Told once per call, when it has ended; must not throw. */
export type StoreObserver = (event: StoreEvent) => void

/**
 * The same store, telling `observer` of every call that ended, well or not. A get is told when its body is read,
 * dropped or failed; a listing likewise. Nothing is told of a body that was never read nor disposed of.
 */
export function observeStore(store: ObjectStore, observer: StoreObserver): ObjectStore {
  const watched = async <T>(tally: Tally, run: () => Promise<T>): Promise<T> => {
    try {
      const result = await run()
      tell(observer, tally)
      return result
    } catch (error) {
      tell(observer, tally, { error })
      throw error
    }
  }
  return {
    capabilities: store.capabilities,
    location: store.location,
    head: (key, options) => watched(tallyOf('head', key), () => store.head(key, options)),
    async get(key, options) {
      const tally = tallyOf('get', key)
      const body = await store.get(key, options).catch((error: unknown) => {
        tell(observer, tally, { error })
        throw error
      })
      return observedBody(body, tally, observer)
    },
    put(key, body, options) {
      const tally = tallyOf('put', key)
      return watched(tally, () => store.put(key, counted(body, tally), options))
    },
    delete(keys, options) {
      const tally = tallyOf('delete', '', 0)
      return watched(tally, () => store.delete(countedKeys(keys, tally), options))
    },
    list: (prefix, options) =>
      createListing(() => observedPages(pagesOf(store.list(prefix, options)), tallyOf('list', prefix, 0), observer), options),
    listGroups: (prefix, options) => observedList(store.listGroups(prefix, options), tallyOf('listGroups', prefix, 0), { observer }),
    copy: (from, to, options) => watched(tallyOf('copy', to), () => store.copy(from, to, options)),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

interface Tally {
  readonly operation: StoreOperation
  key: string
  bytes: number
  count: number
}

function tallyOf(operation: StoreOperation, key: string, count = 1): Tally {
  return { operation, key, bytes: 0, count }
}

function tell(observer: StoreObserver, { operation, key, bytes, count }: Tally, failure?: { readonly error: unknown }): void {
  const event = { operation, key, bytes, count, ok: failure === undefined }
  if (failure === undefined) observer(event)
  else observer({ ...event, code: isFault(failure.error) ? failure.error.code : 'UNKNOWN' })
}

function observedBody(body: ObjectBody, tally: Tally, observer: StoreObserver): ObjectBody {
  let failure: { readonly error: unknown } | undefined
  async function* read(): AsyncGenerator<Uint8Array> {
    try {
      yield* counted(body, tally)
    } catch (error) {
      failure = { error }
      throw error
    }
  }
  const close = async (): Promise<void> => {
    await body[Symbol.asyncDispose]()
    tell(observer, tally, failure)
  }
  return createObjectBody({ info: body.info, read, close })
}

/** Counts without a generator of its own, so that a source that was never pulled can still be closed. */
function counted(source: ByteSource, tally: Tally): ByteSource & { [Symbol.asyncIterator](): AsyncIterator<Uint8Array> } {
  return {
    [Symbol.asyncIterator]() {
      const inner = source[Symbol.asyncIterator]()
      return {
        async next() {
          const step = await inner.next()
          if (step.done !== true) tally.bytes += step.value.length
          return step
        },
        async return() {
          await inner.return?.()
          return { done: true, value: undefined }
        },
      }
    },
  }
}

function* countedKeys(keys: Iterable<string>, tally: Tally): Generator<string> {
  for (const key of keys) {
    if (tally.count === 0) tally.key = key
    tally.count += 1
    yield key
  }
}

function observedPages(
  pages: AsyncIterable<readonly ObjectInfo[]>,
  tally: Tally,
  observer: StoreObserver,
): AsyncGenerator<readonly ObjectInfo[]> {
  return observedList(pages, tally, { observer, amount: (page) => page.length })
}

async function* observedList<T>(
  items: AsyncIterable<T>,
  tally: Tally,
  { observer, amount = () => 1 }: { readonly observer: StoreObserver; readonly amount?: (item: T) => number },
): AsyncGenerator<T> {
  let failure: { readonly error: unknown } | undefined
  try {
    for await (const item of items) {
      tally.count += amount(item)
      yield item
    }
  } catch (error) {
    failure = { error }
    throw error
  } finally {
    tell(observer, tally, failure)
  }
}
