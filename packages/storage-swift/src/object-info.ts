import type { ObjectInfo } from '@waltz/storage'
import { header, type ReadAnswer } from './errors.ts'

/** What an answer for an object tells. */
export interface ObjectFacts {
  readonly info: ObjectInfo
  /** Undefined for an object that lies in one piece. */
  readonly large: 'static' | 'dynamic' | undefined
  /** Where the segments of a dynamic large object are, as `container/prefix`. */
  readonly dynamicPrefix: string | undefined
  /** Of a static large object that Waltz stored: which of its uploads. */
  readonly uploadId: string | undefined
}

/** Tells which segments belong to an object, also where the server does not show its manifest. */
export const UPLOAD_HEADER = 'x-object-meta-waltz-upload'

/** An entry of a listing in JSON. */
export interface ListedObject {
  readonly name?: string
  readonly subdir?: string
  readonly bytes?: number
  readonly hash?: string
  readonly slo_etag?: string
  readonly last_modified?: string
}

type Times = Pick<ObjectInfo, 'modifiedAt' | 'modifiedAtNs'>

/** Swift's own; radosgw and others write more behind it. Their listings are less precise than their headers, so both are cut to milliseconds. */
const SWIFT_TRANSACTION = /^tx[0-9a-f]{21}-[0-9a-f]{10}$/
const EMPTY_MD5 = 'd41d8cd98f00b204e9800998ecf8427e'

/** From the headers of a HEAD or GET. `size` is that of the whole object. */
export function factsOf(key: string, answer: Pick<ReadAnswer, 'headers'>, size: number): ObjectFacts {
  const etag = cleanEtag(header(answer, 'etag'))
  const info: ObjectInfo = { key, size, ...timesOf(answer), ...(etag === undefined ? {} : { etag }) }
  const dynamicPrefix = header(answer, 'x-object-manifest')
  const isStatic = header(answer, 'x-static-large-object')?.toLowerCase() === 'true'
  const large = isStatic ? 'static' : dynamicPrefix === undefined ? undefined : 'dynamic'
  return { info, large, dynamicPrefix, uploadId: isStatic ? header(answer, UPLOAD_HEADER) : undefined }
}

/** From an entry of a listing. Undefined where only a HEAD tells: large objects of several kinds are listed as if they were empty. */
export function infoOfListed(item: ListedObject & { readonly name: string }, answer: Pick<ReadAnswer, 'headers'>): ObjectInfo | undefined {
  const { name: key, bytes, last_modified: modified } = item
  if (bytes === undefined || modified === undefined || (item.hash === EMPTY_MD5 && item.slo_etag === undefined)) return undefined
  const etag = cleanEtag(item.slo_etag ?? item.hash)
  return { key, size: bytes, ...timesFromText(modified, isPrecise(answer)), ...(etag === undefined ? {} : { etag }) }
}

/** Etags of large objects come in quotation marks, and sometimes not. */
export function cleanEtag(etag: string | undefined): string | undefined {
  return etag === undefined ? undefined : etag.replace(/^W\//, '').replaceAll('"', '').toLowerCase()
}

/** `X-Timestamp` is in seconds with five decimals; `Last-Modified` is rounded up to a second. */
function timesOf(answer: Pick<ReadAnswer, 'headers'>): Times {
  const [, seconds, digits = ''] = /^(\d+)(?:\.(\d+))?/.exec(header(answer, 'x-timestamp') ?? '') ?? []
  if (seconds === undefined) return { modifiedAt: new Date(Date.parse(header(answer, 'last-modified') ?? '')) }
  return timesFromNs(BigInt(seconds) * 1_000_000_000n + nanoseconds(digits), isPrecise(answer))
}

/** Listings write `2026-11-21T09:57:47.123450`, in UTC. */
function timesFromText(text: string, precise: boolean): Times {
  const [, seconds = text, digits = ''] = /^(.*?)(?:\.(\d+))?Z?$/.exec(text) ?? []
  return timesFromNs(BigInt(Date.parse(`${seconds}Z`)) * 1_000_000n + nanoseconds(digits), precise && digits.length >= 5)
}

function timesFromNs(ns: bigint, precise: boolean): Times {
  const modifiedAt = new Date(Number(ns / 1_000_000n))
  return precise ? { modifiedAt, modifiedAtNs: ns } : { modifiedAt }
}

function nanoseconds(digits: string): bigint {
  return BigInt(digits.padEnd(9, '0').slice(0, 9))
}

function isPrecise(answer: Pick<ReadAnswer, 'headers'>): boolean {
  return SWIFT_TRANSACTION.test(header(answer, 'x-trans-id') ?? '')
}
