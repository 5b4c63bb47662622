import { createHash } from 'node:crypto'
import {
  bucketMissingFault,
  checksumFault,
  conditionUnsupportedFault,
  createPartUploader,
  retried,
  type ObjectInfo,
  type PartUploader,
  type UploadCall,
} from '@waltz/storage'
import { pathOf } from './client.ts'
import { header } from './errors.ts'
import { deletePlain } from './delete.ts'
import { readManifest } from './manifest.ts'
import { UPLOAD_HEADER, type ObjectFacts } from './object-info.ts'
import type { Place } from './place.ts'
import { agrees, md5Of, putHeaders, putInfo, refusePut, sendWhole } from './put-request.ts'
import { findFacts } from './read.ts'
import { listSegments, segmentName, segmentPrefix, uploadId } from './segment-names.ts'
import { bufferedBody } from './send-body.ts'

/** Swift's `max_manifest_segments` unless its operator changed it. */
export const MOST_SEGMENTS = 1000
const MIB = 2 ** 20
/** The server looks at every segment before it answers. */
const MANIFEST_PATIENCE = 5

/** An upload whose segments are being stored. */
interface SegmentUpload {
  readonly id: string
  /** Names of segments that were sent, whether they arrived or not. */
  readonly sent: Set<string>
}

interface StoredSegment {
  readonly key: string
  readonly bytes: number
  readonly md5: string
}

/** Segments that nothing refers to once their object was replaced. */
interface ReplacedSegments {
  readonly container: string
  readonly keys: readonly string[]
}

/** Uploads as static large objects; what fits in one segment is an ordinary object. */
export function createSegmentUploader(place: Place, size: number | undefined): PartUploader {
  const least = size === undefined ? 0 : Math.ceil(size / MOST_SEGMENTS / MIB) * MIB
  return createPartUploader<SegmentUpload, StoredSegment>(
    {
      partBytes: Math.max(place.partBytes, size !== undefined && size > place.partBytes * MOST_SEGMENTS ? least : 0),
      maxParts: MOST_SEGMENTS,
      concurrency: place.concurrency,
      putWhole: (body, call) => putWhole(place, body, call),
      begin: (call) => begin(place, call),
      putPart: (upload, part, call) => putSegment(place, upload, { ...part, call }),
      complete: (upload, parts, call) => complete(place, upload, { parts, call }),
      abort: (upload) => deletePlain(place, { container: place.segmentContainer, keys: [...upload.sent] }, undefined),
    },
    { budget: place.budget, retry: place.retry, ...(place.onLeftover === undefined ? {} : { onLeftover: place.onLeftover }) },
  )
}

async function putWhole(place: Place, body: Uint8Array, call: UploadCall): Promise<ObjectInfo> {
  const { key, options, signal } = call
  const replaced = await segmentsOf(place, { facts: await findFacts(place, key, signal) }, signal)
  const md5 = md5Of([body])
  const answer = await sendWhole(place, { container: place.container, key, chunks: [body], md5 }, { options, signal })
  refusePut(place, key, answer)
  const info = await putInfo(place, { key, size: body.length, etag: md5, answer }, { signal })
  await dropReplaced(place, { key, now: { etag: md5 }, replaced })
  return info
}

async function begin(place: Place, { key, options }: UploadCall): Promise<SegmentUpload> {
  if (options?.onlyIfAbsent === true) throw conditionUnsupportedFault(key, place.location, 'it is stored in segments')
  return { id: uploadId(place.now(), place.randomHex), sent: new Set() }
}

async function putSegment(
  place: Place,
  upload: SegmentUpload,
  { index, body, call }: { readonly index: number; readonly body: Uint8Array; readonly call: UploadCall },
): Promise<StoredSegment> {
  const key = segmentName(call.key, upload.id, index)
  const md5 = md5Of([body])
  const object = { container: place.segmentContainer, key, chunks: [body], md5 }
  const how = { options: undefined, signal: call.signal }
  upload.sent.add(key)
  let answer = await sendWhole(place, object, how)
  if (answer.status === 404) {
    await createSegmentContainer(place, call.signal)
    answer = await sendWhole(place, object, how)
  }
  refusePut(place, key, answer)
  return { key, bytes: body.length, md5 }
}

