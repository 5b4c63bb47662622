import { abortedFault, throwIfAborted } from '@waltz/errors'
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
import { pathOf } from './client.ts'
import { connectionFault, cutFault, header } from './errors.ts'
import { dropAnswer, readAnswer, type OpenAnswer } from './exchange.ts'
import { readManifest } from './manifest.ts'
import { factsOf, type ObjectFacts } from './object-info.ts'
import { checkContainer, readHeaders, type Place } from './place.ts'
import { createSpanCheck, isMd5, type KnownSpan } from './span-check.ts'

/** Size of the chunks of a body. */
export const READ_BLOCK_BYTES = 262_144

/** `ObjectStore.head`. */
export async function headObject(place: Place, key: string, options: CallOptions | undefined): Promise<ObjectInfo> {
  return (await expectFacts(place, key, { doing: `look at ${key}`, signal: options?.signal })).info
}

interface Asked {
  readonly doing: string
  readonly signal: AbortSignal | undefined
}

/** What is known of an object that must be there. @throws Fault `not-found` as `lookAgain` does. */
export async function expectFacts(place: Place, key: string, asked: Asked): Promise<ObjectFacts> {
  return (await findFacts(place, key, asked.signal)) ?? (await lookAgain(place, key, asked))
}

/**
 * What is known of an object for which the server has just said 404. A second 404 counts, once the container has answered: Swift's object
 * server lists an object's folder and then opens the file it saw there, so that it misses an object which is replaced in that moment
 * (swift/obj/diskfile.py, `DiskFile.open`).
 *
 * @throws Fault `not-found` when the object is missing; STORAGE_BUCKET_MISSING when the container is.
 */
export async function lookAgain(place: Place, key: string, { doing, signal }: Asked): Promise<ObjectFacts> {
  await checkContainer(place, doing, signal)
  const facts = await findFacts(place, key, signal)
  if (facts === undefined) throw notFoundFault(key, place.location)
  return facts
}

/** What is known of an object; undefined for a 404, whatever it means. */
export async function findFacts(place: Place, key: string, signal: AbortSignal | undefined): Promise<ObjectFacts | undefined> {
  throwIfAborted(signal)
  checkKey(key)
  const answer = await place.client.call({
    method: 'HEAD',
    path: pathOf(place.container, key),
    headers: readHeaders(place),
    accept: [200, 204, 404],
    doing: `look at ${key}`,
    signal,
  })
  return answer.status === 404 ? undefined : factsOf(key, answer, Number(header(answer, 'content-length') ?? 0))
}

/** Requests for an object that is there by a HEAD and not there by a GET. */
const LOOKS = 4

/** `ObjectStore.get`. */
export async function getObject(place: Place, key: string, options: GetOptions | undefined): Promise<ObjectBody> {
  const signal = options?.signal
  throwIfAborted(signal)
  checkKey(key)
  const { start, end } = checkRange(options?.range)
  if (end === start) return emptyBody(await headObject(place, key, options))
  for (let look = 1; look <= LOOKS; look += 1) {
    const answer = await requestBody(place, key, { start, end, signal })
    if (answer.status !== 404) return await bodyOf(place, key, { answer, start, signal })
    const { text } = await readAnswer(answer)
    // radosgw says which of the two is missing.
    if (/NoSuchKey/.test(text)) throw notFoundFault(key, place.location)
    await lookAgain(place, key, { doing: `read ${key}`, signal })
  }
  throw unreachableFault({ doing: `read ${key}`, location: place.location }, 'it was replaced while it was opened')
}

interface Wanted {
  readonly start: number
  readonly end: number | undefined
  readonly signal: AbortSignal | undefined
}

async function requestBody(place: Place, key: string, { start, end, signal }: Wanted): Promise<OpenAnswer> {
  const ranged = start > 0 || end !== undefined
  return await place.client.open({
    method: 'GET',
    path: pathOf(place.container, key),
    headers: { ...readHeaders(place), ...(ranged ? { range: `bytes=${start}-${end === undefined ? '' : end - 1}` } : {}) },
    accept: [200, 204, 206, 404, 416],
    doing: `read ${key}`,
    signal,
  })
}

async function bodyOf(place: Place, key: string, opened: Opened): Promise<ObjectBody> {
  const { answer, signal } = opened
  if (answer.status === 416) {
    await readAnswer(answer)
    return emptyBody(await headObject(place, key, signal === undefined ? undefined : { signal }))
  }
  try {
    return await openBody(place, key, opened)
  } catch (error) {
    dropAnswer(answer)
    throw error
  }
}

