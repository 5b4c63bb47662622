import { isFault, throwIfAborted } from '@waltz/errors'
import {
  checkPrefix,
  versionsUnsupportedFault,
  type CallOptions,
  type ObjectVersion,
  type StoreMaintenance,
  type UnfinishedUpload,
} from '@waltz/storage'
import { call } from './call.ts'
import { codeOf } from './errors.ts'
import { deleteDoomed, deleteOne } from './delete.ts'
import { isClaim } from './hidden-keys.ts'
import { decoded, listEverything } from './list.ts'
import { bucketParams } from './object-params.ts'
import type { Place } from './place.ts'
import { isVersioned, listVersions } from './versions.ts'

/** A claim that was left is an unfinished upload too; its id begins so. */
const CLAIM_ID = 'claim:'

/** What a kill leaves behind, and versions. */
export function createMaintenance(place: Place): StoreMaintenance {
  return {
    unfinishedUploads: (prefix, options) => unfinishedUploads(place, prefix, options),
    abandonUpload: (upload, options) => abandonUpload(place, upload, options),
    async *versions(prefix, options): AsyncGenerator<ObjectVersion> {
      await requireVersions(place, options)
      yield* listVersions(place, prefix, options)
    },
    async deleteVersions(versions, options) {
      throwIfAborted(options?.signal)
      await requireVersions(place, options)
      await deleteDoomed(place, versions, options)
    },
  }
}

async function requireVersions(place: Place, options: CallOptions | undefined): Promise<void> {
  if (await isVersioned(place, options)) return
  throw versionsUnsupportedFault({ doing: 'listing versions', location: place.location, hint: 'the bucket keeps no versions' })
}

async function* unfinishedUploads(place: Place, prefix: string, options: CallOptions | undefined): AsyncGenerator<UnfinishedUpload> {
  throwIfAborted(options?.signal)
  checkPrefix(prefix)
  let mark: UploadMark | undefined = {}
  while (mark !== undefined) {
    const page: UploadPage = await uploadPage(place, { prefix, mark, options })
    for (const { key, id, startedAt } of page.uploads) {
      throwIfAborted(options?.signal)
      yield { key, id, startedAt, bytes: await bytesOf(place, key, id, options) }
    }
    mark = page.next
  }
  for await (const { key, size, modifiedAt, etag } of listEverything(place, prefix, options))
    if (isClaim(key)) yield { key, id: `${CLAIM_ID}${etag ?? ''}`, startedAt: modifiedAt, bytes: size }
}

interface UploadMark {
  readonly KeyMarker?: string
  readonly UploadIdMarker?: string
}

interface UploadPage {
  readonly uploads: readonly Omit<UnfinishedUpload, 'bytes'>[]
  readonly next: UploadMark | undefined
}

async function uploadPage(
  place: Place,
  { prefix, mark, options }: { readonly prefix: string; readonly mark: UploadMark; readonly options: CallOptions | undefined },
): Promise<UploadPage> {
  const output = await call(place, { doing: `list unfinished uploads below ${prefix}`, options }, ({ send }, sent) =>
    send(
      'ListMultipartUploads',
      {
        ...bucketParams(place),
        Prefix: prefix,
        EncodingType: 'url',
        MaxUploads: place.pageSize,
        ...mark,
      },
      sent,
    ),
  )
  const { Uploads = [], IsTruncated, NextKeyMarker, NextUploadIdMarker, EncodingType } = output
  const uploads = Uploads.map(({ Key = '', UploadId = '', Initiated }) => ({
    key: decoded(Key, EncodingType),
    id: UploadId,
    startedAt: Initiated,
  })).filter(({ key }) => key.startsWith(prefix))
  if (IsTruncated !== true || NextKeyMarker === undefined) return { uploads, next: undefined }
  const KeyMarker = decoded(NextKeyMarker, EncodingType)
  // A storage that does not move on would be asked for ever.
  if (KeyMarker === mark.KeyMarker && NextUploadIdMarker === mark.UploadIdMarker) return { uploads, next: undefined }
  return { uploads, next: { KeyMarker, ...(NextUploadIdMarker === undefined ? {} : { UploadIdMarker: NextUploadIdMarker }) } }
}

/** The stored parts of an upload. Gone in between: nothing. */
async function bytesOf(
  place: Place,
  ...[key, id, options]: readonly [string, string, CallOptions | undefined]
): Promise<number | undefined> {
  let bytes = 0
  let after: string | undefined
  try {
    for (;;) {
      const from = after
      const {
        Parts = [],
        IsTruncated,
        NextPartNumberMarker,
      } = await call(place, { doing: `list the parts of ${key}`, options }, ({ send }, sent) =>
        send(
          'ListParts',
          {
            ...bucketParams(place),
            Key: key,
            UploadId: id,
            ...(from === undefined ? {} : { PartNumberMarker: from }),
          },
          sent,
        ),
      )
      bytes += Parts.reduce((sum, { Size = 0 }) => sum + Size, 0)
      if (IsTruncated !== true || NextPartNumberMarker === undefined || NextPartNumberMarker === from) return bytes
      after = NextPartNumberMarker
    }
  } catch (error) {
    if (codeOf(error) === 'NoSuchUpload') return 0
    if (isFault(error, 'denied')) return undefined
    throw error
  }
}

async function abandonUpload(place: Place, { key, id }: UnfinishedUpload, options: CallOptions | undefined): Promise<void> {
  throwIfAborted(options?.signal)
  if (id.startsWith(CLAIM_ID)) await deleteOne(place, { key }, options)
  else await abortUpload(place, { key, id }, options)
}

/** AbortMultipartUpload. One that is gone is no error. */
export async function abortUpload(
  place: Place,
  { key, id }: { readonly key: string; readonly id: string },
  options: CallOptions | undefined,
): Promise<void> {
  try {
    await call(place, { doing: `remove the parts of ${key}`, options }, ({ send }, sent) =>
      send('AbortMultipartUpload', { ...bucketParams(place), Key: key, UploadId: id }, sent),
    )
  } catch (error) {
    if (codeOf(error) !== 'NoSuchUpload') throw error
  }
}
