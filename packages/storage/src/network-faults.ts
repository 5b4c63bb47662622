import { Fault, isFault, type FaultKind } from '@waltz/errors'

/** What every fault of a store tells. `doing` reads like "read base/part_001.tar"; neither holds a secret. */
export interface StoreCall {
  readonly doing: string
  readonly location: string
  /** The error underneath. It must hold no secret either: stores strip request headers and signed URLs from what their client throws. */
  readonly cause?: unknown
  /** The storage's own words and codes, shortened. */
  readonly answer?: string
  /** Replaces the hint that fits in general. */
  readonly hint?: string
}

/** A request that was refused: `denied` `STORAGE_ACCESS_DENIED`. */
export const accessDeniedFault = (call: StoreCall): Fault =>
  make('denied', 'STORAGE_ACCESS_DENIED', call, 'was refused', 'check the credentials, when they expire, and what they allow')

/** `unavailable` and not retryable, `STORAGE_BUCKET_MISSING`. `what` is the store's word: bucket, container. */
export const bucketMissingFault = (call: StoreCall, what: string): Fault =>
  make(
    'unavailable',
    'STORAGE_BUCKET_MISSING',
    call,
    `failed: there is no such ${what}`,
    `check the prefix setting, or create the ${what}; Waltz never does`,
    false,
  )

/** No connection, or a broken one: `unavailable` `STORAGE_UNREACHABLE`. */
export const unreachableFault = (call: StoreCall, why: string): Fault =>
  make('unavailable', 'STORAGE_UNREACHABLE', call, `failed: ${why}`, 'check the endpoint, the network and the proxy settings')

/** "Slow down": `unavailable` `STORAGE_THROTTLED`; `retryAfterMs` is what the store asked for. */
export const throttledFault = (call: StoreCall, retryAfterMs?: number): Fault =>
  make(
    'unavailable',
    'STORAGE_THROTTLED',
    call,
    'was put off: the storage is busy',
    'lower the concurrency, or try again later',
    undefined,
    retryAfterMs === undefined ? {} : { retryAfterMs },
  )

/** A 5xx or its like: `unavailable` `STORAGE_SERVER_FAILED`. */
export const serverFailedFault = (call: StoreCall, retryAfterMs?: number): Fault =>
  make(
    'unavailable',
    'STORAGE_SERVER_FAILED',
    call,
    'failed inside of the storage',
    'try again later; the log or status page of the storage tells more',
    undefined,
    retryAfterMs === undefined ? {} : { retryAfterMs },
  )

/** A request that makes no sense to the storage: `invalid` `STORAGE_REQUEST_REFUSED`. */
export const requestRefusedFault = (call: StoreCall): Fault =>
  make('invalid', 'STORAGE_REQUEST_REFUSED', call, 'was not accepted', 'a setting does not fit this storage: see its answer')

/** `unavailable` and not retryable, `STORAGE_QUOTA_EXCEEDED`. */
export const quotaFault = (call: StoreCall): Fault =>
  make(
    'unavailable',
    'STORAGE_QUOTA_EXCEEDED',
    call,
    'failed: the storage is full, or a quota is used up',
    'free some space, or raise the quota',
    false,
  )

/** `denied` `STORAGE_CLOCK_SKEWED`. */
export const clockFault = (call: StoreCall): Fault =>
  make('denied', 'STORAGE_CLOCK_SKEWED', call, 'was refused: the clocks differ too much', 'set the clock of this machine')

/** Bytes that changed on the way, found before anybody used them: `corrupt` `STORAGE_CHECKSUM_MISMATCH`, retryable where nothing was handed out. */
export const checksumFault = (call: StoreCall, options: { readonly retryable: boolean }): Fault =>
  make(
    'corrupt',
    'STORAGE_CHECKSUM_MISMATCH',
    call,
    'failed: a checksum does not match',
    'bytes changed on their way or in the storage; try again, and check the object if it persists',
    options.retryable,
  )

/** What keeps an object from being deleted or replaced. */
export interface ObjectLock {
  /** The end of its retention; undefined where the storage does not tell, or there is none. */
  readonly until?: Date | undefined
  /** Somebody put a hold on it, which has no end of its own. */
  readonly held?: boolean | undefined
}

/** `denied` `STORAGE_RETENTION_LOCKED`. What is known of the lock is in its message, and `lockOf` gives it back. */
export function retentionFault(call: StoreCall, { until, held = false }: ObjectLock = {}): Fault {
  const ends = until === undefined ? '' : ` until ${until.toISOString()}`
  return make(
    'denied',
    'STORAGE_RETENTION_LOCKED',
    call,
    `was refused: the object is locked${ends}${held ? ', and under a hold that somebody has to lift' : ''}`,
    held ? 'have the hold lifted' : 'wait for the end of the retention, or have it lifted',
    undefined,
    { ...(until !== undefined && { lockedUntil: until.toISOString() }), ...(held && { held }) },
  )
}

