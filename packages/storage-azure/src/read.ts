import type { BlobDownloadResponseParsed, ContainerClient } from '@azure/storage-blob'
import { throwIfAborted } from '@waltz/errors'
import { checkRange, createObjectBody, type CallOptions, type GetOptions, type ObjectBody, type ObjectInfo } from '@waltz/storage'
import type { ByteRange } from '@waltz/bytes'
import { azureCode, azureFault, type AzureCall } from './errors.ts'
import { checkSoughtName } from './names.ts'
import { infoOf } from './object-info.ts'
import { attempt, limitTry, watchRequest, type Place } from './place.ts'
import { blockSections, versionOf, type Section } from './sections.ts'
import { readVerified } from './verified-body.ts'

/** The service computes checksums of ranges up to this size. */
const MOST_RANGE_SUM_BYTES = 4_194_304

/** A blob's info and metadata. */
export interface HeadAnswer {
  readonly info: ObjectInfo
  readonly metadata: Readonly<Record<string, string>>
}

/** `ObjectStore.head`. */
export async function headObject(place: Place, key: string, options: CallOptions | undefined): Promise<ObjectInfo> {
  throwIfAborted(options?.signal)
  checkSoughtName(key, place.location)
  return (await headBlob(place, key, options)).info
}

/** Get Blob Properties. */
export function headBlob(place: Place, key: string, options: CallOptions | undefined): Promise<HeadAnswer> {
  return attempt(place, { doing: `look at ${key}`, key }, options, async (container, abortSignal) => {
    const answer = await container.getBlobClient(key).getProperties({ abortSignal })
    return { info: infoOf(key, answer.contentLength ?? 0, answer), metadata: answer.metadata ?? {} }
  })
}

/** `ObjectStore.get`: one request; whoever wants to go on after a broken connection wraps the store. */
export async function getObject(place: Place, key: string, options: GetOptions | undefined): Promise<ObjectBody> {
  throwIfAborted(options?.signal)
  checkSoughtName(key, place.location)
  const range = checkRange(options?.range)
  if (range.end === range.start) return emptyBody((await headBlob(place, key, options)).info)
  return (await openBody(place, key, range, options)) ?? emptyBody((await headBlob(place, key, options)).info)
}

/** Undefined when the range begins behind the end of the object. */
async function openBody(place: Place, key: string, range: ByteRange, options: GetOptions | undefined): Promise<ObjectBody | undefined> {
  const call: AzureCall = { doing: `read of ${key}`, key }
  const container = await place.container().catch((error: unknown) => {
    throw azureFault(error, call, place)
  })
  const limited = limitTry(place, call, options)
  // While the consumer is busy nothing moves, and nothing is wrong.
  const turn = { waiting: true }
  const watch = watchRequest(place, call.doing, { signal: limited.signal }, async (ms, signal) => {
    await place.options.sleep(ms, signal)
    if (!turn.waiting) watch.progressed()
  })
  const faultOf = (error: unknown): unknown => azureFault(watch.faultOf(error), call, place)
  try {
    const answer = await download(container, key, range, watch.signal)
    limited.end()
    const size = sizeOf(answer)
    const start = range.start
    const end = start + (answer.contentLength ?? 0)
    const info = infoOf(key, size, answer)
    const stream = answer.readableStreamBody as NodeJS.ReadableStream & { destroy(): void }
    stream.on('error', () => undefined) // seen by whoever reads; a body that nobody reads must not end the process
    const sections = await sectionsOf(place, { key, answer, start, end, size }, options).catch((error: unknown) => {
      stream.destroy()
      throw error
    })
    turn.waiting = false
    return createObjectBody({
      info,
      read: () =>
        readVerified({
          place,
          version: versionOf({ key, etag: answer.etag }),
          stream,
          watch,
          turn,
          start,
          end,
          sections,
          call,
          faultOf,
          signal: options?.signal,
        }),
      async close() {
        watch.stop()
        stream.destroy()
      },
    })
  } catch (error) {
    watch.stop()
    limited.end()
    if (azureCode(error) === 'InvalidRange') return undefined
    throw faultOf(error)
  }
}

function download(
  container: ContainerClient,
  key: string,
  range: ByteRange,
  abortSignal: AbortSignal,
): Promise<BlobDownloadResponseParsed> {
  const count = range.end === undefined ? undefined : range.end - range.start
  return container.getBlobClient(key).download(range.start, count, {
    abortSignal,
    maxRetryRequests: 0,
    ...(count !== undefined && count <= MOST_RANGE_SUM_BYTES ? { rangeGetContentMD5: true } : {}),
  })
}

/** Of the whole blob: a ranged answer tells it behind the slash. */
function sizeOf({ contentRange, contentLength }: BlobDownloadResponseParsed): number {
  const total = contentRange?.split('/')[1]
  return total === undefined ? (contentLength ?? 0) : Number(total)
}

interface Opened {
  readonly key: string
  readonly answer: BlobDownloadResponseParsed
  readonly start: number
  readonly end: number
  readonly size: number
}

/** What can be checked of the bytes to come: all of them by one sum, or each whole block by its own. */
async function sectionsOf(
  place: Place,
  { key, answer, start, end, size }: Opened,
  options: GetOptions | undefined,
): Promise<readonly Section[]> {
  if (start === end) return []
  if (answer.contentMD5 !== undefined) return [{ start, end, md5: answer.contentMD5 }]
  if (answer.blobContentMD5 !== undefined) return [{ start: 0, end: size, md5: answer.blobContentMD5 }]
  return await blockSections(place, { key, size, etag: answer.etag, metadata: answer.metadata ?? {} }, options)
}

function emptyBody(info: ObjectInfo): ObjectBody {
  async function* nothing(): AsyncGenerator<Uint8Array> {}
  return createObjectBody({ info, read: nothing, close: async () => undefined })
}
