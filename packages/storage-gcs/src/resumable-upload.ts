import { Fault, isFault } from '@waltz/errors'
import { requestRefusedFault, serverFailedFault, untilAborted, type MultipartTarget, type UploadCall } from '@waltz/storage'
import { uploadPath, type Bucket } from './bucket.ts'
import { conditionOf, finalFault, markOf, ownObjectOrFault, type PutCondition } from './condition.ts'
import { formatCrc32c, loadCrc32c, type Crc32c } from './crc32c.ts'
import type { HttpAnswer } from './http-call.ts'
import { readText } from './read-text.ts'
import { infoOf, parseResource, RESOURCE_FIELDS, type ObjectResource } from './resource.ts'
import { describe, parsed, refuseWrongBytes, refusingReplaced, uploadWhole } from './whole-upload.ts'

/** A resumable upload. */
export interface ResumableUpload {
  /** Path and query of the session: whoever has it may write, so it goes into no message. */
  readonly session: URL
  readonly condition: PutCondition
  readonly crc32c: Crc32c
  /** One for each piece: done when the server has it. */
  readonly turns: PromiseWithResolvers<void>[]
  /** Pieces whose bytes are in `crc`. */
  hashed: number
  crc: number
  size: number
  /** Once the last byte is stored. */
  stored?: ObjectResource
}

/** The next piece is filled from the source while one is sent. */
const PIECES_AT_HAND = 2
/** 5 TiB is the largest object (Cloud Storage documentation, "Quotas"). */
export const MAX_OBJECT_BYTES: number = 5 * 2 ** 40

/** Stores objects in one request or through a session of which nothing is visible before its last byte has arrived. */
export function resumableTarget(bucket: Bucket, partBytes: number): MultipartTarget<ResumableUpload, undefined> {
  const conditions = new WeakMap<AbortSignal, PutCondition>()
  /** The signal is that of the whole upload: all attempts of one put have the same condition and mark. */
  const conditionFor = (call: UploadCall): PutCondition => {
    const known = conditions.get(call.signal) ?? conditionOf(bucket, call.key, call.options)
    conditions.set(call.signal, known)
    return known
  }
  return {
    partBytes,
    maxParts: Math.floor(MAX_OBJECT_BYTES / partBytes),
    concurrency: PIECES_AT_HAND,
    async putWhole(body, call) {
      const upload = { key: call.key, body, crc32c: await loadCrc32c(), condition: conditionFor(call) }
      return infoOf(await uploadWhole(bucket, upload, call))
    },
    begin: (call) => beginSession(bucket, conditionFor(call), call),
    async putPart(upload, { index, body }, call) {
      const turn = (upload.turns[index] ??= Promise.withResolvers<void>())
      await untilAborted(upload.turns[index - 1]?.promise ?? Promise.resolve(), call.signal)
      if (upload.hashed === index) {
        upload.crc = upload.crc32c(body, upload.crc)
        upload.size += body.length
        upload.hashed += 1
      }
      await sendPiece(bucket, upload, { start: index * partBytes, body, last: body.length < partBytes, call })
      turn.resolve()
      return undefined
    },
    async complete(upload, _parts, call) {
      // The last piece was a full one, so that nobody knew that it was the last.
      if (upload.stored === undefined) await finishSession(bucket, upload, call)
      if (upload.stored === undefined) throw lostFault(bucket, call.key)
      return infoOf(upload.stored)
    },
    abort: (upload, { key }) => endSession(bucket, upload, key),
  }
}

async function beginSession(bucket: Bucket, condition: PutCondition, call: UploadCall): Promise<ResumableUpload> {
  const { key, options, signal } = call
  const description = { ...describe(bucket, options), ...markOf(condition) }
  const doing = `write of ${key}`
  const answer = await refusingReplaced(bucket, call, () =>
    bucket.send({
      method: 'POST',
      path: uploadPath(bucket),
      query: { uploadType: 'resumable', name: key, ifGenerationMatch: condition.generation, fields: RESOURCE_FIELDS },
      headers: {
        ...bucket.keyHeaders(),
        'content-type': 'application/json; charset=UTF-8',
        'x-upload-content-type': description.contentType,
        ...(options?.size === undefined ? {} : { 'x-upload-content-length': String(options.size) }),
      },
      body: [Buffer.from(JSON.stringify(description))],
      doing,
      key,
      signal,
      alsoFine: [412],
    }),
  )
  await readText(answer)
  if (answer.status === 412) await ownObjectOrFault(bucket, { ...call, condition, attempt: 1 })
  const place = URL.parse(answer.headers.location ?? '')
  if (place === null) throw requestRefusedFault({ doing, location: bucket.location, answer: 'the answer names no upload session' })
  return { session: place, condition, crc32c: await loadCrc32c(), turns: [], hashed: 0, crc: 0, size: 0 }
}

interface Piece {
  /** Where its first byte is in the object. */
  readonly start: number
  readonly body: Uint8Array
  readonly last: boolean
  readonly call: UploadCall
}

