import { createHash } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'

/** One request as it arrived. A tunnel through a proxy is a request with the method CONNECT. */
export interface Recorded {
  readonly method: string
  /** Path and query; for a proxy's client the whole URL, for CONNECT host and port. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** What a request is answered with. */
export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  /** So many bytes of the body are sent, then, when they have arrived, the connection breaks. */
  readonly cutAfter?: number
}

/** Undefined: no answer at all; the connection stays open. */
export type Answering = (request: Recorded) => Answer | undefined | Promise<Answer | undefined>

/**
 * NOT a storage: a server on loopback that writes down what clients send, and answers as it is told, by default with a refusal. It proves
 * what a setting does to requests, and nothing of how a storage takes them.
 */
export interface RecordingServer extends AsyncDisposable {
  readonly port: number
  readonly url: string
  readonly requests: Recorded[]
}

const REFUSAL: Answer = { status: 400, body: '' }

/** Certificate and key in PEM form. */
export interface ServerCertificate {
  readonly cert: string
  readonly key: string
}

/** Starts one on a free port, for https where it gets a certificate. It is a proxy, too: tunnels are written down and refused. */
export async function startRecordingServer(
  answering: Answering = () => REFUSAL,
  certificate?: ServerCertificate,
): Promise<RecordingServer> {
  const requests: Recorded[] = []
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const recorded = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks) }
      requests.push(recorded)
      void Promise.resolve(answering(recorded)).then((answer) => give(answer, request, response))
    })
  }
  const server = certificate === undefined ? createServer(onRequest) : createSecureServer({ ...certificate }, onRequest)
  server.on('connect', (request, socket) => {
    requests.push({ method: 'CONNECT', url: request.url ?? '', headers: request.headers, body: Buffer.alloc(0) })
    socket.on('error', () => undefined)
    socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `${certificate === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function give(answer: Answer | undefined, request: IncomingMessage, response: ServerResponse): void {
  if (answer === undefined) return
  const { status, headers = {}, body = '', cutAfter } = answer
  const length = request.method === 'HEAD' ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  response.writeHead(status, { ...length, ...headers })
  if (cutAfter === undefined) response.end(request.method === 'HEAD' ? undefined : body)
  else response.write(Buffer.from(body).subarray(0, cutAfter), () => setTimeout(() => response.destroy(), 50))
}

/** The same answers after a while; `most` is how many of the requests that match were waiting at the same time. */
export function slowly(matching: RegExp, ms: number, answering: Answering): { readonly answering: Answering; readonly most: () => number } {
  let waiting = 0
  let most = 0
  return {
    most: () => most,
    async answering(request) {
      if (!matching.test(`${request.method} ${request.url}`)) return await answering(request)
      waiting += 1
      most = Math.max(most, waiting)
      await new Promise((resolve) => setTimeout(resolve, ms))
      waiting -= 1
      return await answering(request)
    },
  }
}

const xml = (body: string): Answer => ({
  status: 200,
  headers: { 'content-type': 'application/xml' },
  body: `<?xml version="1.0"?>${body}`,
})
const etagOf = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex')
const DATE = 'Sat, 21 Nov 2026 12:00:00 GMT'

/** Answers of S3 that are enough to store, read, list and delete; `special` comes first. Nothing is checked. */
export function answersOfS3(special: (request: Recorded) => Answer | 'usual' = () => 'usual'): Answering {
  const objects = new Map<string, Buffer>()
  const parts = new Map<number, Buffer>()
  const keep = (path: string, bytes: Buffer): string => {
    objects.set(path, bytes)
    return `"${etagOf(bytes)}"`
  }
  return (request) => {
    const first = special(request)
    if (first !== 'usual') return first
    const { method, body } = request
    const url = new URL(request.url, 'http://x')
    const query = url.searchParams
    if (method === 'PUT' && query.has('partNumber')) {
      parts.set(Number(query.get('partNumber')), body)
      return { status: 200, headers: { etag: `"${etagOf(body)}"` } }
    }
    if (method === 'PUT') return { status: 200, headers: { etag: keep(url.pathname, body) } }
    if (method === 'POST' && query.has('uploads'))
      return xml('<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>')
    if (method === 'POST' && query.has('uploadId')) {
      const all = [...parts].toSorted(([left], [right]) => left - right).map(([, bytes]) => bytes)
      const digests = Buffer.concat(all.map((bytes) => createHash('md5').update(bytes).digest()))
      keep(url.pathname, Buffer.concat(all))
      return xml(`<CompleteMultipartUploadResult><ETag>"${etagOf(digests)}-${all.length}"</ETag></CompleteMultipartUploadResult>`)
    }
    if (method === 'POST') return xml('<DeleteResult/>')
    if (method === 'DELETE') return { status: 204 }
    if (query.has('versioning')) return xml('<VersioningConfiguration/>')
    if (query.has('versions')) return xml('<ListVersionsResult/>')
    if (query.has('list-type') || query.has('prefix') || query.has('max-keys'))
      return xml('<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>')
    const found = objects.get(url.pathname)
    if (found === undefined) return { status: 404, body: '<Error><Code>NoSuchKey</Code></Error>' }
    const headers = { etag: `"${etagOf(found)}"`, 'last-modified': DATE, 'content-length': String(found.length) }
    return { status: 200, headers, body: found }
  }
}
