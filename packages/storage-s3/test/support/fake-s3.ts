import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** How the server differs from a good one. */
export interface FakeManners {
  /** Sent with every answer. */
  readonly headers?: Readonly<Record<string, string>>
  readonly createOnly?: 'heeds' | 'ignores' | 'refuses'
  readonly createOnlyMultipart?: 'heeds' | 'ignores'
  readonly ifMatch?: 'quoted' | 'unquoted' | 'ignores'
  readonly bulkDelete?: boolean
  readonly bulkDeleteMd5?: boolean
  readonly listV2?: boolean
  /** Refuses requests that hold a CRC header. */
  readonly refusesCrc?: boolean
  readonly md5Etags?: boolean
}

/** A server that keeps objects in memory and speaks as much S3 as one store needs: no listing of versions, no signatures. */
export interface FakeS3 {
  readonly port: number
  readonly endpoint: string
  readonly objects: Map<string, FakeObject>
  readonly uploads: Map<string, FakeUpload>
  /** `PUT /key` and so on, in order, with the headers. */
  readonly requests: { readonly line: string; readonly headers: IncomingMessage['headers'] }[]
  manners: FakeManners
  /** Answers the next request that matches instead of the server. */
  answer:
    | { readonly matching: RegExp; readonly status: number; readonly body?: string; readonly headers?: Record<string, string> }
    | undefined
  close(): Promise<void>
}

interface FakeObject {
  readonly bytes: Buffer
  readonly etag: string
  readonly meta: Readonly<Record<string, string>>
  readonly at: Date
}

interface FakeUpload {
  readonly key: string
  readonly meta: Readonly<Record<string, string>>
  readonly parts: Map<number, Buffer>
}