/** Sends what the server does not have yet; it may take less of a piece than it was given. */
async function sendPiece(bucket: Bucket, upload: ResumableUpload, piece: Piece): Promise<void> {
  const { start, body, last, call } = piece
  const end = start + body.length
  let from = call.attempt === 1 ? start : await askOffset(bucket, upload, call)
  // The last piece is done when the object is stored, all others when the server has their bytes.
  const wanted = last ? Number.POSITIVE_INFINITY : end
  while (upload.stored === undefined && from < wanted) {
    if (from < start || from > end) throw lostFault(bucket, call.key)
    const reached = await putBytes(bucket, upload, { from, body: body.subarray(from - start), end: last ? end : undefined, call })
    if (reached === undefined) return
    if (reached <= from)
      throw serverFailedFault({ doing: `write of ${call.key}`, location: bucket.location, answer: '308 without progress' })
    from = reached
  }
}

async function finishSession(bucket: Bucket, upload: ResumableUpload, call: UploadCall): Promise<void> {
  const reached = await putBytes(bucket, upload, { from: upload.size, body: new Uint8Array(0), end: upload.size, call })
  if (reached !== undefined) throw lostFault(bucket, call.key)
}

/** Where the server wants to go on. Undefined once the object is stored, which is then noted. */
async function askOffset(bucket: Bucket, upload: ResumableUpload, call: UploadCall): Promise<number> {
  const answer = await putToSession(bucket, upload, { range: 'bytes */*', body: [], call })
  return (await reachedBy(bucket, upload, { answer, call })) ?? upload.size
}

interface Bytes {
  readonly from: number
  readonly body: Uint8Array
  /** The size of the whole object, if these are its last bytes. */
  readonly end: number | undefined
  readonly call: UploadCall
}

/** Up to which byte the server has the object; undefined once it is stored. */
async function putBytes(bucket: Bucket, upload: ResumableUpload, { from, body, end, call }: Bytes): Promise<number | undefined> {
  const span = body.length === 0 ? '*' : `${from}-${from + body.length - 1}`
  const range = `bytes ${span}/${end ?? '*'}`
  // Then the server compares before anything is visible.
  const hash: Record<string, string> = end === undefined ? {} : { 'x-goog-hash': `crc32c=${formatCrc32c(upload.crc)}` }
  const answer = await putToSession(bucket, upload, { range, body: body.length === 0 ? [] : [body], hash, call })
  return await reachedBy(bucket, upload, { answer, call })
}

interface SessionRequest {
  readonly range: string
  readonly body: readonly Uint8Array[]
  readonly hash?: Readonly<Record<string, string>>
  readonly call: UploadCall
}

async function putToSession(
  bucket: Bucket,
  { session }: ResumableUpload,
  { range, body, hash, call }: SessionRequest,
): Promise<HttpAnswer> {
  const doing = `write of ${call.key}`
  try {
    return await bucket.send({
      method: 'PUT',
      // On the endpoint of the store, wherever the server believes to be: credentials go nowhere else.
      path: session.pathname + session.search,
      headers: { ...bucket.keyHeaders(), ...hash, 'content-range': range },
      body,
      doing,
      signal: call.signal,
      alsoFine: [308, 404, 410, 412],
    })
  } catch (error) {
    // Bytes of earlier pieces were changed, too: nobody has them any more.
    throw isFault(error, 'corrupt') ? finalFault(error) : error
  }
}

async function reachedBy(
  bucket: Bucket,
  upload: ResumableUpload,
  { answer, call }: { readonly answer: HttpAnswer; readonly call: UploadCall },
): Promise<number | undefined> {
  const { key } = call
  const text = await readText(answer)
  if (answer.status === 404 || answer.status === 410) throw lostFault(bucket, key)
  if (answer.status === 308) return Number(/^bytes=0-(\d+)$/.exec(answer.headers.range ?? '')?.[1] ?? -1) + 1
  const doing = `write of ${key}`
  const stored =
    answer.status === 412
      ? await ownObjectOrFault(bucket, { ...call, condition: upload.condition })
      : parseResource(parsed(text), { location: bucket.location, doing })
  await refuseWrongBytes(bucket, stored, { doing, size: upload.size, crc: formatCrc32c(upload.crc), retryable: false })
  upload.stored = stored
  return undefined
}

/** The server answers 499 where it ended the session, and 404 or 410 where there is none (any more). */
async function endSession(bucket: Bucket, upload: ResumableUpload, key: string): Promise<void> {
  const { session } = upload
  const answer = await bucket.send({
    method: 'DELETE',
    path: session.pathname + session.search,
    doing: `clean-up after the failed write of ${key}`,
    signal: undefined,
    alsoFine: [404, 410, 499],
  })
  await readText(answer)
}

function lostFault({ location }: Bucket, key: string): Fault {
  const message = `the upload of ${key} to ${location} was lost by the storage in the middle`
  return new Fault('unavailable', 'STORAGE_SERVER_FAILED', message, {
    hint: 'store the object again',
    context: { key, location },
    retryable: false, // by the store: earlier pieces are gone
  })
}
