import { isFault, throwIfAborted } from '@waltz/errors'
import { lockOf, retentionFault, type CallOptions, type ObjectLock } from '@waltz/storage'
import { call } from './call.ts'
import { codeOf, statusOf } from './errors.ts'
import { readParams } from './object-params.ts'
import type { Place } from './place.ts'

/** A deletion that did not succeed. */
export interface RefusedDeletion {
  readonly key: string
  readonly versionId?: string | undefined
  /** As in "<doing> in <location> was refused". */
  readonly doing: string
  readonly error: unknown
}

/**
 * What a deletion is refused with: where a lock is the reason, the fault with its end, which no refusal tells. S3 names it when the object
 * is looked at (`x-amz-object-lock-*`), as far as the key may see that (s3:GetObjectRetention, s3:GetObjectLegalHold): one request.
 */
export async function withLock(place: Place, refused: RefusedDeletion, options: CallOptions | undefined): Promise<unknown> {
  const { doing, error } = refused
  const isLocked = lockOf(error) !== undefined
  // In an answer for many objects a lock is not told from a missing right. Only versions are locked.
  const mayBeLocked = isLocked || (refused.versionId !== undefined && isFault(error, 'denied') && isRefusal(error))
  if (!mayBeLocked || !isFault(error)) return error
  const lock = await lockOn(place, refused, options)
  const isOver = lock.held !== true && (lock.until === undefined || (!isLocked && lock.until <= place.options.now()))
  return isOver ? error : retentionFault({ doing, location: place.location, cause: error.cause, answer: codeOf(error) ?? '' }, lock)
}

function isRefusal(error: unknown): boolean {
  return codeOf(error) === 'AccessDenied' || statusOf(error) === 403
}

async function lockOn(place: Place, { key, versionId }: RefusedDeletion, options: CallOptions | undefined): Promise<ObjectLock> {
  try {
    const told = await call(place, { doing: `look at the lock of ${key}`, key, options }, ({ send }, sent) =>
      send('HeadObject', { ...readParams(place), Key: key, ...(versionId === undefined ? {} : { VersionId: versionId }) }, sent),
    )
    return { until: told.ObjectLockRetainUntilDate, held: told.ObjectLockLegalHoldStatus === 'ON' }
  } catch {
    throwIfAborted(options?.signal)
    return {} // the refusal stands for itself
  }
}
