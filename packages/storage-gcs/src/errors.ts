import type { IncomingHttpHeaders } from 'node:http'
import { isFault, type Fault } from '@waltz/errors'
import {
  accessDeniedFault,
  bucketMissingFault,
  checksumFault,
  clockFault,
  networkFault,
  quotaFault,
  requestRefusedFault,
  retentionFault,
  retryAfterMs,
  serverFailedFault,
  throttledFault,
  unreachableFault,
  type StoreCall,
} from '@waltz/storage'

/** An answer that is no success, with what its body says. */
export interface RefusedAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** The `reason` of the first error in the body, such as `notFound`; empty where there is none. */
  readonly reason: string
  readonly message: string
}

/** What an answer is about. */
export interface FailedCall {
  /** As in "<doing> in <location> was refused". */
  readonly doing: string
  readonly location: string
}

/** Takes the body of an answer apart; a body that is not that of the JSON API gives its text. */
export function refusedAnswer(status: number, headers: IncomingHttpHeaders, body: string): RefusedAnswer {
  const error = errorOf(body)
  const reason = error?.errors?.[0]?.reason
  return {
    status,
    headers,
    reason: typeof reason === 'string' ? reason : '',
    message: typeof error?.message === 'string' ? error.message : body,
  }
}

interface ApiError {
  readonly message?: unknown
  readonly errors?: readonly { readonly reason?: unknown }[]
}

function errorOf(body: string): ApiError | undefined {
  try {
    return (JSON.parse(body) as { readonly error?: ApiError } | null)?.error
  } catch {
    return undefined
  }
}

/** Whether a 404 speaks of the bucket (`true`), of an object (`false`), or does not say (`undefined`). */
export function isBucketMissing({ message }: RefusedAnswer): boolean | undefined {
  if (/^No such object/i.test(message)) return false
  if (/^The specified bucket does not exist/i.test(message)) return true
  return undefined
}

const THROTTLING = new Set(['rateLimitExceeded', 'userRateLimitExceeded', 'slowDown'])
const QUOTAS = new Set(['quotaExceeded', 'dailyLimitExceeded', 'storageQuotaExceeded', 'accountDisabled'])
const RETENTION = new Set(['retentionPolicyNotMet', 'objectUnderActiveHold', 'objectRetentionNotMet'])
const KEY_REASONS = /^(?:customerEncryption|resourceIsEncryptedWithCustomer|resourceNotEncryptedWithCustomer)/
/** The words of GCS for a checksum that was sent along and does not fit the bytes that arrived. */
const CHECKSUM_WORDS = /(?:crc32c|md5)[^.]*(?:match|mismatch)|checksum/i
const RETENTION_WORDS = /retention policy|object retention|active hold/i
const PAYER_WORDS = /requester pays|user ?project/i
const PAYER_HINT = 'the bucket wants the requester to pay: name the project that does (userProject)'
const KEY_HINT = 'the customer-supplied encryption key (GCS_ENCRYPTION_KEY) is not the one of this object'
const CLOCK_WORDS = /RequestTimeTooSkewed|iat and exp|clock/i

/**
 * The fault for an answer, by its status and the reason in its body (Cloud Storage documentation, "HTTP status and error codes for
 * JSON"). 404 and 412 are for the caller to understand first: here 404 is a missing bucket.
 */
export function answerFault(answer: RefusedAnswer, call: FailedCall, now: () => Date): Fault {
  const { status, reason, headers } = answer
  const told: StoreCall = { ...call, answer: answerText(answer) }
  const waitMs = retryAfterMs(headers['retry-after'], now)
  if (status === 429 || THROTTLING.has(reason)) return throttledFault(told, waitMs)
  if (status >= 500 && status !== 507) return serverFailedFault(told, waitMs)
  if (status === 408 || status === 409 || status === 425 || status === 499) return serverFailedFault(told, waitMs)
  return lastingFault(answer, told)
}

/** Answers that the same request would get again. */
function lastingFault(answer: RefusedAnswer, told: StoreCall): Fault {
  const { status, reason, message } = answer
  if (status === 402 || status === 507 || QUOTAS.has(reason)) return quotaFault(told)
  if (status === 404) return bucketMissingFault(told, 'bucket')
  if (KEY_REASONS.test(reason)) return accessDeniedFault({ ...told, hint: KEY_HINT })
  if (status === 401 || status === 403) return deniedFault(answer, told)
  if (status !== 400) return requestRefusedFault(told)
  if (CHECKSUM_WORDS.test(message)) return checksumFault(told, { retryable: true })
  return requestRefusedFault(PAYER_WORDS.test(`${reason} ${message}`) ? { ...told, hint: PAYER_HINT } : told)
}

function deniedFault(answer: RefusedAnswer, told: StoreCall): Fault {
  const { reason, message } = answer
  if (RETENTION.has(reason) || RETENTION_WORDS.test(message)) {
    return retentionFault(told, { until: retainedUntil(message), held: reason === 'objectUnderActiveHold' || /active hold/i.test(message) })
  }
  return CLOCK_WORDS.test(message) ? clockFault(told) : accessDeniedFault({ ...told, ...deniedHint(answer) })
}

function deniedHint({ message }: RefusedAnswer): { readonly hint?: string } {
  const [, right] = /\b(storage\.[a-zA-Z]+\.[a-zA-Z]+)\b/.exec(message) ?? []
  if (right === undefined) return {}
  return { hint: `the credentials lack ${right}; where objects may not be listed, a missing object is refused in the same way` }
}

function retainedUntil(message: string): Date | undefined {
  const [found] = /\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)/.exec(message) ?? []
  return found === undefined ? undefined : new Date(found)
}

function answerText({ status, reason, message }: RefusedAnswer): string {
  return [String(status), reason, withoutSecrets(message)].filter(Boolean).join(' ')
}

/** A server, or a proxy before it, that quotes the request would have tokens and customer keys printed: both have a form of their own. */
function withoutSecrets(text: string): string {
  return text
    .replaceAll(/\bBearer\s+\S+/gi, 'Bearer ***')
    .replaceAll(/(x-goog-(?:copy-source-)?encryption-key\W+)[\w+/=]+/gi, '$1***')
    .replaceAll(/(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{43}=/g, '***')
}

/** Faults pass; whatever else a connection throws becomes one, without what the error holds besides its name and code. */
export function connectionFault(error: unknown, call: FailedCall): Fault {
  if (isFault(error)) return error
  const known = networkFault(error, call)
  if (known !== undefined) return known
  const { code, name } = (typeof error === 'object' && error !== null ? error : {}) as { readonly code?: unknown; readonly name?: unknown }
  const what = typeof code === 'string' ? code : String(name)
  // A parse error keeps the raw bytes that came; nothing of that goes into a fault.
  const why = what.startsWith('HPE_') ? 'the answer was not HTTP' : 'the connection failed'
  return unreachableFault({ ...call, answer: what }, why)
}
