import type { PutObjectCommandOutput } from '@aws-sdk/client-s3'
import { isFault } from '@waltz/errors'
import {
  alreadyExistsFault,
  checksumFault,
  conditionUnsupportedFault,
  objectReplacedFault,
  type ObjectInfo,
  type UploadCall,
} from '@waltz/storage'
import { openCall } from './call.ts'
import { bareEtag, base64OfHex, crc32Base64, crcNote, isMd5, md5Hex } from './checksums.ts'
import { deleteOne } from './delete.ts'
import { statusOf } from './errors.ts'
import { probeKey } from './hidden-keys.ts'
import { infoOf, NOTED_CRC, PUT_ID } from './object-info.ts'
import { newObjectParams, plainObjectParams, type NewObjectParams } from './object-params.ts'
import type { Place } from './place.ts'
import { headAny } from './read.ts'

/** One object that is stored in one request. */
export interface WholePut {
  readonly key: string
  readonly body: Uint8Array
  /** Stored as metadata where the put has a condition, so that a lost answer can be told from a lost race. */
  readonly id: string
  readonly params: NewObjectParams
  readonly attempt: number
  readonly signal: AbortSignal | undefined
}

/** What the storage answered to an upload. */
export interface Sent {
  readonly etag: string | undefined
  /** The time of the answer. */
  readonly date: Date | undefined
}

/** `MultipartTarget.putWhole`. */
export async function putWhole(
  place: Place,
  body: Uint8Array,
  { key, options, attempt, signal, id }: UploadCall & { readonly id: string },
): Promise<ObjectInfo> {
  const conditional = options?.onlyIfAbsent === true || options?.ifMatch !== undefined
  const params = newObjectParams(place, options, conditional ? { [PUT_ID]: id } : {})
  const put: WholePut = { key, body, id, params, attempt, signal }
  let sent: Sent
  if (options?.onlyIfAbsent === true) sent = await createOnly(place, put)
  else if (options?.ifMatch === undefined) sent = await sendPut(place, put, {})
  else sent = await replaceOnly(place, put, options.ifMatch)
  return infoAfter(place, key, { sent, size: body.length, signal })
}

/**
 * Stores an object where nothing is. An unknown provider has to prove first that it keeps the promise: by refusing the same put when it
 * is made again.
 * @throws Fault `already-exists`; `unsupported` `STORAGE_CONDITIONAL_PUT_UNSUPPORTED`, and then nothing is stored.
 */
export async function createOnly(place: Place, put: WholePut): Promise<Sent> {
  const { key } = put
  const { provider } = place
  let mine: Sent | undefined
  if (provider.quirks.createOnlyWhole === 'probe') {
    // Whatever answers this may be known by the way it does.
    const found = await lookAt(place, key, put.signal)
    if (found !== undefined) {
      mine = put.attempt > 1 && isMine(found, put) ? { etag: found.info.etag, date: found.info.modifiedAt } : undefined
      if (mine === undefined) throw alreadyExistsFault(key, place.location)
    }
  }
  const mode = provider.quirks.createOnlyWhole
  if (mode === 'no') throw ignored(place, key)
  const sent = mine ?? (await createOnce(place, put))
  if (mode === 'probe' && provider.quirks.createOnlyWhole === 'probe') await prove(place, put, sent)
  return sent
}

async function createOnce(place: Place, put: WholePut): Promise<Sent> {
  const { key } = put
  try {
    return await sendPut(place, put, { IfNoneMatch: '*' })
  } catch (error) {
    if (isRefusedCondition(error)) {
      if (place.provider.quirks.createOnlyWhole === 'probe') place.provider.learned({ createOnlyWhole: 'no' })
      throw ignored(place, key)
    }
    if (!isPreconditionFailed(error)) throw error
    place.provider.learned({ createOnlyWhole: 'yes' })
    const found = put.attempt > 1 ? await lookAt(place, key, put.signal) : undefined
    if (found !== undefined && isMine(found, put)) return { etag: found.info.etag, date: found.info.modifiedAt }
    throw alreadyExistsFault(key, place.location, (error as Error).cause)
  }
}

