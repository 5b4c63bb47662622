import type { CompletedPart } from '@aws-sdk/client-s3'
import {
  alreadyExistsFault,
  checksumFault,
  conditionUnsupportedFault,
  requestRefusedFault,
  retried,
  type MultipartTarget,
  type ObjectInfo,
  type UploadCall,
} from '@waltz/storage'
import { call, openCall } from './call.ts'
import { bareEtag, base64OfHex, compositeEtag, crc32Base64, md5Hex } from './checksums.ts'
import { checkClaim, releaseClaim, takeClaim, type Claim } from './claim.ts'
import { codeOf } from './errors.ts'
import { abortUpload } from './maintenance.ts'
import { PART_BYTES, PUT_ID } from './object-info.ts'
import { newObjectParams, readParams } from './object-params.ts'
import { MAX_PARTS, type Place } from './place.ts'
import { dateOf, etagIsPlausible, infoAfter, isPreconditionFailed, lookAt, putWhole, removeOwn, type Sent } from './put.ts'
import type { OutputOf } from './requests.ts'

/** An upload in parts. */
interface S3Upload {
  readonly uploadId: string
  readonly id: string
  /** The store itself refuses to complete it where something is. */
  readonly createOnly: boolean
  readonly claim: Claim | undefined
}

interface S3Part {
  readonly completed: CompletedPart
  readonly etag: string
  readonly bytes: number
}

/** How this bucket takes objects; single attempts, repeated by the foundation. */
export function createUploadTarget(place: Place): MultipartTarget<S3Upload, S3Part> {
  const { options, provider, partBytes } = place
  /** One for each upload, the same for all attempts: uploads have a signal of their own. */
  const ids = new WeakMap<AbortSignal, string>()
  const idOf = (signal: AbortSignal): string => {
    const id = ids.get(signal) ?? options.randomHex(32)
    ids.set(signal, id)
    return id
  }
  return {
    partBytes,
    maxParts: MAX_PARTS,
    concurrency: Math.min(options.uploadConcurrency ?? 16, provider.quirks.maxUploadConcurrency),
    putWhole: (body, upload) => putWhole(place, body, { ...upload, id: idOf(upload.signal) }),
    begin: (upload) => begin(place, upload, idOf(upload.signal)),
    putPart: (upload, part, { key, signal }) => putPart(place, { key, upload, ...part }, signal),
    complete: (upload, parts, from) => complete(place, { upload, parts }, from),
    abort: (upload, { key }) => abandon(place, key, upload),
  }
}

async function begin(place: Place, { key, options, attempt, signal }: UploadCall, id: string): Promise<S3Upload> {
  if (options?.ifMatch !== undefined)
    throw conditionUnsupportedFault(
      key,
      place.location,
      `objects above ${place.partBytes} bytes go in parts, which takes no such condition`,
    )
  const guard =
    options?.onlyIfAbsent === true ? await guardName(place, { key, id, attempt, signal }) : { createOnly: false, claim: undefined }
  try {
    const metadata = { [PUT_ID]: id, [PART_BYTES]: String(place.partBytes) }
    const { UploadId } = await call(place, { doing: `begin to store ${key}`, options: { signal } }, ({ send }, sent) =>
      send(
        'CreateMultipartUpload',
        {
          ...newObjectParams(place, options, metadata),
          Key: key,
          ...(place.provider.quirks.crc ? { ChecksumAlgorithm: 'CRC32' as const } : {}),
        },
        sent,
      ),
    )
    if (UploadId === undefined)
      throw requestRefusedFault({ doing: `beginning to store ${key}`, location: place.location, answer: 'no upload id was answered' })
    return { uploadId: UploadId, id, ...guard }
  } catch (error) {
    if (guard.claim !== undefined) await releaseClaim(place, guard.claim)
    throw error
  }
}

interface Guarding {
  readonly key: string
  readonly id: string
  readonly attempt: number
  readonly signal: AbortSignal
}

/** The look comes first, to spare a large upload; what decides is the condition or the claim. */
async function guardName(place: Place, guarding: Guarding): Promise<Pick<S3Upload, 'createOnly' | 'claim'>> {
  const { key, signal } = guarding
  if ((await lookAt(place, key, signal)) !== undefined) throw alreadyExistsFault(key, place.location)
  if (place.provider.quirks.createOnlyMultipart === 'yes') return { createOnly: true, claim: undefined }
  return { createOnly: false, claim: await takeClaim(place, guarding) }
}

interface PartToSend {
  readonly key: string
  readonly upload: S3Upload
  readonly index: number
  readonly body: Uint8Array
}

