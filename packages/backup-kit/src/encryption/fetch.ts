import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { Readable } from 'node:stream'
import type { HttpAgents } from '@waltz/network'

/** Reached directly, whatever the proxy: the service that a virtual machine finds beside it. */
const LINK_LOCAL = /^169\.254\./

/** What goes through these agents, for callers of `fetch` that send a text and read a short answer: with their proxy and authorities. */
export function createFetch(agents: HttpAgents): typeof fetch {
  return (input, init) =>
    new Promise((resolve, reject) => {
      const url = new URL(input instanceof Request ? input.url : input)
      const secure = url.protocol === 'https:'
      const { method = 'GET', headers, body, signal } = init ?? {}
      const options = {
        method,
        headers: Object.fromEntries(new Headers(headers)),
        ...(signal !== undefined && signal !== null && { signal }),
        ...(!LINK_LOCAL.test(url.hostname) && { agent: secure ? agents.https : agents.http }),
      }
      const sent = (secure ? httpsRequest : httpRequest)(url, options, (response) => {
        const answer = { status: response.statusCode ?? 502, headers: plainHeaders(response.headers) }
        if (answer.status === 204 || answer.status === 304) {
          response.resume()
          resolve(new Response(null, answer))
        } else resolve(new Response(Readable.toWeb(response) as ReadableStream<Uint8Array<ArrayBuffer>>, answer))
      })
      sent.on('error', reject)
      sent.end(typeof body === 'string' ? body : undefined)
    })
}

function plainHeaders(headers: Readonly<Record<string, string | readonly string[] | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? value : (value ?? []).join(', ')]),
  )
}
