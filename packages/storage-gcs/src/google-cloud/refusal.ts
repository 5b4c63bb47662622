import type { IncomingHttpHeaders } from 'node:http'
import type { RefusedAnswer } from '../errors.ts'

/** An answer that our own transport of the client's requests did not accept. */
export function refusedError(refused: RefusedAnswer): Error {
  return Object.assign(new Error(`refused with ${refused.status}`), { refused })
}

/**
 * What the server said, out of an error of the client: undefined when no answer was seen, or a success. Errors of the client hold requests, tokens
 * and all: only the words of the API are taken from them.
 */
export function refusalOf(
  error: unknown,
  answer: { readonly status: number; readonly headers: IncomingHttpHeaders } | undefined,
): RefusedAnswer | undefined {
  const { refused } = partsOf(error) as { readonly refused?: RefusedAnswer }
  if (refused !== undefined) return refused
  if (answer === undefined || (answer.status >= 200 && answer.status < 300)) return undefined
  return { ...answer, ...wordsOf(error) }
}

interface Words {
  readonly reason: string
  readonly message: string
}

/** The client gives the body of an answer as `response.data`, as the first of `errors`, or throws what is in its `error`. */
function wordsOf(error: unknown): Words {
  const { response, errors } = partsOf(error)
  const body = partsOf(response)['data'] ?? (Array.isArray(errors) && partsOf(errors[0])['reason'] === undefined ? errors[0] : error)
  if (typeof body === 'string') return { reason: '', message: parsedMessage(body) ?? body }
  const told = partsOf(partsOf(body)['error'] ?? body)
  const { reason } = partsOf(Array.isArray(told['errors']) ? told['errors'][0] : undefined)
  const { message } = told
  return { reason: typeof reason === 'string' ? reason : '', message: typeof message === 'string' ? message : '' }
}

function parsedMessage(body: string): string | undefined {
  try {
    const { message } = partsOf(partsOf(JSON.parse(body))['error'])
    return typeof message === 'string' ? message : undefined
  } catch {
    return undefined // not the JSON API's: its text is told
  }
}

function partsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
}
