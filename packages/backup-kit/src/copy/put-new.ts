import { isFault } from '@waltz/errors'
import type { ObjectStore, PutOptions } from '@waltz/storage'

/**
 * Stores something under a key that was free a moment ago, with the condition that it still is where the store can keep that promise.
 * `send` may be called a second time, and opens its source anew.
 */
export async function putNew<Result>(
  store: Pick<ObjectStore, 'capabilities'>,
  send: (condition: Pick<PutOptions, 'onlyIfAbsent'>) => Promise<Result>,
): Promise<Result> {
  if (!store.capabilities.conditionalPut) return await send({})
  try {
    return await send({ onlyIfAbsent: true })
  } catch (error) {
    // Some stores have no condition for objects that go in parts.
    if (!isFault(error) || error.code !== 'STORAGE_CONDITIONAL_PUT_UNSUPPORTED') throw error
    return await send({})
  }
}
