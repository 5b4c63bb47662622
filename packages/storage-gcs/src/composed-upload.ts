import { checksumFault, retried, type MultipartTarget, type ObjectInfo, type UploadCall } from '@waltz/storage'
import type { Bucket } from './bucket.ts'
import { finalFault } from './condition.ts'
import { formatCrc32c, loadCrc32c, type Crc32c } from './crc32c.ts'
import { deleteGenerations, type Generation } from './delete.ts'
import { listPages } from './list.ts'
import { infoOf, parseResource, PIECE_OF, type ObjectResource } from './resource.ts'
import { MAX_OBJECT_BYTES } from './resumable-upload.ts'
import { describe, refuseWrongBytes, uploadWhole } from './whole-upload.ts'

/** An upload in pieces that are objects of their own, out of sight. */
export interface ComposedUpload {
  /** The names of its pieces begin with this. */
  readonly prefix: string
  readonly crc32c: Crc32c
  hashed: number
  crc: number
  size: number
}

/** What a piece is known by when it is composed. */
export type Piece = Pick<ObjectResource, 'name' | 'generation'>

/** Composed at a time (Cloud Storage documentation, "Composite objects"). */
const MOST_SOURCES = 32
const NO_CONDITION = { generation: undefined, mark: undefined }

/** Stores large objects as pieces in parallel, which the server then composes. */
export function composedTarget(bucket: Bucket, partBytes: number, concurrency: number): MultipartTarget<ComposedUpload, Piece> {
  return {
    partBytes,
    maxParts: Math.floor(MAX_OBJECT_BYTES / partBytes),
    concurrency,
    async putWhole(body, call) {
      return infoOf(await uploadWhole(bucket, { key: call.key, body, crc32c: await loadCrc32c(), condition: NO_CONDITION }, call))
    },
    async begin() {
      return { prefix: `${bucket.piecesPrefix}${bucket.options.randomHex(32)}/`, crc32c: await loadCrc32c(), hashed: 0, crc: 0, size: 0 }
    },
    async putPart(upload, { index, body }, call) {
      // First attempts come in order: the checksum of the whole grows with them.
      if (upload.hashed === index) {
        upload.crc = upload.crc32c(body, upload.crc)
        upload.size += body.length
        upload.hashed += 1
      }
      const key = `${upload.prefix}${String(index).padStart(7, '0')}`
      const metadata = { [PIECE_OF]: call.key }
      return await uploadWhole(bucket, { key, body, crc32c: upload.crc32c, condition: NO_CONDITION, metadata }, call)
    },
    async complete(upload, parts, call) {
      const info = await composeAll(bucket, upload, { pieces: parts, call })
      await removePieces(bucket, upload.prefix, undefined).catch((error: unknown) => bucket.options.onLeftover?.({ key: call.key, error }))
      return info
    },
    abort: (upload, { key }) =>
      retried(bucket.options.retry, { operation: 'abort', key, signal: undefined }, () => removePieces(bucket, upload.prefix, undefined)),
  }
}

/** Composes in rounds until one request is enough for the rest. */
async function composeAll(
  bucket: Bucket,
  upload: ComposedUpload,
  { pieces, call }: { readonly pieces: readonly Piece[]; readonly call: UploadCall },
): Promise<ObjectInfo> {
  let sources = pieces
  for (let round = 1; sources.length > MOST_SOURCES; round += 1) {
    const groups = Array.from({ length: Math.ceil(sources.length / MOST_SOURCES) }, (_, index) =>
      sources.slice(index * MOST_SOURCES, (index + 1) * MOST_SOURCES),
    )
    const composed: Piece[] = []
    for (const [index, group] of groups.entries()) {
      const key = `${upload.prefix}round-${round}-${String(index).padStart(7, '0')}`
      composed.push(await compose(bucket, { key, sources: group, metadata: { [PIECE_OF]: call.key } }, call))
    }
    sources = composed
  }
  const stored = await compose(bucket, { key: call.key, sources }, call)
  const doing = `write of ${call.key}`
  const crc = formatCrc32c(upload.crc)
  await refuseWrongBytes(bucket, stored, { doing, size: upload.size, crc, retryable: false })
  if (upload.hashed !== pieces.length) throw finalFault(checksumFault({ doing, location: bucket.location }, { retryable: false }))
  return infoOf(stored)
}

interface Composition {
  readonly key: string
  readonly sources: readonly Piece[]
  readonly metadata?: Readonly<Record<string, string>>
}

async function compose(bucket: Bucket, { key, sources, metadata }: Composition, call: UploadCall): Promise<ObjectResource> {
  const doing = `write of ${key}`
  const description = { ...describe(bucket, call.options), ...(metadata === undefined ? {} : { metadata }) }
  const engine = await bucket.open(call.signal)
  const value = await engine.compose({ key, sources, description, doing, signal: call.signal })
  return parseResource(value, { location: bucket.location, doing })
}

/** Removes every piece below a prefix, old versions included. */
export async function removePieces(bucket: Bucket, prefix: string, signal: AbortSignal | undefined): Promise<void> {
  const fields = 'items(name,size,generation,updated),nextPageToken'
  for await (const { objects } of listPages(bucket, { prefix, versions: true, fields, signal })) {
    const found: Generation[] = objects.map(({ name, generation }) => ({ key: name, generation }))
    await deleteGenerations(bucket, found, signal)
  }
}
