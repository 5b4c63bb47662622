import { isFault } from '@waltz/errors'
import { checksumFault, objectReplacedFault, type PutOptions, type UploadCall } from '@waltz/storage'
import type { Bucket } from './bucket.ts'
import { ownObjectOrFault, markOf, type PutCondition } from './condition.ts'
import { formatCrc32c, type Crc32c } from './crc32c.ts'
import { deleteGeneration } from './delete.ts'
import { parseResource, type ObjectResource } from './resource.ts'

/** What is stored in one request. */
export interface WholeUpload {
  /** May differ from that of the call: pieces have names of their own. */
  readonly key: string
  readonly body: Uint8Array
  readonly crc32c: Crc32c
  readonly condition: PutCondition
  readonly metadata?: Readonly<Record<string, string>>
}

/** One request with description and bytes ("multipart upload"); the store refuses bytes that do not fit the checksum sent along. */
export async function uploadWhole(bucket: Bucket, upload: WholeUpload, call: UploadCall): Promise<ObjectResource> {
  const { key, body, crc32c, condition } = upload
  const doing = `write of ${key}`
  const crc = formatCrc32c(crc32c(body, 0))
  const description = {
    ...describe(bucket, call.options),
    crc32c: crc,
    ...(upload.metadata === undefined ? markOf(condition) : { metadata: upload.metadata }),
  }
  const { signal } = call
  const engine = await bucket.open(signal)
  const { written } = await refusingReplaced(bucket, call, () =>
    engine.storeWhole({ key, description, ifGeneration: condition.generation, body, doing, signal }),
  )
  if (written === undefined) return await ownObjectOrFault(bucket, { ...call, key, condition })
  const stored = parseResource(written, { location: bucket.location, doing })
  await refuseWrongBytes(bucket, stored, { doing, size: body.length, crc, retryable: true })
  return stored
}

/** What the description of every new object holds. */
export function describe(
  { options }: Bucket,
  put: PutOptions | undefined,
): { readonly contentType: string; readonly storageClass?: string } {
  const { storageClass } = options
  return { contentType: put?.contentType ?? 'application/octet-stream', ...(storageClass === undefined ? {} : { storageClass }) }
}

/** With `ifMatch`, an object that is gone may be answered as "not found". */
export async function refusingReplaced<T>(bucket: Bucket, { key, options }: UploadCall, send: () => Promise<T>): Promise<T> {
  try {
    return await send()
  } catch (error) {
    if (isFault(error, 'not-found') && options?.ifMatch !== undefined) throw objectReplacedFault(key, bucket.location)
    throw error
  }
}

/** What must have been stored. */
export interface ExpectedBytes {
  readonly doing: string
  readonly size: number
  /** As the API writes it. */
  readonly crc: string
  readonly retryable: boolean
}

/**
 * A store that ignores the checksum sent along still says what it has: if that is something else, it is removed again.
 * @throws Fault `corrupt` `STORAGE_CHECKSUM_MISMATCH`.
 */
export async function refuseWrongBytes(
  bucket: Bucket,
  stored: ObjectResource,
  { doing, size, crc, retryable }: ExpectedBytes,
): Promise<void> {
  if (stored.size === size && (stored.crc32c === undefined || stored.crc32c === crc)) return
  await deleteGeneration(bucket, { key: stored.name, generation: stored.generation }, undefined).catch((error: unknown) =>
    bucket.options.onLeftover?.({ key: stored.name, error }),
  )
  throw checksumFault({ doing, location: bucket.location }, { retryable })
}
