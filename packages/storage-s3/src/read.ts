import type { IncomingMessage } from 'node:http'
import { isFault, throwIfAborted } from '@waltz/errors'
import { CHUNK_BYTES, coalesce, sourceOf, type ByteRange } from '@waltz/bytes'
import {
  checkKey,
  checkRange,
  checksumFault,
  createObjectBody,
  notFoundFault,
  serverFailedFault,
  unreachableFault,
  type CallOptions,
  type GetOptions,
  type ObjectBody,
  type ObjectInfo,
} from '@waltz/storage'
import { call, openCall, type OpenCall } from './call.ts'
import { bareEtag, bodyCheck, type BodyCheck } from './checksums.ts'
import { statusOf } from './errors.ts'
import { isHidden } from './hidden-keys.ts'
import { infoOf, NOTED_CRC, PART_BYTES } from './object-info.ts'
import { readParams } from './object-params.ts'
import type { Place } from './place.ts'
import type { OutputOf } from './requests.ts'

/** What a HEAD tells, metadata included. */
export interface HeadAnswer {
  readonly info: ObjectInfo
  readonly metadata: Readonly<Record<string, string>>
}

/** `ObjectStore.head`. */
export async function headObject(place: Place, key: string, options: CallOptions | undefined): Promise<ObjectInfo> {
  throwIfAborted(options?.signal)
  checkKey(key)
  if (isHidden(key)) throw notFoundFault(key, place.location)
  return (await headAny(place, key, options)).info
}

/** HEAD of any key, Waltz's own included. */
export async function headAny(place: Place, key: string, options: CallOptions | undefined): Promise<HeadAnswer> {
  try {
    const output = await call(place, { doing: `look at ${key}`, key, options }, ({ send }, sent) =>
      send('HeadObject', { ...readParams(place), Key: key }, sent),
    )
    place.known.bucketSeen = true
    return headAnswer(key, output, output.ContentLength)
  } catch (error) {
    // An answer to HEAD has no body, so it cannot say which thing is missing, or why it was refused.
    const status = statusOf(error)
    const unclear = status === 400 || status === 401 || status === 403 || (status === 404 && !place.known.bucketSeen)
    if (!unclear) throw error
    return await askForTheReason(place, key, { options, error })
  }
}

/** The same question with an answer that has a body. Reads one byte at most. */
async function askForTheReason(
  place: Place,
  key: string,
  { options, error }: { readonly options: CallOptions | undefined; readonly error: unknown },
): Promise<HeadAnswer> {
  try {
    const open = await openGet(place, key, { options, range: { start: 0, end: 1 } })
    const { output } = open
    closeBody(open)
    place.known.bucketSeen = true
    return headAnswer(key, output, totalOf(output))
  } catch (second) {
    // Its body said which: a missing bucket would be a fault of another kind.
    if (isFault(second, 'not-found')) place.known.bucketSeen = true
    throw statusOf(second) === 416 ? error : second // an empty object has no first byte
  }
}

/** `ObjectStore.get`: one attempt. */
export async function getObject(place: Place, key: string, options: GetOptions | undefined): Promise<ObjectBody> {
  throwIfAborted(options?.signal)
  checkKey(key)
  const range = checkRange(options?.range)
  if (isHidden(key)) throw notFoundFault(key, place.location)
  if (range.end === range.start) return emptyBody(await headObject(place, key, options))
  try {
    const whole = range.start === 0 && range.end === undefined
    const open = await openGet(place, key, { options, range: whole ? undefined : range })
    return bodyOf(place, key, { open, range, whole })
  } catch (error) {
    if (statusOf(error) !== 416) throw error
    return emptyBody(await headObject(place, key, options)) // the range lies behind the end
  }
}

interface Opening {
  readonly options: CallOptions | undefined
  readonly range: ByteRange | undefined
}

function openGet(place: Place, key: string, { options, range }: Opening): Promise<OpenCall<OutputOf<'GetObject'>>> {
  const wanted = range === undefined ? {} : { Range: `bytes=${range.start}-${range.end === undefined ? '' : range.end - 1}` }
  const mode = place.provider.quirks.returnsChecksums && range === undefined ? { ChecksumMode: 'ENABLED' as const } : {}
  return openCall(place, { doing: `read ${key}`, key, options }, ({ send }, sent) =>
    send('GetObject', { ...readParams(place), Key: key, ...wanted, ...mode }, sent),
  )
}

interface Opened {
  readonly open: OpenCall<OutputOf<'GetObject'>>
  readonly range: ByteRange
  readonly whole: boolean
}