async function prove(place: Place, put: WholePut, sent: Sent): Promise<void> {
  try {
    await sendPut(place, put, { IfNoneMatch: '*' })
  } catch (error) {
    if (isPreconditionFailed(error)) return place.provider.learned({ createOnlyWhole: 'yes' })
    throw error
  }
  place.provider.learned({ createOnlyWhole: 'no' })
  await removeOwn(place, put.key, sent)
  throw ignored(place, put.key)
}

/**
 * Replaces one certain object.
 * @throws Fault `conflict` `STORAGE_OBJECT_REPLACED`; `unsupported` `STORAGE_CONDITIONAL_PUT_UNSUPPORTED`.
 */
export async function replaceOnly(place: Place, put: WholePut, etag: string): Promise<Sent> {
  const { provider, location } = place
  const { key } = put
  if (provider.quirks.ifMatch === 'probe') await lookAt(place, key, put.signal) // its answer may tell who it is
  if (provider.quirks.ifMatch === 'probe') await proveIfMatch(place, put)
  if (provider.quirks.ifMatch === 'no') throw ignored(place, key)
  const outcome = await replaceOnce(place, put, etag)
  if (outcome !== 'other form') return outcome
  // The etag that is stored, and refused: this one compares it in the other form.
  provider.learned({ unquotedIfMatch: !provider.quirks.unquotedIfMatch })
  const again = await replaceOnce(place, put, etag)
  if (again === 'other form') throw objectReplacedFault(key, location)
  return again
}

async function replaceOnce(place: Place, put: WholePut, etag: string): Promise<Sent | 'other form'> {
  try {
    return await sendPut(place, put, { IfMatch: place.provider.quirks.unquotedIfMatch ? etag : `"${etag}"` })
  } catch (error) {
    if (!isPreconditionFailed(error) && !isFault(error, 'not-found')) throw error
    const now = await lookAt(place, put.key, put.signal)
    if (now !== undefined && put.attempt > 1 && isMine(now, put)) return { etag: now.info.etag, date: now.info.modifiedAt }
    if (now?.info.etag === etag) return 'other form'
    throw objectReplacedFault(put.key, place.location, (error as Error).cause)
  }
}

/** A put on a condition that cannot hold, to a name that nobody uses: whoever takes it ignores conditions. */
async function proveIfMatch(place: Place, put: WholePut): Promise<void> {
  const key = probeKey(`${put.key}.${put.id}`)
  if (place.provider.quirks.ifMatch !== 'probe') return
  const probe: WholePut = { ...put, key, body: new Uint8Array(0), params: plainObjectParams(place) }
  try {
    await sendPut(place, probe, { IfMatch: '"00000000000000000000000000000000"' })
  } catch (error) {
    if (isPreconditionFailed(error) || isFault(error, 'not-found')) return place.provider.learned({ ifMatch: 'yes' })
    if (isRefusedCondition(error)) return place.provider.learned({ ifMatch: 'no' })
    throw error
  }
  place.provider.learned({ ifMatch: 'no' })
  await deleteOne(place, { key }, undefined).catch((error: unknown) => place.options.onLeftover?.({ key, error }))
}

interface Condition {
  readonly IfNoneMatch?: '*'
  readonly IfMatch?: string
}

/** Below this the MD5 of a download costs nothing to speak of. */
const NOTED_FROM_BYTES = 65_536

function withNote({ params, body }: WholePut, md5: string): NewObjectParams {
  return { ...params, Metadata: { ...params.Metadata, [NOTED_CRC]: crcNote(body, md5) } }
}

