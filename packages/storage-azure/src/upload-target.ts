import { createHash } from 'node:crypto'
import type { BlobRequestConditions, BlockBlobClient } from '@azure/storage-blob'
import { Fault, isFault } from '@waltz/errors'
import { alreadyExistsFault, objectReplacedFault, type MultipartTarget, type ObjectInfo, type UploadCall } from '@waltz/storage'
import { BLOCK_SUMS, decodeBlockId, encodeBlockId } from './block-id.ts'
import { azureCode } from './errors.ts'
import { infoOf, quotedEtag } from './object-info.ts'
import { DEFAULT_BUFFER_BYTES, DEFAULT_MAX_BUFFERS } from './options.ts'
import { attempt, type Place } from './place.ts'
import { headBlob, type HeadAnswer } from './read.ts'

/** Azure's limit. */
export const MOST_BLOCKS = 50_000

/** Metadata of a conditional put, by which a second try knows that the first one had succeeded. */
const PUT_TOKEN = 'waltzput'

const CONTENT_TYPE = 'application/octet-stream'
const UPLOAD_DIGITS = 32

/** An upload in blocks. */
interface BlockUpload {
  readonly id: string
  readonly startedMs: number
  readonly size: { bytes: number }
  /** Of a whole object that is stored as one block. */
  readonly token?: string
  /** The service's clock when the first block was stored. */
  firstStored: Date | undefined
}

interface WholeBody {
  readonly body: Uint8Array
  /** The same for all tries. */
  readonly token: string
}

/** Uploads as Put Blob, or as Put Block and Put Block List. */
export function createUploadTarget(place: Place): MultipartTarget<BlockUpload, string> {
  const { bufferBytes = DEFAULT_BUFFER_BYTES, maxBuffers = DEFAULT_MAX_BUFFERS, now, randomHex } = place.options
  /** All tries of one put have the same body, and so the same token. */
  const tokens = new WeakMap<Uint8Array, string>()
  return {
    partBytes: bufferBytes,
    maxParts: MOST_BLOCKS,
    concurrency: maxBuffers,
    putWhole(body, call) {
      const token = tokens.get(body) ?? randomHex(UPLOAD_DIGITS)
      tokens.set(body, token)
      return putWhole(place, { body, token }, call)
    },
    begin: async () => ({ id: randomHex(UPLOAD_DIGITS), startedMs: now().getTime(), size: { bytes: 0 }, firstStored: undefined }),
    putPart: (upload, part, call) => putBlock(place, upload, part, call),
    complete: (upload, blocks, call) => commit(place, upload, blocks, call),
    // Azure has no request that removes uncommitted blocks. They are invisible, go with the next put of the name, and after a week.
    abort: async () => undefined,
  }
}

async function putWhole(place: Place, { body, token }: WholeBody, call: UploadCall): Promise<ObjectInfo> {
  const { key, options } = call
  const conditions = conditionsOf(call)
  const put = (blob: BlockBlobClient, abortSignal: AbortSignal): ReturnType<BlockBlobClient['upload']> =>
    blob.upload(asBuffer(body), body.length, {
      abortSignal,
      conditions,
      transactionalContentMD5: md5Of(body),
      blobHTTPHeaders: { blobContentType: options?.contentType ?? CONTENT_TYPE },
      ...(isConditional(call) ? { metadata: { [PUT_TOKEN]: token } } : {}),
    })
  try {
    return await attempt(place, { doing: `upload of ${key}`, key }, call, async (container, signal) =>
      infoOf(key, body.length, await orRefusal(place, call, put(container.getBlockBlobClient(key), signal))),
    )
  } catch (error) {
    if (!isRefusal(error) || (call.attempt === 1 && options?.onlyIfAbsent !== true)) throw error
    const found = await headIfThere(place, call)
    if (found === undefined && options?.onlyIfAbsent === true) return await putAsOneBlock(place, { body, token }, call)
    // The answer to an earlier try may have been lost on the way.
    if (call.attempt > 1 && found?.metadata[PUT_TOKEN] === token) return found.info
    throw error
  }
}

async function headIfThere(place: Place, call: UploadCall): Promise<HeadAnswer | undefined> {
  try {
    return await headBlob(place, call.key, call)
  } catch (error) {
    if (isFault(error, 'not-found')) return undefined
    throw error
  }
}

/**
 * For a name that Put Blob takes for taken although no object is there: Azurite does where uncommitted blocks lie. The condition is the
 * service's own again.
 */
async function putAsOneBlock(place: Place, { body, token }: WholeBody, call: UploadCall): Promise<ObjectInfo> {
  const { now, randomHex } = place.options
  const upload: BlockUpload = {
    id: randomHex(UPLOAD_DIGITS),
    startedMs: now().getTime(),
    size: { bytes: 0 },
    token,
    firstStored: undefined,
  }
  const id = await putBlock(place, upload, { index: 0, body }, call)
  return await commit(place, upload, [id], call)
}

