import type { IncomingHttpHeaders } from 'node:http'
import { PassThrough, Readable } from 'node:stream'
import type { PassThroughClient } from 'google-auth-library'
import type { Fault } from '@waltz/errors'
import { serverFailedFault } from '@waltz/storage'
import { collectChunks } from '../arrived-chunks.ts'
import { refusedAnswer } from '../errors.ts'
import { readArrived } from '../read-arrived.ts'
import { readText } from '../read-text.ts'
import type { Operation, OperationCall } from './operation.ts'
import { refusedError } from './refusal.ts'

/** A request as the client's classes describe it. */
export interface ClientRequestOptions {
  readonly uri: string
  readonly method?: string
  readonly qs?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly headers?: Readonly<Record<string, string>>
  readonly json?: unknown
  readonly multipart?: readonly { readonly 'Content-Type': string; readonly body: string | Readable }[]
}

/** Told of the outcome: an error, or the parsed body. */
export type ClientCallback = (error: unknown, body?: unknown, response?: unknown) => void

/** Stands in for the client's own `makeAuthenticatedRequest`: without a callback the answer is wanted as a stream. */
export type Transport = (request: ClientRequestOptions, callback?: ClientCallback) => unknown

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly data: Readable
}

/**
 * Sends the requests of the client's classes by the one of its two HTTP libraries (gaxios, which its resumable uploads use) that takes an
 * agent. The other one (teeny-request) takes neither an agent nor authorities nor an abort, keeps connections for the whole process, and
 * reads proxies from the environment.
 */
export function createTransport(client: PassThroughClient, operation: Operation, call: OperationCall): Transport {
  const send = async (request: ClientRequestOptions): Promise<Answer> => {
    const { uri, method = 'GET', qs, headers = {}, json, multipart } = request
    const response = await client.request<Readable | string>({
      ...connectionOf(operation),
      url: withQuery(uri, qs),
      method,
      headers,
      responseType: 'stream',
      validateStatus: () => true,
      ...(json === undefined ? {} : { data: JSON.stringify(json) }),
      ...(multipart === undefined
        ? {}
        : { multipart: multipart.map((part) => ({ headers: new Headers({ 'Content-Type': part['Content-Type'] }), content: part.body })) }),
    })
    operation.settle()
    const answer = { status: response.status, headers: Object.fromEntries(response.headers), data: bodyOf(response.data) }
    if (answer.status >= 200 && answer.status < 300) return answer
    throw refusedError(refusedAnswer(answer.status, answer.headers, await textOf(answer)))
  }
  const textOf = async ({ status, headers, data }: Answer): Promise<string> => {
    const breakOff = (why: Error): void => void data.destroy(why)
    const chunks = readArrived(operation.line, call, { arrived: collectChunks(data), breakOff, close: () => undefined })
    return await readText({ status, headers, read: () => chunks, close: () => undefined })
  }
  return (request, callback) => {
    if (callback === undefined) return asStream(send(request))
    send(request)
      .then(async (answer) => ({ body: parseBody(await textOf(answer), call.doing, operation), answer }))
      .then(
        ({ body, answer }) => callback(null, body, { statusCode: answer.status, headers: answer.headers, body }),
        (error: unknown) => callback(error),
      )
      // The client itself stumbles over a listing that is none.
      .catch(() => operation.fail(nonsenseFault(call.doing, operation)))
    return { abort: () => undefined }
  }
}

/** The client looks into every body without looking whether it is one. */
function parseBody(text: string, doing: string, operation: Operation): unknown {
  if (text === '') return undefined
  try {
    const body: unknown = JSON.parse(text)
    if (typeof body === 'object' && body !== null) return body
  } catch {
    // told below
  }
  throw nonsenseFault(doing, operation)
}

function nonsenseFault(doing: string, { line: { location } }: Operation): Fault {
  return serverFailedFault({ doing, location, answer: 'the answer is not the JSON that was asked for' })
}

/** Of an answer that can have none, gaxios gives a text instead of a stream. */
function bodyOf(data: Readable | string): Readable {
  return typeof data === 'string' ? Readable.from([]) : data
}

/** Options of gaxios for every request of an operation. */
export function connectionOf({ agent }: Operation): ConnectionOptions {
  return { agent, retry: false, redirect: 'manual', compress: false }
}

interface ConnectionOptions {
  readonly agent: Operation['agent']
  /** The store makes attempts. */
  readonly retry: false
  /** Credentials go nowhere else. */
  readonly redirect: 'manual'
  /** Unpacks nothing. Of the library below gaxios (node-fetch), which is given all options. */
  readonly compress: false
}

function withQuery(uri: string, qs: ClientRequestOptions['qs'] = {}): string {
  const url = new URL(uri)
  for (const [name, value] of Object.entries(qs)) if (value !== undefined) url.searchParams.set(name, String(value))
  return url.href
}

/** The client listens for `response`, and takes the body from what comes with it. */
function asStream(sending: Promise<Answer>): PassThrough {
  const told = new PassThrough()
  sending.then(
    ({ status, headers, data }) => {
      told.emit('response', Object.assign(data, { statusCode: status, headers, request: {}, toJSON: () => ({ headers }) }))
      told.end()
    },
    (error: unknown) => told.destroy(error as Error),
  )
  return told
}
