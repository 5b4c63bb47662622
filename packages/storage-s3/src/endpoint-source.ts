import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Address, SignedRequest } from './http-requests.ts'
import type { S3EndpointSource, S3Notice } from './options.ts'

const MOST_BYTES = 4096

/**
 * Asks the source for the address to connect to, before each request and on a new connection (SET 5.1). The request keeps the host that
 * it was signed for, which certificates are checked against. Where the source fails, it is told and the endpoint itself is used.
 */
export function addressFrom(
  source: S3EndpointSource,
  onNotice: ((notice: S3Notice) => void) | undefined,
): (request: SignedRequest, signal: AbortSignal) => Promise<Address | undefined> {
  return async ({ protocol }, signal) => {
    try {
      const address = (await fetchText(new URL(source.url), signal)).trim()
      if (!/^[\w.:[\]-]+$/.test(address)) throw new Error('the answer is no address')
      return {
        host: address,
        port: Number(source.port ?? '443'),
        protocol: source.protocol === undefined ? protocol : `${source.protocol.replace(/:?(\/\/)?$/, '')}:`,
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason
      const why = error instanceof Error ? error.message : 'no answer'
      onNotice?.({ code: 'endpoint-source-failed', message: `the endpoint source failed, so the endpoint itself is used: ${why}` })
      return undefined
    }
  }
}

function fetchText(url: URL, signal: AbortSignal): Promise<string> {
  const make = url.protocol === 'https:' ? httpsRequest : httpRequest
  return new Promise((resolve, reject) => {
    const made = make(url, { agent: false, signal, headers: { connection: 'close' } }, (answer: IncomingMessage) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        if (chunks.reduce((sum, { length }) => sum + length, 0) > MOST_BYTES) made.destroy(new Error('the answer is too long'))
      })
      answer.on('error', reject)
      answer.on('end', () =>
        answer.statusCode === 200 ? resolve(Buffer.concat(chunks).toString()) : reject(new Error(`it answered ${answer.statusCode}`)),
      )
    })
    made.on('error', reject)
    made.end()
  })
}
