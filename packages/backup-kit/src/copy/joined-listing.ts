import { compareKeys, type ObjectInfo } from '@waltz/storage'

/** An object of the source with the target's of the same key. */
export interface JoinedObject {
  readonly source: ObjectInfo
  readonly there: ObjectInfo | undefined
}

/** Joins two listings, each in order of key, without holding either. What only the target has is passed over. */
export async function* joinListings(
  source: AsyncIterable<ObjectInfo>,
  target: AsyncIterable<ObjectInfo>,
): AsyncGenerator<JoinedObject, void, undefined> {
  const others = target[Symbol.asyncIterator]()
  try {
    let other = await others.next()
    for await (const info of source) {
      while (other.done !== true && compareKeys(other.value.key, info.key) < 0) other = await others.next()
      yield { source: info, there: other.done !== true && other.value.key === info.key ? other.value : undefined }
    }
  } finally {
    await others.return?.()
  }
}
