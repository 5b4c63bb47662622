import { isFault, throwIfAborted } from '@waltz/errors'
import { lockOf, retentionFault, type CallOptions, type ObjectLock } from '@waltz/storage'
import { attempt, type Place } from './place.ts'

/** A deletion that did not succeed. */
export interface RefusedDeletion {
  readonly key: string
  readonly versionId?: string
  /** As in "<doing> in <location> was refused". */
  readonly doing: string
  readonly error: unknown
}

/**
 * What a deletion is refused with: where a policy or a hold is the reason, the fault with its end, which only the blob itself tells
 * (Get Blob Properties, `x-ms-immutability-policy-until-date` and `x-ms-legal-hold`). A policy of a whole container has no such header.
 */
export async function withLock(place: Place, refused: RefusedDeletion, options: CallOptions | undefined): Promise<unknown> {
  const { doing, error } = refused
  if (lockOf(error) === undefined || !isFault(error)) return error
  const lock = await lockOn(place, refused, options)
  if (lock.until === undefined && lock.held !== true) return error
  const { code } = (error.cause ?? {}) as { readonly code?: string }
  return retentionFault({ doing, location: place.location, cause: error.cause, answer: code ?? '' }, lock)
}

async function lockOn(place: Place, { key, versionId }: RefusedDeletion, options: CallOptions | undefined): Promise<ObjectLock> {
  try {
    const told = await attempt(place, { doing: `look at the lock of ${key}`, key }, options, (container, abortSignal) => {
      const blob = container.getBlobClient(key)
      return (versionId === undefined ? blob : blob.withVersion(versionId)).getProperties({ abortSignal })
    })
    return { until: told.immutabilityPolicyExpiresOn, held: told.legalHold }
  } catch {
    throwIfAborted(options?.signal)
    return {} // the refusal stands for itself
  }
}
