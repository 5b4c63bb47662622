import { Fault } from '@waltz/errors'
import { serverFailedFault, type ObjectInfo } from '@waltz/storage'
import type { Bucket } from './bucket.ts'

/** An object as the JSON API describes it (Cloud Storage JSON API, "Objects"): what is used of it. */
export interface ObjectResource {
  readonly name: string
  readonly size: number
  readonly generation: string
  readonly updated: Date
  /** Base64; absent for objects under a customer-supplied key that was not sent along. */
  readonly crc32c: string | undefined
  readonly contentEncoding: string | undefined
  /** When it stopped being the current one, in buckets that keep versions. */
  readonly deletedAt: Date | undefined
  readonly metadata: Readonly<Record<string, string>>
}

/** Asked for of single objects. */
export const RESOURCE_FIELDS = 'name,size,generation,updated,crc32c,contentEncoding,metadata'

/** Custom metadata of puts with a condition: tells whose they are when an answer was lost. */
export const PUT_MARK = 'waltz-put'
/** Custom metadata of pieces: the key of the object that they will be part of. */
export const PIECE_OF = 'waltz-piece-of'

/**
 * Reads the description of an object.
 * @throws Fault `unavailable` `STORAGE_SERVER_FAILED` for what is none.
 */
export function parseResource(value: unknown, { location, doing }: { readonly location: string; readonly doing: string }): ObjectResource {
  const { name, size, generation, updated, crc32c, contentEncoding, timeDeleted, metadata } = (value ?? {}) as Record<string, unknown>
  const bytes = Number(size)
  const modified = new Date(String(updated))
  const sound =
    typeof name === 'string' &&
    typeof generation === 'string' &&
    Number.isSafeInteger(bytes) &&
    bytes >= 0 &&
    !Number.isNaN(modified.getTime())
  if (!sound) throw serverFailedFault({ doing, location, answer: 'the answer does not describe an object' })
  return {
    name,
    size: bytes,
    generation,
    updated: modified,
    crc32c: typeof crc32c === 'string' ? crc32c : undefined,
    contentEncoding: typeof contentEncoding === 'string' ? contentEncoding : undefined,
    deletedAt: typeof timeDeleted === 'string' ? new Date(timeDeleted) : undefined,
    metadata: typeof metadata === 'object' && metadata !== null ? (metadata as Record<string, string>) : {},
  }
}

/** The contract's view of an object: its generation is its etag, `updated` its time, as for WAL-G (pkg/storages/gcs). */
export function infoOf({ name, size, generation, updated }: ObjectResource): ObjectInfo {
  return { key: name, size, modifiedAt: updated, etag: generation }
}

/** Describes one object. Rejects with `not-found`. */
export async function fetchResource(
  bucket: Bucket,
  { key, signal }: { readonly key: string; readonly signal: AbortSignal | undefined },
): Promise<ObjectResource> {
  const doing = `look at ${key}`
  const engine = await bucket.open(signal)
  return parseResource(await engine.describe({ key, doing, signal }), { location: bucket.location, doing })
}

/** Refuses the names of pieces: they are nobody's objects. */
export function refusePieceKey({ piecesPrefix, location }: Bucket, key: string): void {
  if (!key.startsWith(piecesPrefix)) return
  throw new Fault('invalid', 'STORAGE_KEY_INVALID', `${JSON.stringify(key)} lies where ${location} keeps pieces of uploads`, {
    hint: 'use another prefix, or another piecesPrefix',
    context: { key },
  })
}
