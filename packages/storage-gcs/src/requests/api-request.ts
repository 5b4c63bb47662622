import { throwIfAborted } from '@waltz/errors'
import { serverFailedFault, untilAborted } from '@waltz/storage'
import { failureOf } from '../answer-failure.ts'
import type { EngineSurroundings } from '../engine.ts'
import { refusedAnswer } from '../errors.ts'
import { sendRequest, type HttpAnswer, type HttpCall } from '../http-call.ts'
import { readText } from '../read-text.ts'

/** One request of the JSON API. */
export interface ApiCall {
  readonly method: HttpCall['method']
  /** Below the endpoint, such as `/storage/v1/b/bucket/o`; escaped. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: readonly Uint8Array[]
  readonly doing: string
  /** The object that a "not found" is about; undefined for requests about the bucket. */
  readonly key?: string
  readonly signal: AbortSignal | undefined
  /** Statuses besides 2xx that are answers and not failures. */
  readonly alsoFine?: readonly number[]
}

/**
 * Makes one request, and a second one when the access token was refused, since it can be withdrawn before its end.
 * @throws the fault of every status that is not fine; those of connections.
 */
export async function sendToApi(around: EngineSurroundings, call: ApiCall): Promise<HttpAnswer> {
  const { tokens, line, bucket } = around
  for (let first = true; ; first = false) {
    const token = await untilAborted(tokens.current(call.signal), call.signal)
    const answer = await sendRequest(line, httpCall(around, call, token))
    if ((answer.status >= 200 && answer.status < 300) || call.alsoFine?.includes(answer.status) === true) return answer
    // The status alone says enough where its explanation breaks off.
    const refused = refusedAnswer(answer.status, answer.headers, await readText(answer).catch(() => ''))
    throwIfAborted(call.signal)
    if (answer.status === 401 && token !== undefined) {
      tokens.refused(token)
      if (first) continue
    }
    throw await failureOf(bucket, call, refused)
  }
}

/** The same, with the JSON of the answer. */
export async function askApi(around: EngineSurroundings, call: ApiCall): Promise<unknown> {
  return parseAnswer(around, call, await readText(await sendToApi(around, call)))
}

/** @throws Fault `unavailable` `STORAGE_SERVER_FAILED` for what is no JSON. */
export function parseAnswer({ bucket }: EngineSurroundings, { doing }: Pick<ApiCall, 'doing'>, text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw serverFailedFault({ doing, location: bucket.location, answer: 'the answer is not JSON' })
  }
}

function httpCall({ bucket, endpoint }: EngineSurroundings, call: ApiCall, token: string | undefined): HttpCall {
  const { method, path, query = {}, headers = {}, body, doing, signal } = call
  const url = new URL(endpoint + path)
  const { userProject } = bucket.options
  const parameters: NonNullable<ApiCall['query']> = { ...query, userProject }
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && !url.searchParams.has(name)) url.searchParams.set(name, String(value))
  }
  return {
    method,
    url,
    headers: { 'user-agent': 'waltz', ...headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
    ...(body === undefined ? {} : { body }),
    doing,
    signal,
  }
}
