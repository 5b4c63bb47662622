import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

/** One request as it arrived. */
export interface SeenRequest {
  readonly method: string
  /** With the query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** What is sent back. */
export interface GivenAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
}

/** Answers that no server at hand gives; for what Azure does and Azurite does not. */
export interface FakeService extends AsyncDisposable {
  readonly endpoint: string
  readonly seen: readonly SeenRequest[]
}

/** A server that answers as it is told. */
export async function startFakeService(answer: (request: SeenRequest) => GivenAnswer | Promise<GivenAnswer>): Promise<FakeService> {
  const seen: SeenRequest[] = []
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const told = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body: await buffer(request) }
    seen.push(told)
    const { status, headers = {}, body = '' } = await answer(told)
    response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers })
    response.end(told.method === 'HEAD' ? undefined : body)
  }
  const server = createServer((request, response) => void respond(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/account`,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Azure's form of an error. */
export function azureError(status: number, code: string, more: Readonly<Record<string, string>> = {}): GivenAnswer {
  const body = `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>Words about ${code}.\nRequestId:1\nTime:now</Message><AuthenticationErrorDetail>${more['detail'] ?? ''}</AuthenticationErrorDetail></Error>`
  const { detail: _detail, ...headers } = more
  return {
    status,
    headers: { 'x-ms-error-code': code, 'content-type': 'application/xml', 'x-ms-request-id': 'request-1', ...headers },
    body,
  }
}