interface Opened {
  readonly answer: OpenAnswer
  readonly start: number
  readonly signal: AbortSignal | undefined
}

/** Bytes of this answer, and of the whole object. @throws Fault when the answer is not what was asked for. */
function lengthsOf(answer: Opened['answer'], start: number): { readonly length: number; readonly total: number } {
  const { headers } = answer.message
  const length = Number(headers['content-length'] ?? (answer.status === 204 ? 0 : Number.NaN))
  const total = answer.status === 206 ? Number(/\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1] ?? Number.NaN) : length
  const sound = answer.status === 206 || start === 0 || length === 0
  if (sound && !Number.isNaN(total) && !Number.isNaN(length)) return { length, total }
  throw serverFailedFault({ ...answer.call, answer: 'the range or length of the answer is not what was asked for' })
}

async function openBody(place: Place, key: string, { answer, start, signal }: Opened): Promise<ObjectBody> {
  const { headers } = answer.message
  const { length, total } = lengthsOf(answer, start)
  answer.progress.rest()
  const facts = factsOf(key, { headers }, total)
  const spans = await knownSpans(place, facts, header({ headers }, 'x-timestamp'), signal)
  const from = answer.status === 206 ? start : 0
  return createObjectBody({
    info: facts.info,
    read: () => readBody(place, answer, { start: from, end: from + length, spans }),
    close: async () => dropAnswer(answer),
  })
}

/** The etag of an object in one piece is its MD5; a static large object has one for each segment. */
async function knownSpans(
  place: Place,
  { info, large }: ObjectFacts,
  timestamp: string | undefined,
  signal: AbortSignal | undefined,
): Promise<readonly KnownSpan[]> {
  if (large === undefined) return isMd5(info.etag) ? [{ start: 0, end: info.size, md5: info.etag }] : []
  if (large === 'dynamic') return [] // its list of segments may differ from what is read
  const manifest = await readManifest(place, info.key, signal)
  if (manifest?.timestamp !== timestamp)
    throw unreachableFault({ doing: `read ${info.key}`, location: place.location }, 'it was replaced while it was opened')
  const spans: KnownSpan[] = []
  let at = 0
  for (const { bytes, md5 } of manifest?.segments ?? []) {
    if (isMd5(md5)) spans.push({ start: at, end: at + bytes, md5 })
    at += bytes
  }
  return at === info.size ? spans : []
}

interface Extent {
  readonly start: number
  readonly end: number
  readonly spans: readonly KnownSpan[]
}

/** Yields lent blocks. The last one is handed out after the sums were compared. */
async function* readBody(place: Place, answer: OpenAnswer, { start, end, spans }: Extent): AsyncGenerator<Uint8Array> {
  const { message, progress, call } = answer
  const check = createSpanCheck(spans, start, end)
  const take = (left: number): Uint8Array => (left < READ_BLOCK_BYTES ? Buffer.allocUnsafeSlow(Math.max(left, 1)) : place.readBlocks.take())
  let at = start
  let handedOut = false
  let block = take(end - start)
  let filled = 0
  try {
    progress.expect()
    for await (const chunk of message as AsyncIterable<Uint8Array>) {
      progress.progressed()
      if (at + chunk.length > end) throw serverFailedFault({ ...call, answer: 'more bytes came than were announced' })
      if (!check.passed(chunk)) throw checksumFault(call, { retryable: !handedOut })
      for (let offset = 0; offset < chunk.length;) {
        const count = Math.min(chunk.length - offset, block.length - filled)
        block.set(chunk.subarray(offset, offset + count), filled)
        offset += count
        filled += count
        at += count
        if (filled < block.length || at === end) continue
        handedOut = true
        progress.rest()
        yield block
        progress.expect()
        if (progress.signal.aborted) throw abortedFault(progress.signal)
        block = take(end - at)
        filled = 0
      }
    }
    if (at < end || !message.complete) throw cutFault(call)
    progress.stop()
    if (filled > 0) yield block
  } catch (error) {
    throw connectionFault(progress.faultOf(error), call)
  }
}

function emptyBody(info: ObjectInfo): ObjectBody {
  return createObjectBody({ info, read: async function* () {}, close: async () => undefined })
}
