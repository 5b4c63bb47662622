import { isFault } from '@waltz/errors'
import type { ByteRange } from '@waltz/bytes'
import {
  checkKey,
  checkRange,
  checksumFault,
  clipRange,
  createObjectBody,
  notFoundFault,
  serverFailedFault,
  unreachableFault,
  type CallOptions,
  type GetOptions,
  type ObjectBody,
  type ObjectInfo,
} from '@waltz/storage'
import type { Bucket } from './bucket.ts'
import { formatCrc32c, loadCrc32c, type Crc32c } from './crc32c.ts'
import type { HttpAnswer } from './http-call.ts'
import { fetchResource, infoOf, type ObjectResource } from './resource.ts'
import { withinTime } from './time-limit.ts'

/** `ObjectStore.head`: one request. */
export async function headObject(bucket: Bucket, key: string, options: CallOptions | undefined): Promise<ObjectInfo> {
  checkKey(key)
  hidePieces(bucket, key)
  return infoOf(
    await withinTime(bucket, { doing: `look at ${key}`, signal: options?.signal }, (signal) => fetchResource(bucket, { key, signal })),
  )
}

/** An object that is replaced again and again while it is opened gets so many chances. */
const MOST_ROUNDS = 20

/**
 * `ObjectStore.get`: the description, then the bytes, which must be of that very generation. The answer with the bytes alone would tell the modification
 * time in seconds only. One after the other, since a second connection takes longer to make than the first one's answer takes.
 */
export async function getObject(bucket: Bucket, key: string, options: GetOptions | undefined): Promise<ObjectBody> {
  const range = checkRange(options?.range)
  checkKey(key)
  hidePieces(bucket, key)
  const crc32c = await loadCrc32c()
  for (let round = 1; ; round += 1) {
    const opened = await openOnce(bucket, { key, range, signal: options?.signal })
    if (opened !== undefined) return bodyOf(bucket, opened, { range, crc32c })
    if (round === MOST_ROUNDS) {
      const why = 'it was replaced again and again while it was opened'
      throw unreachableFault({ doing: `read of ${key}`, location: bucket.location }, why)
    }
  }
}

function hidePieces({ piecesPrefix, location }: Bucket, key: string): void {
  if (key.startsWith(piecesPrefix)) throw notFoundFault(key, location)
}

interface Opening {
  readonly key: string
  readonly range: ByteRange
  readonly signal: AbortSignal | undefined
}

interface Opened {
  readonly resource: ObjectResource
  /** Undefined when there is nothing to read. */
  readonly answer: HttpAnswer | undefined
}

/** Undefined when the object was replaced between the answers. */
async function openOnce(bucket: Bucket, opening: Opening): Promise<Opened | undefined> {
  const { key, range, signal } = opening
  const resource = await fetchResource(bucket, { key, signal })
  const { start, end } = clipRange(range, resource.size)
  if (start === end) return { resource, answer: undefined }
  const answer = await requestMedia(bucket, opening, resource)
  const generation = answer.headers['x-goog-generation']
  if (generation === resource.generation && answer.status !== 416) return { resource, answer }
  try {
    // Just replaced: these are bytes of a newer one, if they are to be described at all.
    const newer = await fetchResource(bucket, { key, signal })
    if (newer.generation === generation && newer.contentEncoding === resource.contentEncoding && answer.status !== 416)
      return { resource: newer, answer }
  } catch (error) {
    answer.close()
    if (isFault(error, 'not-found')) return undefined // the next round tells
    throw error
  }
  answer.close()
  return generation === undefined ? await openPinned(bucket, opening, resource) : undefined
}

/** For a server that does not say whose bytes it gives: it is told. */
async function openPinned(bucket: Bucket, opening: Opening, resource: ObjectResource): Promise<Opened | undefined> {
  try {
    const answer = await requestMedia(bucket, opening, resource, { pinned: true })
    if (answer.status !== 416) return { resource, answer }
    answer.close()
    return undefined
  } catch (error) {
    if (isFault(error, 'not-found')) return undefined
    throw error
  }
}

async function requestMedia(
  bucket: Bucket,
  { key, range, signal }: Opening,
  resource: ObjectResource,
  { pinned = false }: { readonly pinned?: boolean } = {},
): Promise<HttpAnswer> {
  const { generation, contentEncoding, size } = resource
  const doing = `read of ${key}`
  const engine = await bucket.open(signal)
  const packed = contentEncoding !== undefined
  const answer = await engine.openMedia({ key, range, packed, doing, signal, ...(pinned ? { generation } : {}) })
  if (answer.status === 416 || isOfRange(answer, clipRange(range, size))) return answer
  answer.close()
  throw serverFailedFault({ doing, location: bucket.location, answer: `${answer.status} for a range` })
}

/** Whatever stands in between may take a range for a wish: bytes of another place must not pass for those that were asked for. */
function isOfRange({ status, headers }: HttpAnswer, { start }: { readonly start: number }): boolean {
  if (status !== 206) return start === 0
  return Number(/^bytes (\d+)-/.exec(headers['content-range'] ?? '')?.[1]) === start
}

function bodyOf(
  bucket: Bucket,
  { resource, answer }: Opened,
  { range, crc32c }: { readonly range: ByteRange; readonly crc32c: Crc32c },
): ObjectBody {
  const { start, end } = clipRange(range, resource.size)
  const expected = start === 0 && end === resource.size ? resource.crc32c : undefined
  const call = { doing: `read of ${resource.name}`, location: bucket.location }
  async function* read(): AsyncGenerator<Uint8Array, void, undefined> {
    let bytes = 0
    let crc = 0
    for await (const chunk of answer?.read() ?? []) {
      bytes += chunk.length
      if (bytes > end - start) break
      if (expected !== undefined) crc = crc32c(chunk, crc)
      yield chunk
    }
    if (bytes < end - start) throw unreachableFault(call, `the answer ended after ${bytes} of ${end - start} bytes`)
    const sound = bytes === end - start && (expected === undefined || formatCrc32c(crc) === expected)
    if (!sound) throw checksumFault(call, { retryable: false }) // the bytes were handed out already
  }
  return createObjectBody({ info: infoOf(resource), read, close: async () => answer?.close() })
}
