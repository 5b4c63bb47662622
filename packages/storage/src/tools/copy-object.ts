import { isFault } from '@waltz/errors'
import type { ByteSource } from '@waltz/bytes'
import type { CallOptions, ObjectInfo, ObjectStore } from '../object-store.ts'

/** How one object is copied. */
export interface CopyObjectOptions extends CallOptions {
  /** Refuses to replace an object of the target: `already-exists`. */
  readonly onlyIfAbsent?: boolean
  /** What becomes of the bytes on the way; unchanged unless given. */
  readonly transform?: (body: ByteSource) => ByteSource | Promise<ByteSource>
}

/**
 * Copies one object into another store (or another name of the same one), through this process. The target's own promises hold: all
 * bytes or none. Resolves to what is stored now.
 * @throws Fault `not-found` when the source has no such object; faults of both stores.
 */
export async function copyObject(
  source: { readonly store: Pick<ObjectStore, 'get'>; readonly key: string },
  target: { readonly store: Pick<ObjectStore, 'put'>; readonly key: string },
  { signal, onlyIfAbsent, transform }: CopyObjectOptions = {},
): Promise<ObjectInfo> {
  const call = signal === undefined ? {} : { signal }
  await using body = await source.store.get(source.key, call)
  const bytes = transform === undefined ? body : await transform(body)
  return await target.store.put(target.key, bytes, {
    ...call,
    ...(onlyIfAbsent === true ? { onlyIfAbsent } : {}),
    ...(transform === undefined ? { size: body.info.size } : {}),
  })
}

/** Whether the store holds an object of this name. @throws Fault of `head` other than `not-found`. */
export async function objectExists(store: Pick<ObjectStore, 'head'>, key: string, options?: CallOptions): Promise<ObjectInfo | undefined> {
  try {
    return await store.head(key, options)
  } catch (error) {
    if (isFault(error, 'not-found')) return undefined
    throw error
  }
}
