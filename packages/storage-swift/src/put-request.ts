import { createHash } from 'node:crypto'
import { isFault } from '@waltz/errors'
import { alreadyExistsFault, bucketMissingFault, checksumFault, type CallOptions, type ObjectInfo, type PutOptions } from '@waltz/storage'
import { pathOf } from './client.ts'
import { header, type ReadAnswer } from './errors.ts'
import { cleanEtag } from './object-info.ts'
import type { Place } from './place.ts'
import { findFacts } from './read.ts'
import { bufferedBody } from './send-body.ts'

/** Bodies from this size on let the server refuse first. */
const ASK_BYTES = 2 ** 20

/** Bytes at hand for one name. */
export interface WholeObject {
  readonly container: string
  readonly key: string
  readonly chunks: readonly Uint8Array[]
  /** Of the chunks. */
  readonly md5: string
}

/** MD5 of bytes in pieces, as hexadecimal digits. */
export function md5Of(chunks: readonly Uint8Array[]): string {
  const hash = createHash('md5')
  for (const chunk of chunks) hash.update(chunk)
  return hash.digest('hex')
}

/** Headers that come from the options of a put. */
export function putHeaders(options: PutOptions | undefined): Record<string, string> {
  return {
    'content-type': options?.contentType ?? 'application/octet-stream',
    ...(options?.onlyIfAbsent === true ? { 'if-none-match': '*' } : {}),
  }
}

/** One attempt to store bytes at hand; the server compares them with their MD5. Answers with status 404 or 412, too. */
export async function sendWhole(
  place: Place,
  { container, key, chunks, md5 }: WholeObject,
  { options, signal }: { readonly options: PutOptions | undefined; readonly signal: AbortSignal | undefined },
): Promise<ReadAnswer> {
  const ask = chunks.reduce((sum, chunk) => sum + chunk.length, 0) >= ASK_BYTES
  const doing = `upload of ${key}`
  const answer = await place.client.call({
    method: 'PUT',
    path: pathOf(container, key),
    headers: { ...putHeaders(options), etag: md5 },
    body: () => bufferedBody(chunks, { ask }),
    accept: [201, 202, 404, 412],
    doing,
    signal,
  })
  if (answer.status < 300 && !agrees(answer, md5)) throw checksumFault({ doing, location: place.location }, { retryable: true })
  return answer
}

/** Throws what an answer 404 or 412 to a put means. */
export function refusePut(place: Place, key: string, { status }: ReadAnswer): void {
  if (status === 404) throw bucketMissingFault({ doing: `upload of ${key}`, location: place.location, answer: '404' }, 'container')
  if (status === 412) throw alreadyExistsFault(key, place.location)
}

/** Whether the server tells the same MD5. */
export function agrees(answer: ReadAnswer, md5: string): boolean {
  return cleanEtag(header(answer, 'etag')) === md5
}

/**
 * What the store says of an object that was just put: only a HEAD tells its time exactly. Falls back to the answer of the put where
 * reading is not allowed, or somebody else was faster with another object.
 */
export async function putInfo(
  place: Place,
  stored: { readonly key: string; readonly size: number; readonly etag: string | undefined; readonly answer: ReadAnswer },
  options: CallOptions | undefined,
): Promise<ObjectInfo> {
  const { key, size, etag, answer } = stored
  const found = await findFacts(place, key, options?.signal).catch((error: unknown) => {
    if (isFault(error, 'denied')) return undefined
    throw error
  })
  if (found !== undefined && found.info.size === size && (etag === undefined || found.info.etag === etag)) return found.info
  const modifiedAt = new Date(Date.parse(header(answer, 'last-modified') ?? header(answer, 'date') ?? '') || place.now().getTime())
  return { key, size, modifiedAt, ...(etag === undefined ? {} : { etag }) }
}
