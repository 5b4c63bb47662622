import { Fault, isFault } from '@waltz/errors'
import { retried, serverFailedFault, untilAborted, type MultipartTarget, type UploadCall } from '@waltz/storage'
import type { Bucket } from './bucket.ts'
import { conditionOf, finalFault, markOf, ownObjectOrFault, refusedFault, type PutCondition } from './condition.ts'
import { formatCrc32c, loadCrc32c, type Crc32c } from './crc32c.ts'
import type { SessionAnswer } from './engine.ts'
import { infoOf, parseResource, type ObjectResource } from './resource.ts'
import { describe, refuseWrongBytes, refusingReplaced, uploadWhole } from './whole-upload.ts'

/** A resumable upload. */
export interface ResumableUpload {
  /** Whoever has it may write, so it goes into no message. */
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
  const engine = await bucket.open(signal)
  const { written: session } = await refusingReplaced(bucket, call, () =>
    engine.beginSession({ key, description, ifGeneration: condition.generation, size: options?.size, doing, signal }),
  )
  // Nothing is stored yet: the object that is in the way is somebody else's.
  if (session === undefined) throw refusedFault(bucket, key, options)
  return { session, condition, crc32c: await loadCrc32c(), turns: [], hashed: 0, crc: 0, size: 0 }
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
  const answer = await putToSession(bucket, upload, { from: undefined, body: new Uint8Array(0), end: undefined, call })
  return (await reachedBy(bucket, upload, { answer, call })) ?? upload.size
}

interface Bytes {
  /** Undefined for a question. */
  readonly from: number | undefined
  readonly body: Uint8Array
  /** The size of the whole object, if these are its last bytes. */
  readonly end: number | undefined
  readonly call: UploadCall
}

/** Up to which byte the server has the object; undefined once it is stored. */
async function putBytes(bucket: Bucket, upload: ResumableUpload, bytes: Bytes): Promise<number | undefined> {
  const answer = await putToSession(bucket, upload, bytes)
  return await reachedBy(bucket, upload, { answer, call: bytes.call })
}

async function putToSession(bucket: Bucket, upload: ResumableUpload, { from, body, end, call }: Bytes): Promise<SessionAnswer> {
  const { key, options, signal } = call
  const { contentType } = describe(bucket, options)
  const crc32c = end === undefined ? undefined : formatCrc32c(upload.crc)
  const engine = await bucket.open(signal)
  try {
    const { session } = upload
    return await engine.putToSession({ key, session, contentType, from, body, end, crc32c, doing: `write of ${key}`, signal })
  } catch (error) {
    // Bytes of earlier pieces were changed, too: nobody has them any more.
    throw isFault(error, 'corrupt') ? finalFault(error) : error
  }
}

async function reachedBy(
  bucket: Bucket,
  upload: ResumableUpload,
  { answer, call }: { readonly answer: SessionAnswer; readonly call: UploadCall },
): Promise<number | undefined> {
  const { key } = call
  if (answer.status === 404 || answer.status === 410) throw lostFault(bucket, key)
  if (answer.status === 308) return Number(/^bytes=0-(\d+)$/.exec(answer.headers.range ?? '')?.[1] ?? -1) + 1
  const doing = `write of ${key}`
  const stored =
    answer.status === 412
      ? await ownObjectOrFault(bucket, { ...call, condition: upload.condition })
      : parseResource(answer.resource, { location: bucket.location, doing })
  await refuseWrongBytes(bucket, stored, { doing, size: upload.size, crc: formatCrc32c(upload.crc), retryable: false })
  upload.stored = stored
  return undefined
}

/** Nobody else would: sessions cannot be listed, so what is not ended now is there for a week. */
async function endSession(bucket: Bucket, { session }: ResumableUpload, key: string): Promise<void> {
  const engine = await bucket.open(undefined)
  const doing = `clean-up after the failed write of ${key}`
  await retried(bucket.options.retry, { operation: 'abort', key, signal: undefined }, () => engine.endSession({ session, doing }))
}

function lostFault({ location }: Bucket, key: string): Fault {
  const message = `the upload of ${key} to ${location} was lost by the storage in the middle`
  return new Fault('unavailable', 'STORAGE_SERVER_FAILED', message, {
    hint: 'store the object again',
    context: { key, location },
    retryable: false, // by the store: earlier pieces are gone
  })
}
