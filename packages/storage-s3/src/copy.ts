import { throwIfAborted } from '@waltz/errors'
import { checkKey, copyUnsupportedFault, retried, type CallOptions, type ObjectInfo } from '@waltz/storage'
import { call } from './call.ts'
import { statusOf } from './errors.ts'
import { checkTarget } from './hidden-keys.ts'
import { abortUpload } from './maintenance.ts'
import { newObjectParams, readParams } from './object-params.ts'
import { MAX_PARTS, type Place } from './place.ts'
import { headObject } from './read.ts'

/** Large enough to be few, small enough to be answered in time. */
const COPY_PART_BYTES = 512 * 2 ** 20
const LANES = 4

/** `ObjectStore.copy`: by the storage itself, in one request or in parts. The storage class is its own choice (SET 5.1). */
export async function copyObject(place: Place, from: string, to: string, options: CallOptions | undefined): Promise<void> {
  throwIfAborted(options?.signal)
  checkKey(from)
  checkTarget(to)
  const { copy, maxCopyBytes } = place.provider.quirks
  if (!copy) throw copyUnsupportedFault({ doing: `copying ${from}`, location: place.location })
  const source = await headObject(place, from, options)
  if (source.size > maxCopyBytes) return copyInParts(place, { source, to }, options)
  try {
    await call(place, { doing: `copy ${from} to ${to}`, key: from, options }, ({ send }, sent) =>
      send('CopyObject', { ...copyParams(place, {}), ...sourceOf(place, source), Key: to }, sent),
    )
  } catch (error) {
    if (statusOf(error) !== 501) throw error
    // radosgw 16 says so for encrypted objects.
    throw copyUnsupportedFault({ doing: `copying ${from}`, location: place.location, cause: (error as Error).cause })
  }
}

interface PartedCopy {
  readonly source: ObjectInfo
  readonly to: string
}

async function copyInParts(place: Place, { source, to }: PartedCopy, options: CallOptions | undefined): Promise<void> {
  const { UploadId = '' } = await call(place, { doing: `begin to copy to ${to}`, options }, ({ send }, sent) =>
    send('CreateMultipartUpload', { ...copyParams(place, {}), Key: to }, sent),
  )
  try {
    const Parts = await copyParts(place, { source, to, id: UploadId }, options)
    await call(place, { doing: `complete ${to}`, options }, ({ send }, sent) =>
      send('CompleteMultipartUpload', { ...readParams(place), Key: to, UploadId, MultipartUpload: { Parts } }, sent),
    )
  } catch (error) {
    await abortUpload(place, { key: to, id: UploadId }, undefined).catch((leftover: unknown) =>
      place.options.onLeftover?.({ key: to, error: leftover }),
    )
    throw error
  }
}

interface CopiedPart {
  readonly PartNumber: number
  readonly ETag: string | undefined
}

async function copyParts(
  place: Place,
  { source, to, id }: PartedCopy & { readonly id: string },
  options: CallOptions | undefined,
): Promise<CopiedPart[]> {
  const { maxCopyBytes } = place.provider.quirks
  const bytes = Math.max(Math.min(COPY_PART_BYTES, maxCopyBytes), Math.ceil(source.size / MAX_PARTS))
  const numbers = Array.from({ length: Math.ceil(source.size / bytes) }, (_, index) => index + 1)
  const parts: CopiedPart[] = []
  const rest = numbers.values()
  const lane = async (): Promise<void> => {
    for (const PartNumber of rest) {
      const range = `bytes=${(PartNumber - 1) * bytes}-${Math.min(PartNumber * bytes, source.size) - 1}`
      const copied = await retried(place.options.retry, { operation: 'copy', key: to, signal: options?.signal }, () =>
        call(place, { doing: `copy part ${PartNumber} to ${to}`, key: source.key, options }, ({ send }, sent) =>
          send(
            'UploadPartCopy',
            {
              ...readParams(place),
              ...sourceOf(place, source),
              Key: to,
              UploadId: id,
              PartNumber,
              CopySourceRange: range,
            },
            sent,
          ),
        ),
      )
      parts[PartNumber - 1] = { PartNumber, ETag: copied.CopyPartResult?.ETag }
    }
  }
  const lanes = await Promise.allSettled(Array.from({ length: LANES }, lane))
  const failed = lanes.find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return parts
}

/** As for a new object, but for the storage class. */
function copyParams(place: Place, metadata: Readonly<Record<string, string>>): Omit<ReturnType<typeof newObjectParams>, 'Metadata'> {
  const { StorageClass: _class, Metadata: _metadata, Tagging: _tags, ...params } = newObjectParams(place, undefined, metadata)
  return params
}

function sourceOf(
  place: Place,
  { key }: ObjectInfo,
): {
  readonly CopySource: string
  readonly CopySourceSSECustomerAlgorithm?: string
  readonly CopySourceSSECustomerKey?: string
} {
  const { SSECustomerAlgorithm, SSECustomerKey } = readParams(place)
  return {
    CopySource: `${place.bucket}/${key.split('/').map(encodeURIComponent).join('/')}`,
    ...(SSECustomerAlgorithm === undefined || SSECustomerKey === undefined
      ? {}
      : { CopySourceSSECustomerAlgorithm: SSECustomerAlgorithm, CopySourceSSECustomerKey: SSECustomerKey }),
  }
}
