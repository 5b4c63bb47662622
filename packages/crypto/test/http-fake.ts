import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request as it came. */
export interface Seen {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** What is answered; `hang` never answers, `reset` breaks the connection. */
export type Answer = { readonly status: number; readonly body: unknown; readonly headers?: Record<string, string> } | 'hang' | 'reset'

/** A server on this machine that answers what a function says. */
export interface HttpFake {
  readonly url: string
  readonly seen: Seen[]
  close(): Promise<void>
}

export async function startFake(answer: (request: Seen) => Answer | Promise<Answer>): Promise<HttpFake> {
  const seen: Seen[] = []
  const server: Server = createServer((request, response) => {
    void (async () => {
      let body = ''
      for await (const chunk of request) body += String(chunk)
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