async function putPart(place: Place, { key, upload, index, body }: PartToSend, signal: AbortSignal): Promise<S3Part> {
  const { quirks } = place.provider
  const md5 = quirks.crc ? undefined : md5Hex(body)
  const crc = md5 === undefined ? crc32Base64(body) : undefined
  const checksum = md5 === undefined ? { ChecksumCRC32: crc } : { ContentMD5: base64OfHex(md5) }
  const PartNumber = index + 1
  const output = await call(place, { doing: `store part ${PartNumber} of ${key}`, options: { signal } }, ({ send }, sent) =>
    send(
      'UploadPart',
      {
        ...readParams(place),
        Key: key,
        UploadId: upload.uploadId,
        PartNumber,
        Body: body,
        ContentLength: body.length,
        ...checksum,
      },
      sent,
    ),
  )
  if (md5 !== undefined && !etagIsPlausible(place, output, md5))
    throw checksumFault({ doing: `storing part ${PartNumber} of ${key}`, location: place.location }, { retryable: true })
  return {
    completed: { PartNumber, ETag: output.ETag, ...(crc === undefined ? {} : { ChecksumCRC32: crc }) },
    etag: bareEtag(output.ETag)?.toLowerCase() ?? '',
    bytes: body.length,
  }
}

interface Completing {
  readonly upload: S3Upload
  readonly parts: readonly S3Part[]
}

async function complete(place: Place, { upload, parts }: Completing, from: UploadCall): Promise<ObjectInfo> {
  const { key, attempt, signal } = from
  const size = parts.reduce((sum, { bytes }) => sum + bytes, 0)
  let sent = attempt > 1 ? await findOwn(place, key, { upload, signal }) : undefined
  if (sent === undefined) {
    if (upload.claim !== undefined) await checkClaim(place, upload.claim, signal)
    sent = await sendComplete(place, { upload, parts }, from)
  }
  if (upload.claim !== undefined) await releaseClaim(place, upload.claim)
  return infoAfter(place, key, { sent, size, signal })
}

async function sendComplete(place: Place, completing: Completing, from: UploadCall): Promise<Sent> {
  const { upload } = completing
  const { key, attempt, signal } = from
  try {
    return await completeOnce(place, completing, from)
  } catch (error) {
    const gone = codeOf(error) === 'NoSuchUpload'
    const taken = upload.createOnly && isPreconditionFailed(error)
    if (!gone && !taken) throw error
    const own = attempt > 1 || gone ? await findOwn(place, key, { upload, signal }) : undefined
    if (own !== undefined) return own
    throw taken ? alreadyExistsFault(key, place.location) : error
  }
}

async function completeOnce(place: Place, { upload, parts }: Completing, { key, signal }: UploadCall): Promise<Sent> {
  const open = await openCall(place, { doing: `complete ${key}`, options: { signal } }, ({ send }, sent) =>
    send(
      'CompleteMultipartUpload',
      {
        ...readParams(place),
        Key: key,
        UploadId: upload.uploadId,
        MultipartUpload: { Parts: parts.map(({ completed }) => completed) },
        ...(upload.createOnly ? { IfNoneMatch: '*' } : {}),
      },
      sent,
    ),
  )
  open.watch.stop()
  const told = bareEtag(open.output.ETag)
  const found = told === undefined || told === '' ? await lookAt(place, key, signal) : undefined // radosgw 16 answers an empty one
  const sent: Sent = { etag: found?.info.etag ?? told, date: dateOf(open.sight.headers) }
  await verify(place, key, { output: open.output, parts, sent })
  return sent
}

interface Verifying {
  readonly output: OutputOf<'CompleteMultipartUpload'>
  readonly parts: readonly S3Part[]
  readonly sent: Sent
}

/** The etag of the whole is made from those of the parts, each of which was verified: so the order and the number are, too. */
async function verify(place: Place, key: string, { output, parts, sent }: Verifying): Promise<void> {
  const { provider, options } = place
  const encrypted = options.encryption !== undefined && options.encryption.kind !== 'AES256'
  const plain = !encrypted && (output.ServerSideEncryption === undefined || output.ServerSideEncryption === 'AES256')
  const expected = compositeEtag(parts.map(({ etag }) => etag))
  const told = sent.etag?.toLowerCase()
  const comparable = plain && provider.quirks.md5Etags && provider.name !== 'unknown' && /^[0-9a-f]{32}-\d+$/.test(told ?? '')
  if (!comparable || expected === undefined || expected === told) return
  await removeOwn(place, key, sent)
  throw checksumFault({ doing: `storing ${key} from ${parts.length} parts`, location: place.location }, { retryable: false })
}

interface OwnSearch {
  readonly upload: S3Upload
  readonly signal: AbortSignal
}

/** What an earlier attempt, whose answer was lost, has completed. */
async function findOwn(place: Place, key: string, { upload, signal }: OwnSearch): Promise<Sent | undefined> {
  const found = await lookAt(place, key, signal)
  return found?.metadata[PUT_ID] === upload.id ? { etag: found.info.etag, date: found.info.modifiedAt } : undefined
}

async function abandon(place: Place, key: string, { uploadId, claim }: S3Upload): Promise<void> {
  try {
    await retried(place.options.retry, { operation: 'abort', key, signal: undefined }, () =>
      abortUpload(place, { key, id: uploadId }, undefined),
    )
  } finally {
    if (claim !== undefined) await releaseClaim(place, claim)
  }
}
