import { isFault, type Fault } from '@waltz/errors'
import { notFoundFault } from '@waltz/storage'
import type { Bucket } from './bucket.ts'
import { answerFault, isBucketMissing, type RefusedAnswer } from './errors.ts'

/** A call that got an answer that is no success. */
export interface RefusedCall {
  readonly doing: string
  /** The object that a "not found" is about; undefined for calls about the bucket. */
  readonly key?: string
  readonly signal: AbortSignal | undefined
}

/** The fault for an answer. Waits for nothing unless a 404 leaves open what is missing: then the bucket is asked for. */
export async function failureOf(bucket: Bucket, { key, doing, signal }: RefusedCall, refused: RefusedAnswer): Promise<Fault> {
  const { location, options } = bucket
  if (refused.status === 404 && key !== undefined) {
    if (!(isBucketMissing(refused) ?? (await bucketIsMissing(bucket, signal)))) return notFoundFault(key, location)
  }
  return answerFault(refused, { doing, location }, options.now)
}

/** An answer of any other kind is one of a bucket that exists. */
async function bucketIsMissing(bucket: Bucket, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    const engine = await bucket.open(signal)
    await engine.listPage({ maxResults: 1, fields: 'kind' }, { doing: 'looking for the bucket', signal })
    return false
  } catch (error) {
    if (!isFault(error)) throw error
    if (error.code === 'STORAGE_BUCKET_MISSING') return true
    if (error.code === 'STORAGE_ACCESS_DENIED') return false
    throw error
  }
}
