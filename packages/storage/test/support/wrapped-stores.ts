import {
  observeStore,
  readOnly,
  withLimits,
  withPrefix,
  withRetry,
  type ObjectStore,
  type RetryPolicy,
  type StoreLimits,
} from '../../src/index.ts'

/** A clock that only sleeping moves. */
export function fakeTime(): { now: () => Date; sleep: (ms: number, signal?: AbortSignal) => Promise<void>; slept: number[] } {
  let ms = 1_700_000_000_000
  const slept: number[] = []
  return {
    slept,
    now: () => new Date(ms),
    async sleep(wait, signal) {
      signal?.throwIfAborted()
      slept.push(wait)
      ms += wait
      await new Promise((resolve) => setImmediate(resolve))
      signal?.throwIfAborted()
    },
  }
}

export const retryPolicy = (over: Partial<RetryPolicy> = {}): RetryPolicy => ({
  maxAttempts: 3,
  baseDelayMs: 100,
  maxDelayMs: 1000,
  random: () => 0.5,
  sleep: fakeTime().sleep,
  ...over,
})

export const limits = (over: Partial<StoreLimits> = {}): StoreLimits => ({ ...fakeTime(), ...over })

/** Reads through `readOnly`, writes past it: the only way to run the whole contract over it. */
function readOnlyReads(store: ObjectStore): ObjectStore {
  const reads = readOnly(store)
  return {
    capabilities: reads.capabilities,
    location: reads.location,
    head: (key, options) => reads.head(key, options),
    get: (key, options) => reads.get(key, options),
    list: (prefix, options) => reads.list(prefix, options),
    listGroups: (prefix, options) => reads.listGroups(prefix, options),
    put: (key, body, options) => store.put(key, body, options),
    delete: (keys, options) => store.delete(keys, options),
    copy: (from, to, options) => store.copy(from, to, options),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

/** Every wrapper, alone and stacked as the kit stacks them. */
export const wrappers: readonly (readonly [name: string, wrap: (store: ObjectStore) => ObjectStore])[] = [
  ['bare', (store) => store],
  ['prefix', (store) => withPrefix(store, 'some/folder')],
  ['retry', (store) => withRetry(store, retryPolicy())],
  ['limits of 1 request', (store) => withLimits(store, limits({ maxRequests: 1 }))],
  ['limits of 3 requests and 10 MB/s', (store) => withLimits(store, limits({ maxRequests: 3, bytesPerSecond: 10_000_000 }))],
  ['read only', readOnlyReads],
  ['observe', (store) => observeStore(store, () => undefined)],
  [
    'all of them',
    (store) =>
      observeStore(
        withPrefix(withRetry(withLimits(readOnlyReads(store), limits({ maxRequests: 4, bytesPerSecond: 1e8 })), retryPolicy()), 'p/'),
        () => undefined,
      ),
  ],
]