async function putBlock(
  place: Place,
  upload: BlockUpload,
  { index, body }: { readonly index: number; readonly body: Uint8Array },
  call: UploadCall,
): Promise<string> {
  const md5 = md5Of(body)
  const id = encodeBlockId({ upload: upload.id, index, startedMs: upload.startedMs, md5 })
  await attempt(place, { doing: `upload of block ${index + 1} of ${call.key}`, key: call.key }, call, async (container, abortSignal) => {
    try {
      const { date } = await container
        .getBlockBlobClient(call.key)
        .stageBlock(id, asBuffer(body), body.length, { abortSignal, transactionalContentMD5: md5 })
      upload.firstStored ??= date
    } catch (error) {
      throw azureCode(error) === 'InvalidBlobOrBlock' ? foreignBlocksFault(place, call.key) : error
    }
  })
  upload.size.bytes = Math.max(upload.size.bytes, index * (place.options.bufferBytes ?? DEFAULT_BUFFER_BYTES) + body.length)
  return id
}

async function commit(place: Place, upload: BlockUpload, blocks: readonly string[], call: UploadCall): Promise<ObjectInfo> {
  const { key, options } = call
  const { bytes } = upload.size
  try {
    return await attempt(place, { doing: `completion of ${key}`, key }, call, async (container, abortSignal) => {
      const answer = container.getBlockBlobClient(key).commitBlockList([...blocks], {
        abortSignal,
        conditions: conditionsOf(call),
        blobHTTPHeaders: { blobContentType: options?.contentType ?? CONTENT_TYPE },
        metadata: { [BLOCK_SUMS]: 'md5', ...(upload.token === undefined ? {} : { [PUT_TOKEN]: upload.token }) },
      })
      return infoOf(key, bytes, await orRefusal(place, call, answer))
    })
  } catch (error) {
    return await settle(place, upload, call, error)
  }
}

/** What became of an upload whose completion was refused: an earlier try may have made it, or another writer was faster. */
async function settle(place: Place, upload: BlockUpload, call: UploadCall, error: unknown): Promise<ObjectInfo> {
  const lost = isFault(error) && error.code === 'AZURE_BLOCKS_LOST'
  if (!lost && (call.attempt === 1 || !isRefusal(error))) throw error
  const found = await headBlob(place, call.key, call).catch((problem: unknown) => {
    throw isFault(problem, 'not-found') ? error : problem
  })
  if (call.attempt > 1 && (await isCommitted(place, upload, call))) return found.info
  if (!lost) throw error
  if (isConditional(call)) throw refusalOf(place, call)
  // Another writer stored the name after this upload had begun, which discards the blocks of all others. That is as if this object had
  // been stored and replaced at once. An object that was there before says nothing of the kind.
  const replaced = upload.firstStored !== undefined && found.info.modifiedAt >= upload.firstStored
  if (!replaced) throw error
  return { key: call.key, size: upload.size.bytes, modifiedAt: found.info.modifiedAt }
}

async function isCommitted(place: Place, upload: BlockUpload, call: UploadCall): Promise<boolean> {
  const first = await attempt(
    place,
    { doing: `look at the blocks of ${call.key}`, key: call.key },
    call,
    async (container, abortSignal) => {
      const { committedBlocks } = await container.getBlockBlobClient(call.key).getBlockList('committed', { abortSignal })
      return committedBlocks?.[0]?.name
    },
  )
  return first !== undefined && decodeBlockId(first)?.upload === upload.id
}

/** What Azure answers when a condition does not hold. */
const REFUSALS: readonly string[] = ['ConditionNotMet', 'BlobAlreadyExists']

/** The answer, or the fault for a condition that does not hold. */
async function orRefusal<T>(place: Place, call: UploadCall, answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    const code = azureCode(error)
    // A SAS token that may create but not overwrite is told so when the name is taken; what is gone cannot be the one to be replaced.
    const own = call.options?.onlyIfAbsent === true ? 'UnauthorizedBlobOverwrite' : 'BlobNotFound'
    if (isConditional(call) && (REFUSALS.includes(code) || code === own)) throw refusalOf(place, call)
    throw code === 'InvalidBlockList' ? blocksLostFault(place, call.key) : error
  }
}

function refusalOf({ location }: Place, { key, options }: UploadCall): Fault {
  return options?.onlyIfAbsent === true ? alreadyExistsFault(key, location) : objectReplacedFault(key, location)
}

function isRefusal(error: unknown): boolean {
  return isFault(error, 'already-exists') || (isFault(error, 'conflict') && error.code === 'STORAGE_OBJECT_REPLACED')
}

function isConditional({ options }: UploadCall): boolean {
  return options?.onlyIfAbsent === true || options?.ifMatch !== undefined
}

function conditionsOf({ options }: UploadCall): BlobRequestConditions {
  if (options?.onlyIfAbsent === true) return { ifNoneMatch: '*' }
  return options?.ifMatch === undefined ? {} : { ifMatch: quotedEtag(options.ifMatch) }
}

function md5Of(bytes: Uint8Array): Buffer {
  return createHash('md5').update(bytes).digest()
}

/** The same memory. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function blocksLostFault({ location }: Place, key: string): Fault {
  return new Fault('conflict', 'AZURE_BLOCKS_LOST', `the blocks of ${key} in ${location} are gone, so it was not stored`, {
    hint: 'another program stored or removed the same name at the same time; store it again',
    context: { key, location },
  })
}

function foreignBlocksFault({ location }: Place, key: string): Fault {
  return new Fault(
    'conflict',
    'AZURE_FOREIGN_BLOCKS',
    `${key} in ${location} holds an unfinished upload of another program, which blocks this one`,
    {
      hint: '`waltz storage orphans` removes it if no object has this name; otherwise it goes by itself a week after its last block',
      context: { key, location },
    },
  )
}
