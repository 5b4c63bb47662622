import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { InputOf, OutputOf, RequestName } from './requests.ts'
import { elementText, escapeXml, isDocumentOf } from './xml.ts'

/** Requests that are made without the SDK, see `own-sender.ts`. */
export type OwnName =
  | 'HeadObject'
  | 'GetObject'
  | 'PutObject'
  | 'DeleteObject'
  | 'CreateMultipartUpload'
  | 'UploadPart'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload'

/** A request before it has an address and a signature. */
export interface RequestForm {
  readonly method: string
  readonly query: Readonly<Record<string, string>>
  /** Names in lower case. */
  readonly headers: Record<string, string>
  /** A text is signed, bytes need not be. */
  readonly body: Uint8Array | string | undefined
}

/** A good answer. The body was read already, but for that of an object. */
export interface GoodAnswer {
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  readonly body: IncomingMessage
}

interface OwnRequest<Name extends RequestName> {
  readonly method: 'HEAD' | 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** Besides `uploadId`, `partNumber` and `versionId`, which every request has that is given one. */
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: (input: InputOf<Name>) => Uint8Array | string
  readonly tell: (answer: GoodAnswer) => OutputOf<Name>
  /** Success is told by the body, so that an answer without one is none. */
  readonly tellsInBody?: boolean
}

const BYTES = { 'content-type': 'application/octet-stream' }

/** Forms as the SDK makes them: a test compares every one. */
export const OWN_REQUESTS: { readonly [Name in OwnName]: OwnRequest<Name> } = {
  HeadObject: { method: 'HEAD', tell: ({ headers }) => objectTold(headers) },
  GetObject: {
    method: 'GET',
    query: { 'x-id': 'GetObject' },
    tell: ({ headers, body }) => ({ ...objectTold(headers), Body: body as never }),
  },
  PutObject: {
    method: 'PUT',
    query: { 'x-id': 'PutObject' },
    headers: BYTES,
    body: ({ Body }) => Body as Uint8Array,
    tell: ({ headers }) => storedTold(headers),
  },
  DeleteObject: { method: 'DELETE', query: { 'x-id': 'DeleteObject' }, tell: () => ({}) },
  CreateMultipartUpload: {
    method: 'POST',
    query: { uploads: '' },
    tellsInBody: true,
    tell: ({ text }) => {
      const id = elementText(text, 'UploadId')
      return id === undefined ? {} : { UploadId: id }
    },
  },
  UploadPart: {
    method: 'PUT',
    query: { 'x-id': 'UploadPart' },
    headers: BYTES,
    body: ({ Body }) => Body as Uint8Array,
    tell: ({ headers }) => storedTold(headers),
  },
  CompleteMultipartUpload: {
    method: 'POST',
    headers: { 'content-type': 'application/xml' },
    body: ({ MultipartUpload }) => completionText(MultipartUpload?.Parts ?? []),
    tell: ({ headers, text }) => ({ ...storedTold(headers), ETag: elementText(text, 'ETag') }),
    tellsInBody: true,
  },
  AbortMultipartUpload: { method: 'DELETE', query: { 'x-id': 'AbortMultipartUpload' }, tell: () => ({}) },
}

/** Whether a request is in the table. */
export function isOwn(name: RequestName): name is OwnName {
  return Object.hasOwn(OWN_REQUESTS, name)
}

/** The form of a request. @throws Error for an input that this package does not use, so that nothing is left out in silence. */
export function formOf<Name extends OwnName>(name: Name, input: InputOf<Name>): RequestForm {
  const { method, query, headers: fixed, body: make } = OWN_REQUESTS[name] as OwnRequest<Name>
  const body = make?.(input)
  const headers: Record<string, string> = { ...fixed }
  const asked: Record<string, string> = { ...query }
  for (const [field, value] of Object.entries(input)) {
    if (value === undefined || FORMED.has(field)) continue
    const header = HEADERS[field]
    const parameter = PARAMETERS[field]
    if (header !== undefined) headers[header] = textOf(value)
    else if (parameter !== undefined) asked[parameter] = textOf(value)
    else if (field === 'Metadata')
      for (const [key, text] of Object.entries(value as object)) headers[`x-amz-meta-${key.toLowerCase()}`] = text
    else throw new Error(`${field} of ${name} is not known here`)
  }
  const key = headers[CUSTOMER_KEY]
  if (key !== undefined) headers[`${CUSTOMER_KEY}-md5`] = createHash('md5').update(key, 'base64').digest('base64')
  if (body !== undefined) headers['content-length'] = String(Buffer.byteLength(body))
  return { method, query: asked, headers, body }
}

