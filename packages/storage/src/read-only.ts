import { Fault } from '@waltz/errors'
import type { ObjectStore } from './object-store.ts'
import { openPutBody } from './put-body.ts'

/**
 * The same store without its writing half: `put`, `delete` and `copy` reject with `denied` `STORAGE_READ_ONLY` and
 * change nothing. Disposing of it disposes of the store below.
 */
export function readOnly(store: ObjectStore): ObjectStore {
  const refuse = (what: string): Fault =>
    new Fault('denied', 'STORAGE_READ_ONLY', `may not ${what}: ${store.location} was opened for reading only`, {
      context: { location: store.location },
    })
  return {
    capabilities: store.capabilities,
    location: store.location,
    head: (key, options) => store.head(key, options),
    get: (key, options) => store.get(key, options),
    async put(key, body, options) {
      await openPutBody(key, body, options).close()
      throw refuse(`store ${key}`)
    },
    delete: () => Promise.reject(refuse('delete objects')),
    list: (prefix, options) => store.list(prefix, options),
    listGroups: (prefix, options) => store.listGroups(prefix, options),
    copy: (_from, to) => Promise.reject(refuse(`copy to ${to}`)),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}
