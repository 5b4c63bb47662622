import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { compareKeys } from '../../src/index.ts'

interface Kept {
  readonly bytes: Buffer
  readonly etag: string
  readonly modified: number
}

/** A small object store over HTTP: checksums, conditions, ranges, parts, pages. */
export interface ObjectServer {
  readonly port: number
  readonly objects: Map<string, Kept>
  /** Parts by upload, and by number. */
  readonly uploads: Map<string, { readonly key: string; readonly parts: Map<number, Buffer> }>
  close(): void
}

const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('base64')
const PAGE = 50

export async function startObjectServer(): Promise<ObjectServer> {
  const objects = new Map<string, Kept>()
  const uploads: ObjectServer['uploads'] = new Map()
  let count = 0

  const keep = (request: IncomingMessage, response: ServerResponse, key: string, bytes: Buffer): void => {
    const taken = objects.get(key)
    const { 'if-none-match': absent, 'if-match': match } = request.headers
    if ((absent === '*' && taken !== undefined) || (match !== undefined && match !== taken?.etag)) {
      response.writeHead(412).end()
      return
    }
    const kept = { bytes, etag: `"${md5(bytes)}"`, modified: Date.now() }
    objects.set(key, kept)
    response.writeHead(200, describe(kept)).end('{"stored":true}')
  }
  const put = (request: IncomingMessage, response: ServerResponse, url: URL, body: Buffer): void => {
    const key = decodeURIComponent(url.pathname.slice(1))
    const expected = request.headers['content-md5']
    if (expected !== undefined && expected !== md5(body)) response.writeHead(400).end('BadDigest')
    else if (url.searchParams.has('part')) {
      uploads.get(url.searchParams.get('upload') ?? '')?.parts.set(Number(url.searchParams.get('part')), body)
      response.end()
    } else keep(request, response, key, body)
  }
  const post = (request: IncomingMessage, response: ServerResponse, url: URL): void => {
    const key = decodeURIComponent(url.pathname.slice(1))
    const id = url.searchParams.get('complete')
    if (id === null) {
      count += 1
      uploads.set(`${count}`, { key, parts: new Map() })
      response.end(`${count}`)
      return
    }
    const upload = uploads.get(id)
    if (upload === undefined) {
      response.writeHead(410).end()
      return
    }
    const parts = [...upload.parts].toSorted(([left], [right]) => left - right).map(([, bytes]) => bytes)
    keep(request, response, key, Buffer.concat(parts))
    if (response.statusCode === 200) uploads.delete(id)
  }
  const get = (request: IncomingMessage, response: ServerResponse, url: URL): void => {
    if (url.pathname === '/') {
      list(response, url)
      return
    }
    const kept = objects.get(decodeURIComponent(url.pathname.slice(1)))
    if (kept === undefined) {
      response.writeHead(404).end()
      return
    }
    const [, from = '0', to = ''] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
    const start = Number(from)
    const end = Math.min(to === '' ? Infinity : Number(to) + 1, kept.bytes.length)
    const ranged = request.headers.range !== undefined
    if (ranged && start >= kept.bytes.length) {
      response.writeHead(416, describe(kept)).end()
      return
    }
    const body = kept.bytes.subarray(start, end)
    response.writeHead(ranged ? 206 : 200, { ...describe(kept), 'content-length': body.length })
    if (request.method === 'HEAD') response.end()
    else response.end(body)
  }
  const list = (response: ServerResponse, { searchParams }: URL): void => {
    const prefix = searchParams.get('prefix') ?? ''
    const after = searchParams.get('after') ?? ''
    const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && compareKeys(key, after) > 0).sort(compareKeys)
    const lines = keys.slice(0, PAGE).map((key) => {
      const { bytes, etag, modified } = objects.get(key) as Kept
      return JSON.stringify({ key, size: bytes.length, etag, modified })
    })
    // No length: only the last line tells that the page is whole.
    response.write(lines.map((line) => `${line}\n`).join(''))
    response.end(keys.length > PAGE ? '"more"\n' : '"end"\n')
  }
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('error', () => undefined)
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://server')
      if (request.method === 'PUT') put(request, response, url, Buffer.concat(chunks))
      else if (request.method === 'POST') post(request, response, url)
      else if (request.method === 'DELETE') {
        const id = url.searchParams.get('upload')
        if (id === null) objects.delete(decodeURIComponent(url.pathname.slice(1)))
        else uploads.delete(id)
        response.writeHead(204).end()
      } else get(request, response, url)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    objects,
    uploads,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

function describe({ etag, bytes, modified }: Kept): Record<string, string | number> {
  return { etag, 'x-size': bytes.length, 'x-modified': modified }
}
