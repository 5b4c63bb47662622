import { Fault, isFault } from '@waltz/errors'
import { alreadyExistsFault, objectReplacedFault, type PutOptions } from '@waltz/storage'
import type { Bucket } from './bucket.ts'
import { fetchResource, PUT_MARK, type ObjectResource } from './resource.ts'

/** The condition of a put. */
export interface PutCondition {
  /** For `ifGenerationMatch`: 0 is "no object", undefined "whatever is there". */
  readonly generation: string | undefined
  /** Custom metadata by which the put knows its own object again, if there is a condition. */
  readonly mark: string | undefined
}

/** GCS knows each version of an object by a generation; 0 stands for no object (Cloud Storage documentation, "Request preconditions"). */
export function conditionOf(bucket: Bucket, key: string, options: PutOptions | undefined): PutCondition {
  const { onlyIfAbsent, ifMatch } = options ?? {}
  if (onlyIfAbsent === true) return { generation: '0', mark: bucket.options.randomHex(32) }
  if (ifMatch === undefined) return { generation: undefined, mark: undefined }
  // No object of this store ever had such an etag.
  if (!/^[1-9]\d*$/.test(ifMatch)) throw objectReplacedFault(key, bucket.location)
  return { generation: ifMatch, mark: bucket.options.randomHex(32) }
}

/** The put's own custom metadata. */
export function markOf({ mark }: PutCondition): { readonly metadata?: Readonly<Record<string, string>> } {
  return mark === undefined ? {} : { metadata: { [PUT_MARK]: mark } }
}

/** A put that was refused for its condition. */
export interface RefusedPut {
  readonly key: string
  readonly options: PutOptions | undefined
  readonly condition: PutCondition
  readonly attempt: number
  readonly signal: AbortSignal
}

/**
 * What "precondition failed" means: after a lost answer the object may be that of this very put, which then has succeeded.
 * @throws Fault `already-exists` or `conflict` when it is not.
 */
export async function ownObjectOrFault(bucket: Bucket, { key, options, condition, attempt, signal }: RefusedPut): Promise<ObjectResource> {
  if (attempt > 1) {
    const found = await fetchResource(bucket, { key, signal }).catch((error: unknown) => {
      if (isFault(error, 'not-found')) return undefined
      throw error
    })
    if (found !== undefined && condition.mark !== undefined && found.metadata[PUT_MARK] === condition.mark) return found
  }
  throw refusedFault(bucket, key, options)
}

/** A condition that did not hold, for an object that is not the put's own. */
export function refusedFault({ location }: Bucket, key: string, options: PutOptions | undefined): Fault {
  return options?.onlyIfAbsent === true ? alreadyExistsFault(key, location) : objectReplacedFault(key, location)
}

/** The upload cannot be made again by the store: its bytes are gone. */
export function finalFault(fault: Fault): Fault {
  const { kind, code, message, hint, context, cause } = fault
  return new Fault(kind, code, message, { ...(hint === undefined ? {} : { hint }), context, cause, retryable: false })
}
