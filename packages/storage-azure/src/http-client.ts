import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { TLSSocket } from 'node:tls'
import type { HttpOperationResponse, IHttpClient, WebResource } from '@azure/storage-blob'
import type { HttpAgents } from '@waltz/network'
import type { Sleep, StallWatch } from '@waltz/storage'

/** Bodies are handed to the socket in pieces of this size, so that a slow upload is seen to move. */
const PIECE_BYTES = 131_072
/** No answer that is not streamed is longer; a page of a listing has less than 10 MiB. */
const MOST_TEXT_BYTES = 67_108_864

/** What the SDK's requests go through. */
export interface AzureHttpClientOptions {
  readonly agents: HttpAgents
  readonly connectTimeoutMs: number
  readonly sleep: Sleep
  /** Who wants to hear of bytes that moved for the request that has this signal. */
  readonly watchOf: (signal: unknown) => Pick<StallWatch, 'progressed'> | undefined
}

/**
 * Sends the SDK's requests. In the place of the SDK's own client, which takes a proxy from the environment, has no time-out for
 * connections, and does not tell what of a body has left.
 */
export function createHttpClient(options: AzureHttpClientOptions): IHttpClient {
  return { sendRequest: (resource) => send(resource, options) }
}

function send(resource: WebResource, options: AzureHttpClientOptions): Promise<HttpOperationResponse> {
  return new Promise((resolve, reject) => {
    const signal = resource.abortSignal as AbortSignal | undefined
    if (signal?.aborted === true) throw abortError()
    const url = new URL(resource.url)
    const secure = url.protocol === 'https:'
    const request = (secure ? httpsRequest : httpRequest)(url, {
      method: resource.method,
      headers: resource.headers.toJson({ preserveCase: true }),
      agent: secure ? options.agents.https : options.agents.http,
    })
    const onAbort = (): void => {
      request.destroy(abortError())
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    const connected = limitConnecting(request, secure, options)
    const watch = options.watchOf(resource.abortSignal)
    const progressed = (): void => watch?.progressed()
    let answered = false
    request.on('close', () => {
      connected()
      signal?.removeEventListener('abort', onAbort)
      if (!answered) reject(brokenError('the connection was closed without an answer'))
    })
    request.on('error', (error) => {
      connected()
      // After an answer, the body is what fails.
      if (!answered) reject(error)
    })
    request.on('response', (response) => {
      answered = true
      progressed()
      readAnswer(resource, response, progressed).then(resolve, reject)
    })
    writeBody(request, resource.body, progressed).catch(() => undefined) // told by the request's own error
  })
}

/** Destroys a request whose connection is not made in time; the function that it returns ends the wait. */
function limitConnecting(request: ClientRequest, secure: boolean, { connectTimeoutMs, sleep }: AzureHttpClientOptions): () => void {
  const timer = new AbortController()
  const end = (): void => timer.abort()
  sleep(connectTimeoutMs, timer.signal).then(
    () => {
      if (!timer.signal.aborted) request.destroy(Object.assign(new Error('no connection in time'), { code: 'ETIMEDOUT' }))
    },
    () => undefined, // the wait was ended: connected, or failed in another way
  )
  request.once('socket', (socket) => {
    if (request.reusedSocket || (secure ? isSecured(socket as TLSSocket) : !socket.connecting)) end()
    else socket.once(secure ? 'secureConnect' : 'connect', end)
  })
  return end
}

function isSecured(socket: TLSSocket): boolean {
  return socket.encrypted && !socket.connecting && socket.getProtocol() !== null && socket.authorized
}

/** Bytes count as moved when the socket has taken them. */
async function writeBody(request: ClientRequest, body: unknown, progressed: () => void): Promise<void> {
  if (body === undefined || body === null) {
    request.end()
    return
  }
  const bytes = typeof body === 'string' ? Buffer.from(body) : (body as Uint8Array)
  for (let offset = 0; offset < bytes.length; offset += PIECE_BYTES) {
    await new Promise<void>((resolve, reject) => {
      request.write(bytes.subarray(offset, offset + PIECE_BYTES), (error) =>
        error === undefined || error === null ? resolve() : reject(error),
      )
    })
    progressed()
  }
  request.end()
}

async function readAnswer(resource: WebResource, response: IncomingMessage, progressed: () => void): Promise<HttpOperationResponse> {
  const status = response.statusCode ?? 0
  const answer: HttpOperationResponse = { request: resource, status, headers: headersOf(response) }
  if (resource.method === 'HEAD') {
    response.resume()
    return answer
  }
  const streamed = resource.streamResponseStatusCodes
  if (streamed?.has(status) === true || streamed?.has(Number.POSITIVE_INFINITY) === true) {
    answer.readableStreamBody = response
    return answer
  }
  answer.bodyAsText = await readText(response, progressed)
  return answer
}

async function readText(response: IncomingMessage, progressed: () => void): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response) {
    progressed()
    chunks.push(chunk as Buffer)
    bytes += (chunk as Buffer).length
    if (bytes > MOST_TEXT_BYTES) throw brokenError(`an answer of more than ${MOST_TEXT_BYTES} bytes`)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** The SDK reads them by this one method and makes its own collection. */
function headersOf({ headers }: IncomingMessage): HttpOperationResponse['headers'] {
  const plain: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) plain[name] = Array.isArray(value) ? value.join(', ') : value
  return { toJson: () => plain } as unknown as HttpOperationResponse['headers']
}

function abortError(): Error {
  return Object.assign(new Error('the request was cancelled'), { name: 'AbortError' })
}

function brokenError(message: string): Error {
  return Object.assign(new Error(message), { code: 'ECONNRESET' })
}