/** What a fault of `retentionFault` knows of the lock; undefined for any other error. */
export function lockOf(error: unknown): ObjectLock | undefined {
  if (!isFault(error, 'denied') || error.code !== 'STORAGE_RETENTION_LOCKED') return undefined
  const { lockedUntil, held } = error.context
  return { ...(typeof lockedUntil === 'string' && { until: new Date(lockedUntil) }), ...(held === true && { held }) }
}

/** An option that cannot work: `invalid` `STORAGE_OPTIONS_INVALID`. `message` names it. */
export function optionsFault(message: string, hint?: string): Fault {
  return new Fault('invalid', 'STORAGE_OPTIONS_INVALID', message, hint === undefined ? {} : { hint })
}

/** `unsupported` `STORAGE_COPY_UNSUPPORTED`. */
export const copyUnsupportedFault = (call: StoreCall): Fault =>
  make(
    'unsupported',
    'STORAGE_COPY_UNSUPPORTED',
    call,
    'is not possible: this storage cannot copy by itself',
    'read the object and store it again',
  )

/** `unsupported` `STORAGE_VERSIONS_UNSUPPORTED`. */
export const versionsUnsupportedFault = (call: StoreCall): Fault =>
  make(
    'unsupported',
    'STORAGE_VERSIONS_UNSUPPORTED',
    call,
    'is not possible: this storage keeps no versions',
    'leave out what asks for versions',
  )

const REFUSED_CERTIFICATE = /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|CERT_|ERR_TLS_CERT_ALTNAME_INVALID)/

/** Of Node's parser: bytes that changed on the way, or another protocol. */
const NO_HTTP = /^HPE_/

const WORDS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its name has no address (DNS)',
  EAI_AGAIN: 'its name could not be looked up (DNS)',
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was reset',
  ECONNABORTED: 'the connection was broken off',
  EPIPE: 'the connection was closed',
  ETIMEDOUT: 'no connection within the time allowed',
  EHOSTUNREACH: 'no way leads there',
  ENETUNREACH: 'no way leads there',
  EHOSTDOWN: 'no way leads there',
  ENETDOWN: 'no way leads there',
  ERR_SOCKET_CONNECTION_TIMEOUT: 'no connection within the time allowed',
  UND_ERR_CONNECT_TIMEOUT: 'no connection within the time allowed',
  UND_ERR_SOCKET: 'the connection broke',
  ERR_STREAM_PREMATURE_CLOSE: 'the answer broke off',
}

/**
 * The fault for a failure of the connection itself, found by the `code` of the error or of one of its causes: `unavailable`
 * `STORAGE_UNREACHABLE`, or `denied` `STORAGE_ACCESS_DENIED` for a certificate that is not trusted. Undefined for anything else.
 */
export function networkFault(error: unknown, call: Omit<StoreCall, 'cause'>): Fault | undefined {
  for (let at: unknown = error, depth = 0; typeof at === 'object' && at !== null && depth < 5; depth += 1) {
    const { code, cause, errors } = at as { readonly code?: unknown; readonly cause?: unknown; readonly errors?: unknown }
    if (typeof code === 'string') {
      if (REFUSED_CERTIFICATE.test(code))
        return accessDeniedFault({
          ...call,
          cause: error,
          answer: code,
          hint: 'its certificate is not trusted: name its authority in the CA file setting',
        })
      const why = WORDS[code] ?? (NO_HTTP.test(code) ? 'its answer is no HTTP' : undefined)
      if (why !== undefined) return unreachableFault({ ...call, cause: error, answer: code }, why)
    }
    at = cause ?? (Array.isArray(errors) ? errors[0] : undefined)
  }
  return undefined
}

/** Milliseconds of a `Retry-After` header, in seconds or as a date; undefined for none or nonsense. */
export function retryAfterMs(header: string | null | undefined, now: () => Date): number | undefined {
  if (header === null || header === undefined || header.trim() === '') return undefined
  const seconds = Number(header)
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - now().getTime()
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined
}

const LONGEST_ANSWER = 300

function make(
  kind: FaultKind,
  code: string,
  { doing, location, cause, answer, hint }: StoreCall,
  ...[what, general, retryable, context = {}]: readonly [
    what: string,
    general: string,
    retryable?: boolean | undefined,
    context?: Fault['context'],
  ]
): Fault {
  const said = answer === undefined || answer === '' ? '' : ` (${answer.replaceAll(/\s+/g, ' ').slice(0, LONGEST_ANSWER)})`
  return new Fault(kind, code, `${doing} in ${location} ${what}${said}`, {
    hint: hint ?? general,
    context: { location, ...context },
    cause,
    ...(retryable === undefined ? {} : { retryable }),
  })
}