export async function startFakeS3(manners: FakeManners = {}): Promise<FakeS3> {
  const server: Server = createServer((request, response) => void serve(fake, request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const fake: FakeS3 = {
    port,
    endpoint: `http://127.0.0.1:${port}`,
    objects: new Map(),
    uploads: new Map(),
    requests: [],
    manners,
    answer: undefined,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return fake
}

async function serve(fake: FakeS3, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const body = Buffer.concat(chunks)
  const url = new URL(request.url ?? '/', fake.endpoint)
  const line = `${request.method ?? ''} ${request.url ?? ''}`
  fake.requests.push({ line, headers: request.headers })
  for (const [name, value] of Object.entries(fake.manners.headers ?? {})) response.setHeader(name, value)
  const made = fake.answer
  if (made?.matching.test(line) === true) {
    fake.answer = undefined
    response.writeHead(made.status, made.headers).end(made.body)
    return
  }
  const key = decodeURIComponent(url.pathname).replace(/^\/bucket\/?/, '')
  const exchange: Exchange = { fake, request, response, body, url, key }
  const refusal = refusalOf(exchange)
  if (refusal !== undefined) fail(response, ...refusal)
  else answer(exchange)
}

interface Exchange {
  readonly fake: FakeS3
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly body: Buffer
  readonly url: URL
  readonly key: string
}

function refusalOf({ fake, request, body }: Exchange): [number, string] | undefined {
  const md5 = request.headers['content-md5']
  if (md5 !== undefined && md5 !== createHash('md5').update(body).digest('base64')) return [400, 'BadDigest']
  const crc = Object.keys(request.headers).some((name) => /^x-amz-(sdk-)?checksum-(crc|algorithm)/.test(name))
  return crc && fake.manners.refusesCrc === true ? [400, 'InvalidArgument'] : undefined
}

function answer(exchange: Exchange): void {
  const { request, response, url, key } = exchange
  if (request.method === 'PUT') return url.searchParams.has('partNumber') ? putPart(exchange) : put(exchange)
  if (request.method === 'POST') return post(exchange)
  if (request.method === 'DELETE') {
    if (url.searchParams.has('uploadId')) exchange.fake.uploads.delete(url.searchParams.get('uploadId') ?? '')
    else exchange.fake.objects.delete(key)
    return void response.writeHead(204).end()
  }
  if (key === '') return list(exchange)
  const found = exchange.fake.objects.get(key)
  if (found === undefined) return fail(response, 404, 'NoSuchKey')
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
  if (from !== undefined && Number(from) >= found.bytes.length) return fail(response, 416, 'InvalidRange')
  const part = from === undefined ? found.bytes : found.bytes.subarray(Number(from), to === '' ? undefined : Number(to) + 1)
  response.writeHead(from === undefined ? 200 : 206, {
    etag: `"${found.etag}"`,
    'last-modified': found.at.toUTCString(),
    'content-length': part.length,
    ...(from === undefined ? {} : { 'content-range': `bytes ${from}-${Number(from) + part.length - 1}/${found.bytes.length}` }),
    ...Object.fromEntries(Object.entries(found.meta).map(([name, value]) => [`x-amz-meta-${name}`, value])),
  })
  response.end(request.method === 'HEAD' ? undefined : part)
}

function put({ fake, request, response, body, key }: Exchange): void {
  const { createOnly = 'heeds', ifMatch = 'quoted' } = fake.manners
  const found = fake.objects.get(key)
  if (request.headers['if-none-match'] !== undefined && createOnly === 'refuses') return fail(response, 501, 'NotImplemented')
  if (request.headers['if-none-match'] !== undefined && createOnly === 'heeds' && found !== undefined)
    return fail(response, 412, 'PreconditionFailed')
  const match = request.headers['if-match']
  if (match !== undefined && ifMatch !== 'ignores') {
    if (found === undefined) return fail(response, 404, 'NoSuchKey')
    if (match !== (ifMatch === 'quoted' ? `"${found.etag}"` : found.etag)) return fail(response, 412, 'PreconditionFailed')
  }
  const stored = store(fake, key, { bytes: body, meta: metaOf(request), etag: createHash('md5').update(body).digest('hex') })
  response.writeHead(200, { etag: `"${stored.etag}"` }).end()
}

function putPart({ fake, response, body, url }: Exchange): void {
  const upload = fake.uploads.get(url.searchParams.get('uploadId') ?? '')
  if (upload === undefined) return fail(response, 404, 'NoSuchUpload')
  upload.parts.set(Number(url.searchParams.get('partNumber')), body)
  response.writeHead(200, { etag: `"${createHash('md5').update(body).digest('hex')}"` }).end()
}

function post(exchange: Exchange): void {
  const { fake, request, response, body, url, key } = exchange
  if (url.searchParams.has('uploads')) {
    const id = `upload-${fake.requests.length}`
    fake.uploads.set(id, { key, meta: metaOf(request), parts: new Map() })
    return xml(response, `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`)
  }
  if (url.searchParams.has('delete')) {
    if (fake.manners.bulkDelete === false) return fail(response, 501, 'NotImplemented')
    if (fake.manners.bulkDeleteMd5 === true && request.headers['content-md5'] === undefined) return fail(response, 400, 'InvalidRequest')
    for (const [, name = ''] of body.toString().matchAll(/<Key>(.*?)<\/Key>/g)) fake.objects.delete(name)
    return xml(response, '<DeleteResult></DeleteResult>')
  }
  complete(exchange)
}

function complete({ fake, request, response, url, key }: Exchange): void {
  const id = url.searchParams.get('uploadId') ?? ''
  const upload = fake.uploads.get(id)
  if (upload === undefined) return fail(response, 404, 'NoSuchUpload')
  const heeds = fake.manners.createOnlyMultipart !== 'ignores'
  if (request.headers['if-none-match'] !== undefined && heeds && fake.objects.has(key)) return fail(response, 412, 'PreconditionFailed')
  const parts = [...upload.parts.entries()].toSorted(([left], [right]) => left - right).map(([, bytes]) => bytes)
  const md5s = parts.map((bytes) => createHash('md5').update(bytes).digest())
  const etag = `${createHash('md5').update(Buffer.concat(md5s)).digest('hex')}-${parts.length}`
  fake.uploads.delete(id)
  store(fake, key, { bytes: Buffer.concat(parts), meta: upload.meta, etag })
  xml(response, `<CompleteMultipartUploadResult><ETag>"${etag}"</ETag></CompleteMultipartUploadResult>`)
}

function list({ fake, response, url }: Exchange): void {
  if (url.searchParams.has('versioning')) return xml(response, '<VersioningConfiguration></VersioningConfiguration>')
  if (url.searchParams.has('location')) return xml(response, '<LocationConstraint>EU</LocationConstraint>')
  if (url.searchParams.get('list-type') === '2' && fake.manners.listV2 === false) return fail(response, 501, 'NotImplemented')
  const prefix = url.searchParams.get('prefix') ?? ''
  const after = url.searchParams.get('start-after') ?? url.searchParams.get('continuation-token') ?? url.searchParams.get('marker') ?? ''
  const max = Number(url.searchParams.get('max-keys') ?? 1000)
  const keys = [...fake.objects.keys()].filter((key) => key.startsWith(prefix) && key > after).toSorted()
  const page = keys.slice(0, max)
  const contents = page.map((key) => {
    const { bytes, etag, at } = fake.objects.get(key) as FakeObject
    return `<Contents><Key>${key}</Key><Size>${bytes.length}</Size><ETag>"${etag}"</ETag><LastModified>${at.toISOString()}</LastModified></Contents>`
  })
  const more = keys.length > max
  const next = more ? `<NextContinuationToken>${page.at(-1) ?? ''}</NextContinuationToken>` : ''
  xml(response, `<ListBucketResult><IsTruncated>${more}</IsTruncated>${next}${contents.join('')}</ListBucketResult>`)
}

function store(fake: FakeS3, key: string, { bytes, meta, etag }: Omit<FakeObject, 'at'>): FakeObject {
  const told = fake.manners.md5Etags === false ? createHash('sha1').update(etag).digest('hex').slice(0, 32) : etag
  const stored = { bytes, meta, etag: told, at: new Date() }
  fake.objects.set(key, stored)
  return stored
}

function metaOf({ headers }: IncomingMessage): Record<string, string> {
  const meta: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) if (name.startsWith('x-amz-meta-')) meta[name.slice(11)] = String(value)
  return meta
}

function xml(response: ServerResponse, text: string): void {
  response.writeHead(200, { 'content-type': 'application/xml' }).end(`<?xml version="1.0" encoding="UTF-8"?>${text}`)
}

function fail(response: ServerResponse, status: number, code: string): void {
  response
    .writeHead(status, { 'content-type': 'application/xml' })
    .end(`<Error><Code>${code}</Code><Message>told by the fake</Message></Error>`)
}
