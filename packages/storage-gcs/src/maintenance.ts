import { throwIfAborted } from '@waltz/errors'
import {
  checkKey,
  checkPrefix,
  optionsFault,
  type CallOptions,
  type ObjectVersion,
  type StoreMaintenance,
  type UnfinishedUpload,
} from '@waltz/storage'
import type { Bucket } from './bucket.ts'
import { deleteGenerations } from './delete.ts'
import { listPages } from './list.ts'
import { PIECE_OF, type ObjectResource } from './resource.ts'

/** WAL-G's pieces: `<object>_chunks/chunk<N>` and `composite<N>` (RF 1.8, 9.3). */
const WALG_PIECE = /^(?<folder>(?<key>.+)_chunks\/)(?:chunk|composite)\d+$/

/** `MaintainedStore.maintenance` of a bucket. */
export function createMaintenance(bucket: Bucket): StoreMaintenance {
  return {
    unfinishedUploads: (prefix, options) => unfinishedUploads(bucket, prefix, options),
    abandonUpload: (upload, options) => abandonUpload(bucket, upload, options),
    versions: (prefix, options) => objectVersions(bucket, prefix, options),
    async deleteVersions(versions, options) {
      throwIfAborted(options?.signal)
      const wanted = [...versions].map(({ key, versionId }) => ({ key, generation: versionId }))
      for (const { key } of wanted) checkKey(key)
      await deleteGenerations(bucket, wanted, options?.signal)
    },
  }
}

interface PieceOwner {
  readonly key: string
  /** The names of its pieces begin with this. */
  readonly folder: string
}

const PIECE_FIELDS = 'items(name,size,generation,updated,metadata),nextPageToken'

/**
 * Pieces in the hidden place, and those that WAL-G left: the latter are ordinary objects, which listings show, too. Sessions of resumable
 * uploads cannot be listed; the store forgets them after a week. `startedAt` is the time of the newest piece, so that an upload counts as
 * old only when nothing has come for so long.
 */
async function* unfinishedUploads(bucket: Bucket, prefix: string, options: CallOptions | undefined): AsyncGenerator<UnfinishedUpload> {
  const signal = options?.signal
  throwIfAborted(signal)
  checkPrefix(prefix)
  const ownFolder = (name: string): string => name.slice(0, name.indexOf('/', bucket.piecesPrefix.length) + 1)
  const own = ({ name, metadata }: ObjectResource): PieceOwner | undefined => {
    const key = metadata[PIECE_OF]
    return key?.startsWith(prefix) === true ? { key, folder: ownFolder(name) } : undefined
  }
  const foreign = ({ name }: ObjectResource): PieceOwner | undefined => (name.startsWith(bucket.piecesPrefix) ? undefined : walgOwner(name))
  yield* piecesByUpload(listPages(bucket, { prefix: bucket.piecesPrefix, fields: PIECE_FIELDS, signal }), own)
  yield* piecesByUpload(listPages(bucket, { prefix, fields: PIECE_FIELDS, signal }), foreign)
}

function walgOwner(name: string): PieceOwner | undefined {
  const { key, folder } = WALG_PIECE.exec(name)?.groups ?? {}
  return key === undefined || folder === undefined ? undefined : { key, folder }
}

/** Pieces of one upload follow one another in a listing. */
async function* piecesByUpload(
  pages: AsyncIterable<{ readonly objects: readonly ObjectResource[] }>,
  ownerOf: (resource: ObjectResource) => PieceOwner | undefined,
): AsyncGenerator<UnfinishedUpload> {
  let current: { readonly owner: PieceOwner; newest: Date; bytes: number } | undefined
  const told = (): UnfinishedUpload[] =>
    current === undefined ? [] : [{ key: current.owner.key, id: current.owner.folder, startedAt: current.newest, bytes: current.bytes }]
  for await (const { objects } of pages) {
    for (const resource of objects) {
      const owner = ownerOf(resource)
      if (owner === undefined) continue
      if (current?.owner.folder !== owner.folder) {
        yield* told()
        current = { owner, newest: resource.updated, bytes: 0 }
      }
      current.bytes += resource.size
      if (resource.updated > current.newest) current.newest = resource.updated
    }
  }
  yield* told()
}

async function abandonUpload(bucket: Bucket, { key, id }: UnfinishedUpload, options: CallOptions | undefined): Promise<void> {
  const own = id.startsWith(bucket.piecesPrefix) && id.length > bucket.piecesPrefix.length && id.endsWith('/')
  if (!own && id !== `${key}_chunks/`) throw optionsFault(`${JSON.stringify(id)} is no unfinished upload of ${key}`)
  const signal = options?.signal
  const fields = 'items(name,size,generation,updated),nextPageToken'
  for await (const { objects } of listPages(bucket, { prefix: id, versions: true, fields, signal })) {
    const pieces = objects.filter(({ name }) => own || walgOwner(name)?.folder === id)
    await deleteGenerations(
      bucket,
      pieces.map(({ name, generation }) => ({ key: name, generation })),
      signal,
    )
  }
}

/** All versions; the API gives those of one name from the oldest to the newest. GCS has no delete markers. */
async function* objectVersions(bucket: Bucket, prefix: string, options: CallOptions | undefined): AsyncGenerator<ObjectVersion> {
  const signal = options?.signal
  throwIfAborted(signal)
  checkPrefix(prefix)
  const fields = 'items(name,size,generation,updated,timeDeleted),nextPageToken'
  let ofOneKey: ObjectVersion[] = []
  for await (const { objects } of listPages(bucket, { prefix, versions: true, fields, signal })) {
    for (const { name, size, generation, updated, deletedAt } of objects) {
      if (name.startsWith(bucket.piecesPrefix)) continue
      if (ofOneKey[0] !== undefined && ofOneKey[0].key !== name) {
        yield* newestFirst(ofOneKey)
        ofOneKey = []
      }
      ofOneKey.push({ key: name, versionId: generation, size, modifiedAt: updated, latest: deletedAt === undefined, deleteMarker: false })
    }
  }
  yield* newestFirst(ofOneKey)
}

function newestFirst(versions: readonly ObjectVersion[]): readonly ObjectVersion[] {
  const newer = (left: ObjectVersion, right: ObjectVersion): number => Number(BigInt(right.versionId) > BigInt(left.versionId)) * 2 - 1
  return versions.toSorted(newer)
}
