import { Fault, isFault } from '@waltz/errors'
import {
  accessDeniedFault,
  bucketMissingFault,
  checksumFault,
  networkFault,
  quotaFault,
  requestRefusedFault,
  retryAfterMs,
  serverFailedFault,
  throttledFault,
  unreachableFault,
  type StoreCall,
} from '@waltz/storage'

/** An answer that was read to its end. */
export interface ReadAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly text: string
}

/** What was being done, for messages. */
export interface SwiftCall {
  /** As in "<doing> in <location> failed". */
  readonly doing: string
  readonly location: string
  /** The key of the object that is stored, where one is. */
  readonly key?: string
}

type Make = (call: StoreCall, answer: ReadAnswer, now: () => Date) => Fault

const serverFailed: Make = (call, answer, now) => serverFailedFault(call, retryAfterMs(header(answer, 'retry-after'), now))
const throttled: Make = (call, answer, now) => throttledFault(call, retryAfterMs(header(answer, 'retry-after'), now))
const denied: Make = (call) => accessDeniedFault(call)
const full: Make = (call) => quotaFault(call)

/** Swift's own meanings: api-ref "Object Storage API", swift/common/middleware (ratelimit: 498 or 429, quotas: 413). */
const BY_STATUS: Readonly<Record<number, Make>> = {
  401: denied,
  402: full,
  403: denied,
  // Of a container or an account: whoever asks for an object looks closer first.
  404: (call) => bucketMissingFault(call, 'container'),
  408: serverFailed,
  // Another writer of the same name came in between.
  409: serverFailed,
  413: (call, answer) => (/too large|EntityTooLarge/i.test(answer.text) ? tooLargeFault(call) : quotaFault(call)),
  422: (call) => checksumFault(call, { retryable: true }),
  425: throttled,
  429: throttled,
  498: throttled,
  499: serverFailed,
  503: (call, answer, now) => (/slow ?down|rate/i.test(answer.text) ? throttled : serverFailed)(call, answer, now),
  507: full,
}

/** The fault for an answer that is not the one hoped for. */
export function answerFault(answer: ReadAnswer, call: SwiftCall, now: () => Date): Fault {
  const told: StoreCall = { doing: call.doing, location: call.location, answer: wordsOf(answer), cause: causeOf(answer) }
  const make = BY_STATUS[answer.status]
  if (make !== undefined) return make(told, answer, now)
  // A success of another kind than was asked for is none: something between us and the storage has answered.
  return answer.status >= 500 || answer.status < 300 ? serverFailed(told, answer, now) : requestRefusedFault(told)
}

/** The fault for a failure of the connection. Faults are returned as they are. */
export function connectionFault(error: unknown, call: SwiftCall): Error {
  if (isFault(error)) return error
  const { code, name } = (error ?? {}) as { readonly code?: unknown; readonly name?: unknown }
  // What Node's parser says of an answer that is none; its error holds the raw bytes.
  if (typeof code === 'string' && code.startsWith('HPE_'))
    return serverFailedFault({ ...call, answer: `what came was not HTTP, ${code}`, cause: bareError(code) })
  const bare = Object.assign(bareError(typeof code === 'string' ? code : String(name)), { code })
  return networkFault(Array.isArray((error as { errors?: unknown } | undefined)?.errors) ? error : bare, call) ?? (error as Error)
}

/** A body that ended before the length that was announced. */
export function cutFault(call: SwiftCall): Fault {
  return unreachableFault(call, 'the answer broke off')
}

/** `invalid` `STORAGE_OBJECT_TOO_LARGE`. */
export function tooLargeFault(call: Omit<StoreCall, 'cause'>): Fault {
  return new Fault('invalid', 'STORAGE_OBJECT_TOO_LARGE', `${call.doing} in ${call.location} failed: it is too large for one request`, {
    hint: 'announce its size, or have large objects stored in segments, or lower WALG_TAR_SIZE_THRESHOLD',
    context: { location: call.location },
  })
}

/** One header as text. */
export function header({ headers }: Pick<ReadAnswer, 'headers'>, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' ? value : value?.[0]
}

/** The status and the first words of an answer, without its markup. Tokens are cut out: some proxies quote the request. */
function wordsOf(answer: ReadAnswer): string {
  const words = answer.text
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\b(?:AUTH_tk|AUTH_rgwtk|gAAAAA)[\w-]*/g, '***')
    .replaceAll(/(x-auth-(?:token|key)["']?\s*[:=]\s*)\S+/gi, '$1***')
  return `${answer.status} ${words.replaceAll(/\s+/g, ' ').trim()}`.trim()
}

function causeOf(answer: ReadAnswer): Error {
  const told = header(answer, 'x-trans-id') ?? header(answer, 'x-openstack-request-id')
  // An id, and not what somebody else put there: it is shown.
  const id = /^[\w.:-]{1,128}$/.test(told ?? '') ? told : undefined
  return bareError(`HTTP status ${answer.status}${id === undefined ? '' : `, request ${id}`}`)
}

/** Without the headers and bodies that errors of clients carry along. */
function bareError(message: string): Error {
  return new Error(message)
}