/** One PutObject, with the checksum that the provider verifies. */
export async function sendPut(place: Place, put: WholePut, condition: Condition): Promise<Sent> {
  const { key, body } = put
  const { quirks } = place.provider
  const md5 = quirks.crc ? undefined : md5Hex(body)
  const checksum = md5 === undefined ? { ChecksumCRC32: crc32Base64(body) } : { ContentMD5: base64OfHex(md5) }
  const params = md5 === undefined || body.length < NOTED_FROM_BYTES ? put.params : withNote(put, md5)
  const purpose = { doing: `store ${key}`, key, options: put.signal === undefined ? undefined : { signal: put.signal } }
  const open = await openCall(place, purpose, ({ send }, sent) =>
    send('PutObject', { ...params, Key: key, Body: body, ContentLength: body.length, ...checksum, ...condition }, sent),
  )
  open.watch.stop()
  place.known.bucketSeen = true
  const sent: Sent = { etag: bareEtag(open.output.ETag), date: dateOf(open.sight.headers) }
  if (md5 !== undefined && !etagIsPlausible(place, open.output, md5)) {
    await removeOwn(place, key, sent)
    throw checksumFault({ doing: `storing ${key}`, location: place.location }, { retryable: true })
  }
  return sent
}

/** Whether the etag of an answer is what was sent; an unknown provider may make its etags otherwise, which is learned then. */
export function etagIsPlausible(
  { provider, options }: Place,
  output: Pick<PutObjectCommandOutput, 'ETag' | 'ServerSideEncryption' | 'SSECustomerAlgorithm'>,
  md5: string,
): boolean {
  const etag = bareEtag(output.ETag)?.toLowerCase()
  const plain =
    (output.ServerSideEncryption === undefined || output.ServerSideEncryption === 'AES256') &&
    output.SSECustomerAlgorithm === undefined &&
    (options.encryption === undefined || options.encryption.kind === 'AES256')
  if (!provider.quirks.md5Etags || !plain || !isMd5(etag) || etag === md5) return true
  if (provider.name !== 'unknown') return false
  // It took `Content-MD5` and tells something else: its etags are no MD5s.
  provider.learned({ md5Etags: false })
  return true
}

interface Stored {
  readonly sent: Sent
  readonly size: number
  readonly signal: AbortSignal | undefined
}

/** The answer to an upload does not tell the modification time. The object is stored: no failure here may undo that. */
export async function infoAfter(place: Place, key: string, { sent, size, signal }: Stored): Promise<ObjectInfo> {
  const quick = infoOf(key, { size, modifiedAt: sent.date ?? place.options.now(), etag: sent.etag })
  if (place.options.putInfo === 'quick') return quick
  try {
    const { info } = await headAny(place, key, signal === undefined ? undefined : { signal })
    return info.etag === sent.etag && info.size === size ? info : quick
  } catch {
    return quick // a key that may only write; or somebody removed it since
  }
}

type Found = Awaited<ReturnType<typeof headAny>>

/** Undefined where nothing is. */
export async function lookAt(place: Place, key: string, signal: AbortSignal | undefined): Promise<Found | undefined> {
  try {
    return await headAny(place, key, signal === undefined ? undefined : { signal })
  } catch (error) {
    if (isFault(error, 'not-found')) return undefined
    throw error
  }
}

/** Whether an object was stored by an earlier attempt of this put. */
function isMine({ info, metadata }: Found, { id, body }: WholePut): boolean {
  if (metadata[PUT_ID] !== undefined) return metadata[PUT_ID] === id
  return info.size === body.length && info.etag?.toLowerCase() === md5Hex(body)
}

/** Takes back what should not have been stored, if it still is what was stored. */
export async function removeOwn(place: Place, key: string, sent: Sent): Promise<void> {
  try {
    const found = await lookAt(place, key, undefined)
    if (found !== undefined && found.info.etag === sent.etag) await deleteOne(place, { key }, undefined)
  } catch (error) {
    place.options.onLeftover?.({ key, error })
  }
}

/** 412; some answer as to a read. */
export function isPreconditionFailed(error: unknown): boolean {
  return statusOf(error) === 412 || statusOf(error) === 304
}

function isRefusedCondition(error: unknown): boolean {
  return statusOf(error) === 501 || (statusOf(error) === 400 && isFault(error, 'invalid')) || statusOf(error) === 405
}

function ignored({ location, provider }: Place, key: string): Error {
  return conditionUnsupportedFault(key, location, `this storage (${provider.name}) does not heed the condition`)
}

export function dateOf(headers: Readonly<Record<string, string>> | undefined): Date | undefined {
  const ms = Date.parse(headers?.['date'] ?? '')
  return Number.isNaN(ms) ? undefined : new Date(ms)
}
