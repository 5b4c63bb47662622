import { throwIfAborted } from '@waltz/errors'
import { checkKey, type CallOptions } from '@waltz/storage'
import type { Bucket } from './bucket.ts'
import { refusePieceKey } from './resource.ts'
import { withinTime } from './time-limit.ts'

/** `ObjectStore.copy`: the store rewrites the object, in as many requests as it wants. */
export async function copyObject(bucket: Bucket, from: string, to: string, options: CallOptions | undefined): Promise<void> {
  throwIfAborted(options?.signal)
  checkKey(from)
  checkKey(to)
  refusePieceKey(bucket, to)
  const doing = `copy of ${from} to ${to}`
  await withinTime(bucket, { doing, signal: options?.signal }, async (signal) => {
    const engine = await bucket.open(signal)
    await engine.rewrite({ key: from, to, doing, signal })
  })
}
