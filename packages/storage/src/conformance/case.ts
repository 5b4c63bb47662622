import type { ObjectStore } from '../object-store.ts'

/** One promise of the `ObjectStore` contract. */
export interface ConformanceCase {
  readonly name: string
  /** False when the store does not claim what the case is about: skip it then. */
  readonly needs?: (store: ObjectStore) => boolean
  /** Throws when the promise is broken. */
  run(store: ObjectStore): Promise<void>
}

/** The corner of the store that one case may use. */
export interface CaseScope {
  readonly store: ObjectStore
  /** Ends in '/'. */
  readonly prefix: string
  /** A key below the prefix. */
  readonly at: (name: string) => string
}

/** Makes a case that works below a prefix made from its name. */
export function defineCase(
  name: string,
  body: (scope: CaseScope) => Promise<void>,
  needs?: (store: ObjectStore) => boolean,
): ConformanceCase {
  const prefix = `conformance/${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}/`
  const run = async (store: ObjectStore): Promise<void> => {
    await clear(store, prefix)
    await body({ store, prefix, at: (tail) => prefix + tail })
    await clear(store, prefix)
  }
  return needs === undefined ? { name, run } : { name, needs, run }
}

/** Claims of the optional abilities. */
export const conditional = (store: ObjectStore): boolean => store.capabilities.conditionalPut
export const ranged = (store: ObjectStore): boolean => store.capabilities.rangedGet

async function clear(store: ObjectStore, prefix: string): Promise<void> {
  const keys: string[] = []
  for await (const info of store.list(prefix)) keys.push(info.key)
  await store.delete(keys)
}
