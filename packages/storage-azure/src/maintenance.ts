import type { BlobItem, BlockList } from '@azure/storage-blob'
import { Fault, isFault, throwIfAborted } from '@waltz/errors'
import {
  versionsUnsupportedFault,
  type CallOptions,
  type ObjectVersion,
  type StoreMaintenance,
  type UnfinishedUpload,
} from '@waltz/storage'
import { decodeBlockId } from './block-id.ts'
import { inByteOrder } from './byte-order.ts'
import { deleteBlob, deleteVersion, inLanes } from './delete.ts'
import { azureCode } from './errors.ts'
import { listBlobs } from './list.ts'
import { checkName, checkNamePrefix } from './names.ts'
import { attempt, type Place } from './place.ts'
import { headBlob } from './read.ts'

/** `MaintainedStore.maintenance`. */
export function createMaintenance(place: Place): StoreMaintenance {
  return {
    unfinishedUploads: (prefix, options) => unfinishedUploads(place, prefix, options),
    abandonUpload: (upload, options) => abandonUpload(place, upload, options),
    versions: (prefix, options) => versions(place, prefix, options),
    async deleteVersions(doomed, options) {
      throwIfAborted(options?.signal)
      await inLanes(doomed, options, async ({ key, versionId }) => {
        checkName(key)
        if (versionId === '') await deleteBlob(place, key, options)
        else await deleteVersion(place, { key, versionId }, options)
      })
    },
  }
}

/**
 * Names that have blocks and no object. Blocks that were left over an object which is there cannot be found without asking for every
 * object; they hold no place in the listing either, and go with the next put of the name or after a week.
 */
async function* unfinishedUploads(place: Place, prefix: string, options: CallOptions | undefined): AsyncGenerator<UnfinishedUpload> {
  throwIfAborted(options?.signal)
  checkNamePrefix(prefix)
  for await (const { name, properties } of listBlobs(place, prefix, options, { includeUncommitedBlobs: true })) {
    // Every object has a content type or a checksum, also an empty one.
    if ((properties.contentLength ?? 0) > 0 || properties.contentMD5 !== undefined) continue
    const found = await uncommitted(place, name, options)
    if (found !== undefined) yield { key: name, startedAt: found.startedAt ?? createdAt(properties), id: found.id, bytes: found.bytes }
  }
}

function createdAt({ createdOn }: BlobItem['properties']): Date | undefined {
  return createdOn === undefined || Number.isNaN(createdOn.getTime()) ? undefined : createdOn
}

interface Uncommitted {
  /** Of the newest upload: it changes when another one begins. */
  readonly id: string
  readonly startedAt: Date | undefined
  readonly bytes: number
}

/** The blocks of a name without object; undefined when there are none, or an object is there. */
async function uncommitted(place: Place, key: string, options: CallOptions | undefined): Promise<Uncommitted | undefined> {
  if (await exists(place, key, options)) return undefined
  const list = await attempt(
    place,
    { doing: `look at the blocks of ${key}`, key },
    options,
    async (container, abortSignal): Promise<BlockList> => {
      try {
        return await container.getBlockBlobClient(key).getBlockList('uncommitted', { abortSignal })
      } catch (error) {
        if (azureCode(error) === 'BlobNotFound') return {}
        throw error
      }
    },
  )
  const blocks = list.uncommittedBlocks ?? []
  if (blocks.length === 0) return undefined
  const names = blocks.map(({ name }) => decodeBlockId(name)).filter((name) => name !== undefined)
  const newest = names.reduce<(typeof names)[number] | undefined>(
    (best, name) => (best !== undefined && best.startedMs >= name.startedMs ? best : name),
    undefined,
  )
  return {
    id: newest?.upload ?? blocks.at(-1)?.name ?? '',
    // With a block of another program among them, the age of the whole is not known from names.
    startedAt: newest === undefined || names.length < blocks.length ? undefined : new Date(newest.startedMs),
    bytes: blocks.reduce((sum, { size }) => sum + size, 0),
  }
}

async function exists(place: Place, key: string, options: CallOptions | undefined): Promise<boolean> {
  try {
    await headBlob(place, key, options)
    return true
  } catch (error) {
    if (isFault(error, 'not-found')) return false
    throw error
  }
}

/**
 * Azure removes uncommitted blocks when a list without them is committed. That makes an object, if an empty one, so it is made only where
 * there is none (`If-None-Match: *`), and deleted at once if it still is the same (`If-Match`). An object that is there is never touched.
 */
async function abandonUpload(place: Place, upload: UnfinishedUpload, options: CallOptions | undefined): Promise<void> {
  throwIfAborted(options?.signal)
  const { key, id } = upload
  checkName(key)
  const found = await uncommitted(place, key, options)
  if (found === undefined) return
  if (found.id !== id) throw uploadActiveFault(place, key)
  const made = await attempt(place, { doing: `removal of the blocks of ${key}`, key }, options, async (container, abortSignal) => {
    try {
      return await container.getBlockBlobClient(key).commitBlockList([], { abortSignal, conditions: { ifNoneMatch: '*' } })
    } catch (error) {
      if (['BlobAlreadyExists', 'ConditionNotMet'].includes(azureCode(error))) return undefined
      throw error
    }
  })
  if (made?.etag === undefined) return
  // From here on nothing may stop it: an empty object must not stay.
  await deleteBlob(place, key, undefined, made.etag)
  if (made.versionId !== undefined) await deleteVersion(place, { key, versionId: made.versionId }, undefined)
}

function uploadActiveFault({ location }: Place, key: string): Fault {
  return new Fault('conflict', 'AZURE_UPLOAD_ACTIVE', `another upload of ${key} in ${location} has begun meanwhile; nothing was removed`, {
    hint: 'list the unfinished uploads again',
    context: { key, location },
  })
}

async function* versions(place: Place, prefix: string, options: CallOptions | undefined): AsyncGenerator<ObjectVersion> {
  throwIfAborted(options?.signal)
  checkNamePrefix(prefix)
  const found = inByteOrder(listBlobs(place, prefix, options, { includeVersions: true }), ({ name }) => name, place.location)
  /** Of one key, the oldest first. */
  let group: BlobItem[] = []
  let kept = false
  for await (const item of found) {
    throwIfAborted(options?.signal)
    if (!kept && item.versionId === undefined) {
      // Objects from before versioning was switched on have none either, so a later one may tell.
      group.push(item)
      continue
    }
    kept = true
    if (group.length > 0 && group[0]?.name !== item.name) {
      yield* described(group)
      group = []
    }
    group.push(item)
  }
  if (!kept && group.length > 0) throw versionsUnsupportedFault({ doing: `listing of versions of ${prefix}*`, location: place.location })
  yield* described(group)
}

function* described(items: readonly BlobItem[]): Generator<ObjectVersion> {
  for (const { name, versionId, isCurrentVersion, properties } of items.toReversed()) {
    yield {
      key: name,
      versionId: versionId ?? '',
      size: properties.contentLength ?? 0,
      modifiedAt: properties.lastModified,
      latest: isCurrentVersion ?? versionId === undefined,
      deleteMarker: false,
    }
  }
}
