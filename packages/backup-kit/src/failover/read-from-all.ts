import { Fault, isFault, throwIfAborted } from '@waltz/errors'
import { compareKeys, notFoundFault, readOnly, type CallOptions, type ObjectInfo, type ObjectStore } from '@waltz/storage'
import { briefly } from './briefly.ts'

/** A storage that could not say whether it has something. */
export interface Silence {
  readonly name: string
  readonly why: string
}

/** One of the storages that are read as one. */
export interface ReadableStorage {
  readonly name: string
  readonly store: ObjectStore
}

/** How storages are read as one. */
export interface ReadFromAllOptions {
  /** A call that a storage has not begun to answer by then counts as not answered; no bound unless given. */
  readonly timeoutMs?: number
  /**
   * Told once of each storage that does not answer, which is then left out as if it had nothing: for callers that decide for themselves
   * what that means. Without it such a call rejects with `unavailable` `STORAGE_PARTLY_UNAVAILABLE`.
   */
  readonly onSilence?: (silence: Silence) => void
}

/**
 * Several storages as one to read from: an object comes from the first that has it, a listing has the first of equal names (SET 6). That
 * something is nowhere is only said when every storage said so, unless `onSilence` is there to hear of it.
 */
export function readFromAll(storages: readonly ReadableStorage[], options: ReadFromAllOptions = {}): ObjectStore {
  const { timeoutMs, onSilence } = options
  const silent = new Set<string>()
  const asked = (): readonly ReadableStorage[] => storages.filter(({ name }) => !silent.has(name))
  const skip = (storage: ReadableStorage, error: unknown): Silence => {
    if (!isFault(error) || error.kind === 'aborted' || error.kind === 'invalid') throw error
    const silence = { name: storage.name, why: error.message }
    if (onSilence !== undefined && !silent.has(storage.name)) {
      silent.add(storage.name)
      onSilence(silence)
    }
    return silence
  }
  const firstOf = async <Result>(key: string, call: CallOptions | undefined, ask: Ask<Result>): Promise<Result> => {
    const unanswered: Silence[] = []
    for (const storage of asked()) {
      throwIfAborted(call?.signal)
      try {
        return await briefly(timeoutMs, call?.signal, (signal) => ask(storage.store, signal))
      } catch (error) {
        if (!isFault(error, 'not-found')) unanswered.push(skip(storage, error))
      }
    }
    if (unanswered.length > 0 && onSilence === undefined) throw partlyUnavailable(`whether there is an object ${key}`, unanswered)
    throw notFoundFault(key, storages.length === 1 ? (storages[0]?.store.location ?? '') : locationOf(storages))
  }
  async function* all<Item>(
    what: string,
    open: (store: ObjectStore) => AsyncIterable<Item>,
    keyOf: (item: Item) => string,
  ): AsyncGenerator<Item> {
    yield* merged(
      asked().map((storage) => tolerant(open(storage.store), (error) => complain(what, skip(storage, error)))),
      keyOf,
    )
  }
  const complain = (what: string, silence: Silence): void => {
    if (onSilence === undefined) throw partlyUnavailable(what, [silence])
  }
  return readOnly({
    capabilities: NO_CAPABILITIES,
    location: locationOf(storages),
    head: (key, call) => firstOf(key, call, (store, signal) => store.head(key, given(call, signal))),
    get: (key, call) => firstOf(key, call, (store, signal) => store.get(key, given(call, signal))),
    list: (prefix, call) =>
      all(
        `what lies below ${prefix}`,
        (store) => store.list(prefix, call),
        (info: ObjectInfo) => info.key,
      ),
    listGroups: (prefix, call) =>
      all(
        `what lies below ${prefix}`,
        (store) => store.listGroups(prefix, call),
        (group: string) => group,
      ),
    ...NO_WRITING,
  })
}

type Ask<Result> = (store: ObjectStore, signal: AbortSignal | undefined) => Promise<Result>

const NO_CAPABILITIES = {
  copy: false,
  conditionalPut: false,
  conditionalMultipart: 'none',
  ifMatch: false,
  rangedGet: true,
  maxObjectBytes: 0,
  maxDeleteBatch: 1,
} as const

async function refuse(): Promise<never> {
  throw new Fault('internal', 'ASSERTION_FAILED', 'a reader of several storages was asked to write')
}

/** Never reached: the reader is closed to writing, and the storages are not its own. */
const NO_WRITING = { put: refuse, delete: refuse, copy: refuse, async [Symbol.asyncDispose]() {} } as const

function locationOf(storages: readonly ReadableStorage[]): string {
  return `the storages ${storages.map(({ name }) => name).join(', ')}`
}

function given<Options extends CallOptions>(options: Options | undefined, signal: AbortSignal | undefined): Options {
  return { ...options, ...(signal !== undefined && { signal }) } as Options
}

/** The fault for a question that not every storage answered. */
export function partlyUnavailable(what: string, silent: readonly Silence[]): Fault {
  const names = silent.map(({ name }) => name)
  return new Fault(
    'unavailable',
    'STORAGE_PARTLY_UNAVAILABLE',
    `it cannot be told ${what}: ${silent.map(({ name, why }) => `the storage ${name} did not answer (${why})`).join('; ')}`,
    {
      hint: `try again when it answers; to go on without it, set WALTZ_FAILOVER_IGNORE=${names.join(',')}`,
      context: { storages: names.join(', ') },
    },
  )
}

/** A listing that ends when `onError` accepts its failure. */
async function* tolerant<Item>(listing: AsyncIterable<Item>, onError: (error: unknown) => void): AsyncGenerator<Item> {
  try {
    yield* listing
  } catch (error) {
    onError(error)
  }
}

interface Head<Item> {
  readonly iterator: AsyncIterator<Item>
  readonly next: IteratorResult<Item>
}

/** Sorted listings as one: of equal names the first. */
async function* merged<Item>(listings: readonly AsyncIterable<Item>[], keyOf: (item: Item) => string): AsyncGenerator<Item> {
  const iterators = listings.map((listing) => listing[Symbol.asyncIterator]())
  try {
    let heads: readonly Head<Item>[] = await Promise.all(iterators.map(async (iterator) => ({ iterator, next: await iterator.next() })))
    for (;;) {
      heads = heads.filter(({ next }) => next.done !== true)
      const [first, ...others] = heads
      if (first === undefined) return
      const least = others.reduce((left, right) => (compareKeys(keyOf(right.next.value), keyOf(left.next.value)) < 0 ? right : left), first)
      const item: Item = least.next.value
      const key = keyOf(item)
      yield item
      heads = await Promise.all(
        heads.map(async (head) => (keyOf(head.next.value) === key ? { ...head, next: await head.iterator.next() } : head)),
      )
    }
  } finally {
    await Promise.all(iterators.map(async (iterator) => iterator.return?.()))
  }
}