/** What has its place in the path or the body. */
const FORMED: ReadonlySet<string> = new Set(['Bucket', 'Key', 'Body', 'ContentLength', 'MultipartUpload'])
const PARAMETERS: Readonly<Record<string, string>> = { UploadId: 'uploadId', PartNumber: 'partNumber', VersionId: 'versionId' }
const CUSTOMER_KEY = 'x-amz-server-side-encryption-customer-key'
const HEADERS: Readonly<Record<string, string>> = {
  ACL: 'x-amz-acl',
  ChecksumAlgorithm: 'x-amz-checksum-algorithm',
  ChecksumCRC32: 'x-amz-checksum-crc32',
  ChecksumMode: 'x-amz-checksum-mode',
  ContentMD5: 'content-md5',
  ContentType: 'content-type',
  IfMatch: 'if-match',
  IfNoneMatch: 'if-none-match',
  ObjectLockMode: 'x-amz-object-lock-mode',
  ObjectLockRetainUntilDate: 'x-amz-object-lock-retain-until-date',
  Range: 'range',
  RequestPayer: 'x-amz-request-payer',
  SSECustomerAlgorithm: 'x-amz-server-side-encryption-customer-algorithm',
  SSECustomerKey: CUSTOMER_KEY,
  SSEKMSKeyId: 'x-amz-server-side-encryption-aws-kms-key-id',
  ServerSideEncryption: 'x-amz-server-side-encryption',
  StorageClass: 'x-amz-storage-class',
  Tagging: 'x-amz-tagging',
}

function textOf(value: unknown): string {
  return value instanceof Date ? value.toISOString().replace('.000Z', 'Z') : String(value)
}

interface TellingPart {
  readonly PartNumber?: number | undefined
  readonly ETag?: string | undefined
  readonly ChecksumCRC32?: string | undefined
}

function completionText(parts: readonly TellingPart[]): string {
  const element = (name: string, text: string | undefined): string => (text === undefined ? '' : `<${name}>${escapeXml(text)}</${name}>`)
  const list = parts.map(
    ({ PartNumber, ETag, ChecksumCRC32 }) =>
      `<Part>${element('ETag', ETag)}${element('ChecksumCRC32', ChecksumCRC32)}${element('PartNumber', PartNumber?.toString())}</Part>`,
  )
  const name = 'CompleteMultipartUpload'
  return `<?xml version="1.0" encoding="UTF-8"?><${name} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${list.join('')}</${name}>`
}

type Told = Pick<
  OutputOf<'GetObject'>,
  | 'ContentLength'
  | 'ContentRange'
  | 'ETag'
  | 'LastModified'
  | 'Metadata'
  | 'ServerSideEncryption'
  | 'SSECustomerAlgorithm'
  | 'ChecksumCRC32'
  | 'ChecksumSHA1'
  | 'ChecksumSHA256'
  | 'ObjectLockRetainUntilDate'
  | 'ObjectLockLegalHoldStatus'
>

function objectTold(headers: Readonly<Record<string, string>>): Told {
  const length = headers['content-length']
  return {
    ...storedTold(headers),
    ContentLength: length === undefined ? undefined : Number(length),
    ContentRange: headers['content-range'],
    LastModified: timeTold(headers['last-modified']),
    ObjectLockRetainUntilDate: timeTold(headers['x-amz-object-lock-retain-until-date']),
    ObjectLockLegalHoldStatus: headers['x-amz-object-lock-legal-hold'] as Told['ObjectLockLegalHoldStatus'],
    ChecksumCRC32: headers['x-amz-checksum-crc32'],
    ChecksumSHA1: headers['x-amz-checksum-sha1'],
    ChecksumSHA256: headers['x-amz-checksum-sha256'],
    Metadata: Object.fromEntries(
      Object.entries(headers).flatMap(([name, value]) =>
        name.startsWith('x-amz-meta-') ? [[name.slice('x-amz-meta-'.length), value]] : [],
      ),
    ),
  }
}

function timeTold(text: string | undefined): Date | undefined {
  const ms = Date.parse(text ?? '')
  return Number.isNaN(ms) ? undefined : new Date(ms)
}

function storedTold(headers: Readonly<Record<string, string>>): Pick<Told, 'ETag' | 'ServerSideEncryption' | 'SSECustomerAlgorithm'> {
  return {
    ETag: headers['etag'],
    ServerSideEncryption: headers['x-amz-server-side-encryption'] as Told['ServerSideEncryption'],
    SSECustomerAlgorithm: headers['x-amz-server-side-encryption-customer-algorithm'],
  }
}

/** A refusal, in the form of the SDK's errors: only what `errors.ts` looks at. */
export function refusalOf(status: number, method: string, text: string): Error {
  const code = elementText(text, 'Code') ?? (status === 404 && method === 'HEAD' ? 'NotFound' : String(status))
  return Object.assign(new Error(elementText(text, 'Message') ?? ''), { name: code, Code: code, $metadata: { httpStatusCode: status } })
}

/** The failure in an answer that began like success, which S3 may send for requests that take long. */
export function lateErrorOf(name: OwnName, text: string): Error | undefined {
  const { method, tellsInBody } = OWN_REQUESTS[name]
  if (isDocumentOf(text, 'Error')) return refusalOf(503, method, text)
  return tellsInBody === true && text.trim() === '' ? refusalOf(503, method, '<Error><Code>InternalError</Code></Error>') : undefined
}
