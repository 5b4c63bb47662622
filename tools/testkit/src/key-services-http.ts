import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request as it came. */
export interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** What is answered: texts as they are, documents as JSON. `hang` never answers, `reset` breaks the connection. */
export type HttpAnswer = { readonly status: number; readonly body: unknown; readonly headers?: Record<string, string> } | 'hang' | 'reset'

/** A server on this machine that answers what a function says. */
export interface HttpFake {
  readonly url: string
  /** Every request, in the order of their arrival. */
  readonly seen: SeenRequest[]
  close(): Promise<void>
}

/** Starts one on a free port of the loopback address. */
export async function startHttpFake(answer: (request: SeenRequest) => HttpAnswer | Promise<HttpAnswer>): Promise<HttpFake> {
  const seen: SeenRequest[] = []
  const server: Server = createServer((request, response) => {
    void (async () => {
      const chunks: Uint8Array[] = []
      for await (const chunk of request as AsyncIterable<Uint8Array>) chunks.push(chunk)
      const body = Buffer.concat(chunks).toString('utf8')
      const one = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body }
      seen.push(one)
      const given = await answer(one)
      if (given === 'hang') return
      if (given === 'reset') return void request.socket.destroy()
      response.writeHead(given.status, { 'content-type': 'application/json', ...given.headers })
      response.end(typeof given.body === 'string' ? given.body : JSON.stringify(given.body))
    })()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