/** Beside the container, under the same storage policy. The container itself is never made. */
export async function createSegmentContainer(place: Place, signal: AbortSignal | undefined): Promise<void> {
  const doing = 'look at the container'
  const main = await place.client.call({ method: 'HEAD', path: pathOf(place.container), accept: [200, 204, 404], doing, signal })
  if (main.status === 404) throw bucketMissingFault({ doing, location: place.location, answer: '404' }, 'container')
  const policy = header(main, 'x-storage-policy')
  await place.client.call({
    method: 'PUT',
    path: pathOf(place.segmentContainer),
    headers: policy === undefined ? {} : { 'x-storage-policy': policy },
    accept: [201, 202],
    doing: `making of the container ${place.segmentContainer} for segments`,
    signal,
  })
}

async function complete(
  place: Place,
  upload: SegmentUpload,
  { parts, call }: { readonly parts: readonly StoredSegment[]; readonly call: UploadCall },
): Promise<ObjectInfo> {
  const { key, options, signal } = call
  const etag = createHash('md5')
    .update(parts.map(({ md5 }) => md5).join(''))
    .digest('hex')
  const size = parts.reduce((sum, { bytes }) => sum + bytes, 0)
  const replaced = await segmentsOf(place, { facts: await findFacts(place, key, signal), own: upload.id }, signal)
  const answer = await putManifest(place, { key, id: upload.id, parts, contentType: putHeaders(options)['content-type'] }, signal)
  if (!agrees(answer, etag)) {
    // The server took the object and has compared its segments: whatever mangled the answer, they belong to what readers see now.
    upload.sent.clear()
    throw checksumFault({ doing: `upload of ${key}`, location: place.location }, { retryable: true })
  }
  // The object is stored from here on: a failure to look at it must not have its segments removed.
  const info = await retried(place.retry, { operation: 'put', key, signal: undefined }, () =>
    putInfo(place, { key, size, etag, answer }, undefined),
  ).catch(() => putInfoUnseen(place, { key, size, etag }))
  await dropReplaced(place, { key, now: { id: upload.id }, replaced })
  return info
}

function putInfoUnseen(place: Place, stored: { readonly key: string; readonly size: number; readonly etag: string }): ObjectInfo {
  return { ...stored, modifiedAt: place.now() }
}

/** Makes an object of segments (Swift API, "Static large objects"); the server compares their sizes and sums. */
export async function putManifest(
  place: Place,
  object: {
    readonly key: string
    readonly id: string
    readonly parts: readonly StoredSegment[]
    readonly contentType: string | undefined
  },
  signal: AbortSignal | undefined,
): Promise<Awaited<ReturnType<Place['client']['call']>>> {
  const { key, id, parts, contentType = 'application/octet-stream' } = object
  const segments = parts.map((part) => ({ path: `/${place.segmentContainer}/${part.key}`, etag: part.md5, size_bytes: part.bytes }))
  const document = new TextEncoder().encode(JSON.stringify(segments))
  return place.client.call({
    method: 'PUT',
    path: pathOf(place.container, key),
    query: { 'multipart-manifest': 'put' },
    headers: { 'content-type': contentType, accept: 'application/json', [UPLOAD_HEADER]: id },
    body: () => bufferedBody([document]),
    accept: [201, 202],
    doing: `upload of ${key}`,
    signal,
    patience: MANIFEST_PATIENCE,
  })
}

/** What an object consists of that may be replaced; undefined for one in one piece. */
async function segmentsOf(
  place: Place,
  { facts, own }: { readonly facts: ObjectFacts | undefined; readonly own?: string },
  signal: AbortSignal,
): Promise<ReplacedSegments | undefined> {
  if (facts?.large !== 'static' || (own !== undefined && facts.uploadId === own)) return undefined
  const { key } = facts.info
  if (facts.uploadId !== undefined) {
    const keys: string[] = []
    for await (const segment of listSegments(place, segmentPrefix(key, facts.uploadId), signal)) keys.push(segment.name)
    return { container: place.segmentContainer, keys }
  }
  const segments = (await readManifest(place, key, signal))?.segments ?? []
  const container = segments[0]?.container
  if (container === undefined || segments.some((segment) => segment.container !== container)) return undefined
  return { container, keys: segments.map((segment) => segment.key) }
}

/** Only once the new object is seen in its place: by the server's clocks the other one may be the later. */
async function dropReplaced(
  place: Place,
  {
    key,
    now,
    replaced,
  }: {
    readonly key: string
    readonly now: { readonly id?: string; readonly etag?: string }
    readonly replaced: ReplacedSegments | undefined
  },
): Promise<void> {
  if (replaced === undefined) return
  try {
    const facts = await findFacts(place, key, undefined)
    const isOurs = now.id === undefined ? facts?.large === undefined && facts?.info.etag === now.etag : facts?.uploadId === now.id
    if (isOurs) await deletePlain(place, replaced, undefined)
  } catch (error) {
    place.onLeftover?.({ key, error })
  }
}
