import { isFault, throwIfAborted } from '@waltz/errors'
import {
  checkPrefix,
  compareKeys,
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
  let mark: { readonly key: string; readonly id: string | undefined } | undefined
  for (;;) {
    const at = mark
    const output = await call(place, { doing: `list unfinished uploads below ${prefix}`, options }, ({ client, sdk }, sent) =>
      client.send(
        new sdk.ListMultipartUploadsCommand({
          ...bucketParams(place),
          Prefix: prefix,
          EncodingType: 'url',
          MaxUploads: place.pageSize,
          ...(at === undefined ? {} : { KeyMarker: at.key, ...(at.id === undefined ? {} : { UploadIdMarker: at.id }) }),
        }),
        sent,
      ),
    )
    for (const { Key = '', UploadId = '', Initiated } of output.Uploads ?? []) {
      throwIfAborted(options?.signal)
      const key = decoded(Key, output.EncodingType)
      if (key.startsWith(prefix)) yield { key, id: UploadId, startedAt: Initiated, bytes: await bytesOf(place, key, UploadId, options) }
    }
    const next = output.NextKeyMarker === undefined ? undefined : decoded(output.NextKeyMarker, output.EncodingType)
    if (
      output.IsTruncated !== true ||
      next === undefined ||
      (at !== undefined && at.id === output.NextUploadIdMarker && compareKeys(next, at.key) <= 0)
    )
      break
    mark = { key: next, id: output.NextUploadIdMarker }
  }
  for await (const { key, size, modifiedAt, etag } of listEverything(place, prefix, options))
    if (isClaim(key)) yield { key, id: `${CLAIM_ID}${etag ?? ''}`, startedAt: modifiedAt, bytes: size }
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
      } = await call(place, { doing: `list the parts of ${key}`, options }, ({ client, sdk }, sent) =>
        client.send(
          new sdk.ListPartsCommand({
            ...bucketParams(place),
            Key: key,
            UploadId: id,
            ...(from === undefined ? {} : { PartNumberMarker: from }),
          }),
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
    await call(place, { doing: `remove the parts of ${key}`, options }, ({ client, sdk }, sent) =>
      client.send(new sdk.AbortMultipartUploadCommand({ ...bucketParams(place), Key: key, UploadId: id }), sent),
    )
  } catch (error) {
    if (codeOf(error) !== 'NoSuchUpload') throw error
  }
}
