import { throwIfAborted } from '@waltz/errors'
import { checkKey, serverFailedFault, type CallOptions } from '@waltz/storage'
import { objectPath, type Bucket } from './bucket.ts'
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
    let rewriteToken: string | undefined
    for (;;) {
      const value = await bucket.sendForJson({
        method: 'POST',
        path: `${objectPath(bucket, from)}/rewriteTo${objectPath(bucket, to).slice('/storage/v1'.length)}`,
        query: { rewriteToken, fields: 'done,rewriteToken' },
        headers: { ...bucket.keyHeaders('copy'), ...bucket.keyHeaders() },
        doing,
        key: from,
        signal,
      })
      const { done, rewriteToken: token } = (value ?? {}) as Record<string, unknown>
      if (done === true) return
      if (typeof token !== 'string' || token === '')
        throw serverFailedFault({ doing, location: bucket.location, answer: 'neither done nor to be continued' })
      rewriteToken = token
    }
  })
}