function bodyOf(place: Place, key: string, { open, range, whole }: Opened): ObjectBody {
  const { output, sight } = open
  place.known.bucketSeen = true
  const size = totalOf(output)
  const expected = whole ? size : Math.max(0, Math.min(range.end ?? size, size) - range.start)
  if (output.ContentLength !== expected && !(expected === 0 && (output.ContentLength ?? 0) === 0)) {
    closeBody(open)
    throw serverFailedFault({
      doing: `reading ${key}`,
      location: place.location,
      answer: `${expected} bytes were asked for, ${output.ContentLength ?? 'an unknown number'} announced`,
    })
  }
  const info = infoOf(key, { size, modifiedAt: output.LastModified, etag: output.ETag })
  const check = whole ? checkOf(place, output, size) : undefined
  sight.waiting = false
  const pulled = pull({ place, key, open, expected, check })
  return createObjectBody({ info, read: () => coalesceHeld(pulled), close: async () => closeBody(open) })
}

interface Pulling {
  readonly place: Place
  readonly key: string
  readonly open: OpenCall<OutputOf<'GetObject'>>
  readonly expected: number
  readonly check: BodyCheck | undefined
}

/** Chunks of useful size, the last of which is held back until everything is known to be right. */
interface Pulled {
  readonly chunks: AsyncGenerator<Uint8Array>
  /** Throws what broke the body off, or what is wrong with it. */
  readonly verify: (handedOut: number) => void
  /** Whether the connection broke and what arrived before is worth keeping, so that reading goes on behind it. */
  readonly keepsRest: () => boolean
}

function pull({ place, key, open, expected, check }: Pulling): Pulled {
  let received = 0
  let broken: { readonly error: unknown } | undefined
  const source = open.output.Body as unknown as IncomingMessage
  async function* read(): AsyncGenerator<Uint8Array> {
    try {
      open.sight.waiting = true
      for await (const chunk of source as AsyncIterable<Uint8Array>) {
        throwIfAborted(open.watch.signal)
        received += chunk.length
        check?.update(chunk)
        open.sight.waiting = false
        yield chunk
        open.sight.waiting = true
      }
      throwIfAborted(open.watch.signal)
    } catch (error) {
      broken = { error: open.faultOf(error) }
      if (open.watch.signal.aborted) throw broken.error
    }
  }
  return {
    chunks: coalesce(read(), place.bodyBlocks),
    // One chunk is read anew, and verified.
    keepsRest: () => broken !== undefined && expected > CHUNK_BYTES,
    verify(handedOut) {
      if (broken !== undefined) throw broken.error
      const told = { doing: `reading ${key}`, location: place.location }
      if (received !== expected) throw unreachableFault(told, `the answer ended after ${received} of ${expected} bytes`)
      if (check !== undefined && !check.matches()) throw checksumFault(told, { retryable: handedOut === 0 })
    },
  }
}

async function* coalesceHeld({ chunks, verify, keepsRest }: Pulled): AsyncGenerator<Uint8Array> {
  let held: Uint8Array | undefined
  let handedOut = 0
  for await (const chunk of chunks) {
    if (held !== undefined) {
      handedOut += held.length
      yield held
    }
    held = chunk
  }
  if (held !== undefined && keepsRest()) {
    yield held
    held = undefined
  }
  verify(handedOut)
  if (held !== undefined) yield held
}

function closeBody({ output, watch }: OpenCall<OutputOf<'GetObject'>>): void {
  watch.stop()
  const source = output.Body as unknown as IncomingMessage | undefined
  if (source === undefined || source.readableEnded) return
  source.on('error', () => undefined) // nobody reads it any more
  source.destroy()
}

function emptyBody(info: ObjectInfo): ObjectBody {
  return createObjectBody({ info, read: () => sourceOf()[Symbol.asyncIterator](), close: async () => undefined })
}

function totalOf({ ContentRange, ContentLength }: OutputOf<'GetObject'>): number {
  const total = /\/(\d+)$/.exec(ContentRange ?? '')?.[1]
  return total === undefined ? (ContentLength ?? 0) : Number(total)
}

function checkOf({ provider }: Place, output: OutputOf<'GetObject'>, size: number): BodyCheck | undefined {
  const { ServerSideEncryption: sse, SSECustomerAlgorithm, ChecksumCRC32, ChecksumSHA1, ChecksumSHA256, Metadata = {} } = output
  const plain = (sse === undefined || sse === 'AES256') && SSECustomerAlgorithm === undefined
  const partBytes = Number(Metadata[PART_BYTES])
  return bodyCheck({
    size,
    etag: bareEtag(output.ETag),
    md5Etag: provider.quirks.md5Etags && plain,
    checksums: { crc32: ChecksumCRC32, sha1: ChecksumSHA1, sha256: ChecksumSHA256 },
    partBytes: Number.isSafeInteger(partBytes) ? partBytes : undefined,
    note: Metadata[NOTED_CRC],
  })
}

function headAnswer(key: string, output: OutputOf<'HeadObject'> | OutputOf<'GetObject'>, size: number | undefined): HeadAnswer {
  return {
    info: infoOf(key, { size, modifiedAt: output.LastModified, etag: output.ETag }),
    metadata: output.Metadata ?? {},
  }
}
