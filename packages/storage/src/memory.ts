import { Fault, throwIfAborted } from '@waltz/errors'
import { CHUNK_BYTES, concatBytes, type ByteSource } from '@waltz/bytes'
import { clipRange } from './byte-range.ts'
import { checkKey, checkPrefix, compareKeys } from './key.ts'
import { createListing } from './listing.ts'
import { createObjectBody } from './object-body.ts'
import type { CallOptions, GetOptions, ListOptions, ObjectBody, ObjectInfo, ObjectStore, PutOptions } from './object-store.ts'
import { openPutBody } from './put-body.ts'
import { alreadyExistsFault, checkConditions, notFoundFault, objectReplacedFault } from './store-faults.ts'

/** What a memory store is made from. */
export interface MemoryStoreOptions {
  /** Gives every object its modification time. */
  readonly now: () => Date
  /** Largest object taken, in bytes; 1 GiB unless given. */
  readonly maxObjectBytes?: number
}

interface Stored {
  readonly info: ObjectInfo
  readonly bytes: Uint8Array
}

const LOCATION = 'memory:'

interface Shelf {
  readonly objects: Map<string, Stored>
  readonly maxObjectBytes: number
  readonly stamp: () => Pick<ObjectInfo, 'modifiedAt' | 'modifiedAtNs' | 'etag'>
}

/**
 * A complete store in memory, for tests and small tools. It keeps every promise of the contract, holds all objects
 * until it is dropped, and orders objects of the same millisecond by `modifiedAtNs`.
 */
export function createMemoryStore({ now, maxObjectBytes = 2 ** 30 }: MemoryStoreOptions): ObjectStore {
  const shelf: Shelf = { objects: new Map(), maxObjectBytes, stamp: createStamp(now) }
  return {
    capabilities: {
      copy: true,
      conditionalPut: true,
      conditionalMultipart: 'store',
      ifMatch: true,
      rangedGet: true,
      maxObjectBytes,
      maxDeleteBatch: 1000,
    },
    location: LOCATION,
    head: async (key, options) => find(shelf, key, options).info,
    get: async (key, options) => openBody(find(shelf, key, options), options),
    put: (key, body, options) => put(shelf, key, body, options),
    async delete(keys, options) {
      for (const key of keys) {
        throwIfAborted(options?.signal)
        checkKey(key)
        shelf.objects.delete(key)
      }
      throwIfAborted(options?.signal)
    },
    list: (prefix, options) => createListing(() => listPages(shelf, prefix, options), options),
    async *listGroups(prefix, options) {
      let last: string | undefined
      for (const key of sortedKeys(shelf, prefix, options)) {
        throwIfAborted(options?.signal)
        const slash = key.indexOf('/', prefix.length)
        const group = slash < 0 ? undefined : key.slice(0, slash + 1)
        if (group !== undefined && group !== last) yield group
        last = group ?? last
      }
    },
    async copy(from, to, options) {
      const { bytes } = find(shelf, from, options)
      checkKey(to)
      store(shelf, to, bytes)
    },
    async [Symbol.asyncDispose]() {},
  }
}

function find(shelf: Shelf, key: string, options: CallOptions | undefined): Stored {
  throwIfAborted(options?.signal)
  checkKey(key)
  const found = shelf.objects.get(key)
  if (found === undefined) throw notFoundFault(key, LOCATION)
  return found
}

function store(shelf: Shelf, key: string, bytes: Uint8Array): ObjectInfo {
  const info = { key, size: bytes.length, ...shelf.stamp() }
  shelf.objects.set(key, { info, bytes })
  return info
}

async function put(shelf: Shelf, key: string, body: ByteSource, options: PutOptions | undefined): Promise<ObjectInfo> {
  const source = openPutBody(key, body, options)
  const refuseTaken = (): void => {
    const found = shelf.objects.get(key)
    if (options?.onlyIfAbsent === true && found !== undefined) throw alreadyExistsFault(key, LOCATION)
    if (options?.ifMatch !== undefined && found?.info.etag !== options.ifMatch) throw objectReplacedFault(key, LOCATION)
  }
  try {
    throwIfAborted(options?.signal)
    checkKey(key)
    checkConditions(options)
    refuseTaken()
    const bytes = await collect(key, source, shelf.maxObjectBytes)
    refuseTaken() // somebody else may have been faster
    return store(shelf, key, bytes)
  } catch (error) {
    await source.close()
    throw error
  }
}

function sortedKeys(shelf: Shelf, prefix: string, options: CallOptions | undefined): string[] {
  throwIfAborted(options?.signal)
  checkPrefix(prefix)
  return [...shelf.objects.keys()].filter((key) => key.startsWith(prefix)).sort(compareKeys)
}

const PAGE_OBJECTS = 1000

/** An object that goes away before its page is made is not in it. */
async function* listPages(shelf: Shelf, prefix: string, options: ListOptions | undefined): AsyncGenerator<readonly ObjectInfo[]> {
  const keys = sortedKeys(shelf, prefix, options).filter((key) => isAfter(key, options) && isOnLevel(key, prefix, options))
  for (let from = 0; from < keys.length; from += PAGE_OBJECTS) {
    throwIfAborted(options?.signal)
    yield keys.slice(from, from + PAGE_OBJECTS).flatMap((key) => shelf.objects.get(key)?.info ?? [])
  }
}

function isAfter(key: string, options: ListOptions | undefined): boolean {
  return options?.after === undefined || compareKeys(key, options.after) > 0
}

function openBody({ info, bytes }: Stored, options: GetOptions | undefined): ObjectBody {
  const { start, end } = clipRange(options?.range, bytes.length)
  async function* read(): AsyncGenerator<Uint8Array> {
    for (let offset = start; offset < end; offset += CHUNK_BYTES) {
      throwIfAborted(options?.signal)
      yield bytes.slice(offset, Math.min(offset + CHUNK_BYTES, end)) // a copy: the chunk belongs to its consumer
    }
    throwIfAborted(options?.signal)
  }
  return createObjectBody({ info, read, close: async () => undefined })
}

async function collect(key: string, source: ByteSource, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of source) {
    bytes += chunk.length
    if (bytes > limit)
      throw new Fault('invalid', 'STORAGE_OBJECT_TOO_LARGE', `${key} has more than ${limit} bytes`, { context: { key, limit } })
    chunks.push(chunk)
  }
  return concatBytes(chunks)
}

/** Times from the clock, with a nanosecond part that tells objects of one millisecond apart, and an etag. */
function createStamp(now: () => Date): () => Pick<ObjectInfo, 'modifiedAt' | 'modifiedAtNs' | 'etag'> {
  let count = 0
  let lastMs = Number.NaN
  let withinMs = 0
  return () => {
    const modifiedAt = now()
    const ms = modifiedAt.getTime()
    withinMs = ms === lastMs ? Math.min(withinMs + 1, 999_999) : 0
    lastMs = ms
    count += 1
    return { modifiedAt, modifiedAtNs: BigInt(ms) * 1_000_000n + BigInt(withinMs), etag: `"${count}"` }
  }
}

function isOnLevel(key: string, prefix: string, options: ListOptions | undefined): boolean {
  return options?.oneLevel !== true || !key.includes('/', prefix.length)
}
