// oxlint-disable no-underscore-dangle -- pkgcloud has no other names for what all of its requests go through
import type { Agent, IncomingMessage } from 'node:http'
import type { Login } from './catalogue.ts'
import type { ChooseTransport } from './client.ts'
import { pkgcloudCall, type PkgcloudCall } from './pkgcloud-calls.ts'
import type { PkgcloudClient, PkgcloudRequest, PkgcloudRequestOptions, PkgcloudSink } from './pkgcloud-client.ts'
import { writeAll } from './send-body.ts'
import { connectionError, framingOf, limitConnecting, type HttpCall, type Transport, type TransportOptions } from './transport.ts'

/** What requests of `pkgcloud` need from the store. */
export interface PkgcloudSurroundings {
  readonly client: PkgcloudClient
  /** For connections, and for what `pkgcloud` has no function for. */
  readonly own: Transport
  readonly options: Pick<TransportOptions, 'connectTimeoutMs' | 'sleep'>
}

/** Sends by functions of `pkgcloud` what there is one for. */
export function chooseFromPkgcloud(surroundings: PkgcloudSurroundings): ChooseTransport {
  return (request, login) => {
    const call = pkgcloudCall(request)
    return call === undefined ? undefined : { send: (http) => send(surroundings, call, { http, login }) }
  }
}

/** One HTTP request, and the login that it is sent with. */
interface Sending {
  readonly http: HttpCall
  readonly login: Login
}

/**
 * Calls one function of `pkgcloud` and takes the answer from the request that it makes: its callbacks and events know neither all
 * statuses (a 502 is a success to it) nor the headers, take a broken answer for a whole one, and never come for a listing that is none.
 */
async function send({ client, own, options }: PkgcloudSurroundings, call: PkgcloudCall, sending: Sending): Promise<IncomingMessage> {
  const { http } = sending
  const { signal } = http.progress
  const agent = await own.agentFor(http.url)
  const answered = new AbortController()
  return new Promise<IncomingMessage>((resolve, reject) => {
    let request: PkgcloudRequest | undefined
    let connecting: ReturnType<typeof limitConnecting> | undefined
    let whole = true
    const fail = (error: unknown): void => {
      connecting?.end()
      answered.abort()
      request?.abort()
      reject(error instanceof Error ? error : new Error('the request failed', { cause: error }))
    }
    const onAbort = (): void => fail(signal.reason)
    const onAnswer = (message: IncomingMessage): void => {
      message.pause() // or its bytes would pass before anybody looks
      request?.removeAllListeners('data') // an upload hands the answer to whoever writes, who would send it
      message.once('close', () => signal.removeEventListener('abort', onAbort))
      // Answered before all of a body had left: that connection is of no further use.
      message.once('end', () => void (whole || request?.abort()))
      connecting?.end()
      answered.abort()
      http.progress.progressed()
      resolve(message)
    }
    const onRequest = (made: PkgcloudRequest): void => {
      request = made
      connecting = limitConnecting(made, options, fail)
      made.on('error', fail) // stays: a request that is broken off later complains once more
      made.on('drain', () => http.progress.progressed()) // bytes of an upload have left
      made.once('response', onAnswer)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    const sink = call(clientOf(client, { ...sending, agent, onRequest }))
    if (request === undefined) fail(connectionError('ECONNABORTED', 'pkgcloud has sent no request'))
    else if (signal.aborted) onAbort()
    else if (sink !== undefined) {
      whole = false
      upload(sink, http, answered.signal).then((done) => void (whole = done), fail)
    }
  })
}

/** Writes copies: what is handed on is buffered on the way, after its owner has been told that it was written. */
async function upload(sink: PkgcloudSink, { body, progress }: HttpCall, ended: AbortSignal): Promise<boolean> {
  sink.on('error', () => undefined) // of the request, which is listened to itself
  const copies = { write: (bytes: Uint8Array, done: () => void) => sink.write(Buffer.from(bytes), done) }
  const whole = body === undefined || (await writeAll(copies, body, { progress, ended }))
  if (whole) sink.end()
  return whole
}

interface OneCall extends Sending {
  readonly agent: Agent
  /** Hears of the request. */
  readonly onRequest: (request: PkgcloudRequest) => void
}

/**
 * The client with the login and the headers of one call, in which the first request is the only one: the look that `pkgcloud` takes
 * after an upload is left to the store. Proxy and redirects are not for `request` to choose, which would ask the environment.
 */
function clientOf(client: PkgcloudClient, { http, login, agent, onRequest }: OneCall): PkgcloudClient {
  const { 'x-copy-from': _said, ...headers } = http.headers // by the call itself
  let sent = false
  const one: PkgcloudClient = Object.assign(Object.create(client) as PkgcloudClient, {
    _identity: { token: { id: login.token, expires: new Date(8_640_000_000_000_000) } },
    _serviceUrl: login.storageUrl,
    before: [
      ...client.before,
      (request: PkgcloudRequestOptions) => {
        Object.assign(request.headers, headers, framingOf(http))
        Object.assign(request, { agent, proxy: null, followRedirect: false })
      },
    ],
    _request(options: unknown, done: unknown): unknown {
      if (sent) return undefined
      sent = true
      const request = client._request.call(one, options, done)
      onRequest(request)
      return request
    },
  })
  return one
}
