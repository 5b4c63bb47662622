import { checkKey, checkPrefix } from './key.ts'
import { createListing, pagesOf } from './listing.ts'
import { createObjectBody } from './object-body.ts'
import type { ObjectBody, ObjectInfo, ObjectStore, PutOptions } from './object-store.ts'
import { openPutBody } from './put-body.ts'

/**
 * A view of one "directory" of another store: keys go in and come out without the prefix. `prefix` is a folder (a
 * final '/' is added when missing); '' is the store itself. Disposing of the view disposes of the store. Messages of
 * the store below name the full key.
 * @throws Fault `invalid` `STORAGE_KEY_INVALID` for a prefix that no key can have.
 */
export function withPrefix(store: ObjectStore, prefix: string): ObjectStore {
  if (prefix === '') return store
  const folder = prefix.endsWith('/') ? prefix : `${prefix}/`
  checkPrefix(folder)
  const outer = (key: string): string => {
    checkKey(key)
    return folder + key
  }
  const inner = (info: ObjectInfo): ObjectInfo => ({ ...info, key: info.key.slice(folder.length) })
  return {
    capabilities: store.capabilities,
    location: `${store.location}${store.location.endsWith('/') ? '' : '/'}${folder.slice(0, -1)}`,
    head: async (key, options) => inner(await store.head(outer(key), options)),
    async get(key, options) {
      const body = await store.get(outer(key), options)
      return renamed(body, inner(body.info))
    },
    async put(key, body, options) {
      return inner(await store.put(await outerOrClose(key, body, options), body, options))
    },
    delete: async (keys, options) => store.delete(mapKeys(keys, outer), options),
    list(at, options) {
      const { after, ...rest } = options ?? {}
      const below = after === undefined ? rest : { ...rest, after: folder + after }
      async function* pages(): AsyncGenerator<readonly ObjectInfo[]> {
        checkPrefix(at)
        for await (const page of pagesOf(store.list(folder + at, below))) yield page.map(inner)
      }
      return createListing(pages, options)
    },
    async *listGroups(at, options) {
      checkPrefix(at)
      for await (const group of store.listGroups(folder + at, options)) yield group.slice(folder.length)
    },
    copy: async (from, to, options) => store.copy(outer(from), outer(to), options),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }

  async function outerOrClose(key: string, body: Parameters<ObjectStore['put']>[1], options: PutOptions | undefined): Promise<string> {
    try {
      return outer(key)
    } catch (error) {
      await openPutBody(key, body, options).close()
      throw error
    }
  }
}

function renamed(body: ObjectBody, info: ObjectInfo): ObjectBody {
  return createObjectBody({ info, read: () => body[Symbol.asyncIterator](), close: async () => body[Symbol.asyncDispose]() })
}

function* mapKeys(keys: Iterable<string>, change: (key: string) => string): Generator<string> {
  for (const key of keys) yield change(key)
}
