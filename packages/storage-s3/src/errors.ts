import { Fault, isFault } from '@waltz/errors'
import {
  accessDeniedFault,
  bucketMissingFault,
  checksumFault,
  clockFault,
  networkFault,
  notFoundFault,
  optionsFault,
  quotaFault,
  requestRefusedFault,
  retentionFault,
  retryAfterMs,
  serverFailedFault,
  throttledFault,
  type StoreCall,
} from '@waltz/storage'

/** What a request was for, and where. */
export interface S3Call {
  /** Reads like `read base/part_001.tar`. */
  readonly doing: string
  readonly location: string
  /** The object whose absence is `not-found`; undefined where a 404 means something else. */
  readonly key: string | undefined
  readonly now: () => Date
  /** Taken out of everything that is told. */
  readonly secrets: readonly string[]
}

/** What the storage said, without what it must not repeat. */
export interface S3Refusal {
  readonly code: string
  /** 0 where it is not known. */
  readonly status: number
  readonly message: string
  readonly headers: Readonly<Record<string, string>>
}

/** The cause of a fault: the SDK's error without headers, signatures and requests. */
class S3Cause extends Error {
  readonly code: string
  readonly status: number
  readonly requestId: string | undefined
  /** Where the bucket lies, if the answer told. */
  readonly region: string | undefined
  constructor(refusal: S3Refusal) {
    super(`${refusal.code} (HTTP ${refusal.status})`)
    this.name = 'S3Error'
    this.code = refusal.code
    this.status = refusal.status
    this.requestId = refusal.headers['x-amz-request-id']
    this.region = refusal.headers['x-amz-bucket-region']
  }
}

/** The HTTP status behind a fault of this package; 0 for any other error. */
export function statusOf(error: unknown): number {
  return isFault(error) && error.cause instanceof S3Cause ? error.cause.status : 0
}

/** The region that an answer named, behind a fault of this package. */
export function regionOf(error: unknown): string | undefined {
  return isFault(error) && error.cause instanceof S3Cause ? error.cause.region : undefined
}

/** The storage's own code behind a fault of this package. */
export function codeOf(error: unknown): string | undefined {
  return isFault(error) && error.cause instanceof S3Cause ? error.cause.code : undefined
}

/** The fault for whatever the SDK threw. A fault passes through. */
export function s3Fault(error: unknown, call: S3Call, headers: Readonly<Record<string, string>> | undefined): Fault {
  if (isFault(error)) return error
  const { name, message, code, status } = asShape(error)
  const told = redact(message, call.secrets)
  if (/CredentialsProviderError|ProviderError|NoAuth/.test(name) || isCredentialsError(told))
    return accessDeniedFault({ doing: call.doing, location: call.location, answer: told, hint: NO_CREDENTIALS })
  if (status === 0) return silenceFault(error, call, { code, told })
  return refusalFault({ code, status, message: told, headers: headers ?? {} }, call)
}

/** Nothing was answered: a failure of the connection, or of the SDK. */
function silenceFault(error: unknown, call: S3Call, { code, told }: { readonly code: string; readonly told: string }): Fault {
  const cause = new S3Cause({ code, status: 0, message: told, headers: {} })
  const network = networkFault(error, { doing: call.doing, location: call.location })
  if (network !== undefined) return withCause(network, cause)
  return serverFailedFault({ doing: call.doing, location: call.location, cause, answer: `${code}: ${told}` })
}

/** The fault for an answer that is no success. */
export function refusalFault(refusal: S3Refusal, call: S3Call): Fault {
  const { code, status, message, headers } = refusal
  const cause = new S3Cause(refusal)
  const words = `${code}${status === 0 ? '' : `, HTTP ${status}`}${message === '' || message === code ? '' : `: ${message}`}`
  const told: StoreCall = { doing: call.doing, location: call.location, cause, answer: redact(words, call.secrets) }
  const after = retryAfterMs(headers['retry-after'], call.now)
  return byCode(refusal, { call, told, after }) ?? byStatus(refusal, { call, told, after })
}

/** Replaces every secret, in the forms in which it may travel. */
export function redact(text: string, secrets: readonly string[]): string {
  let clean = text
  for (const secret of secrets) {
    if (secret.length < 4) continue
    for (const form of [secret, encodeURIComponent(secret)]) clean = clean.replaceAll(form, '***')
  }
  return clean
}

const NO_CREDENTIALS =
  'no usable credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role of this machine'

const HINTS: Readonly<Record<string, string>> = {
  InvalidAccessKeyId: 'the storage does not know the access key: check AWS_ACCESS_KEY_ID, and that it belongs to this endpoint',
  SignatureDoesNotMatch: 'the secret key does not belong to the access key: check AWS_SECRET_ACCESS_KEY for missing or extra characters',
  ExpiredToken: 'the temporary credentials have expired: fetch new ones, or configure a role, whose credentials are renewed',
  ExpiredTokenException: 'the temporary credentials have expired: fetch new ones, or configure a role, whose credentials are renewed',
  TokenRefreshRequired: 'the temporary credentials must be renewed',
  InvalidToken: 'the session token is not valid: check AWS_SESSION_TOKEN, and unset it when the keys are permanent',
  AccessDenied:
    'the key may not do this; S3 answers so for a missing object too where the key lacks the right to list the bucket (s3:ListBucket)',
  AllAccessDisabled: 'all access to this bucket was disabled by its owner or provider',
}

interface Told {
  readonly call: S3Call
  readonly told: StoreCall
  readonly after: number | undefined
}

const DENIED =
  /^(AccessDenied\w*|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken\w*|InvalidToken|TokenRefreshRequired|AllAccessDisabled|AccountProblem|InvalidSecurity|InvalidClientTokenId|UnrecognizedClientException|NotSignedUp|InvalidPayer|Unauthorized)$/
const THROTTLED =
  /^(SlowDown\w*|ServiceUnavailable|Throttling\w*|ThrottledException|TooManyRequests\w*|RequestLimitExceeded|RequestThrottled\w*|BandwidthLimitExceeded|ReduceYourRequestRate|ServerBusy)$/
const CHECKSUM = /^(BadDigest|InvalidDigest|XAmzContentSHA256Mismatch|XAmzContentChecksumMismatch|ChecksumMismatch|InvalidChecksum)$/
const FULL =
  /^(QuotaExceeded|InsufficientStorage|InsufficientCapacity|XMinioStorageFull|StorageQuotaExceeded|NotEnoughSpace|AccountQuotaExceeded)$/
const WRONG_REGION =
  /^(PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraintException|IncorrectEndpoint|InvalidRegionName)$/
const AGAIN =
  /^(InternalError|OperationAborted|ConditionalRequestConflict|RequestTimeout\w*|TemporaryRedirect|IncompleteBody|ClientDisconnected|RequestTimeoutException)$/

/** Codes and what they mean, the first that fits. */
const CODES: readonly (readonly [codes: RegExp, fault: (told: StoreCall, rest: Meaning) => Fault])[] = [
  [/^NoSuchBucket$/, (told) => bucketMissingFault(told, 'bucket')],
  [
    /^NoSuch(Key|Version)$/,
    (told, { call, after }) =>
      call.key === undefined ? serverFailedFault(told, after) : notFoundFault(call.key, call.location, told.cause),
  ],
  [/^NoSuchUpload$/, (told) => uploadGoneFault(told)],
  [/^InvalidObjectState$/, (told) => archivedFault(told)],
  [/^InvalidBucketName$/, ({ location }) => optionsFault(`the storage does not accept the bucket name of ${location}`)],
  [/^RequestTimeTooSkewed$|^RequestExpired$/, (told) => clockFault(told)],
  [/ObjectLocked|FileImmutable|WORM/, (told) => retentionFault(told)],
  [DENIED, (told, { code }) => (isLocked(told) ? retentionFault(told) : accessDeniedFault(withHint(told, HINTS[code])))],
  [THROTTLED, (told, { after }) => throttledFault(told, after)],
  [CHECKSUM, (told) => checksumFault(told, { retryable: true })],
  [FULL, (told) => quotaFault(told)],
  [WRONG_REGION, (told, { headers }) => requestRefusedFault(withHint(told, regionHint(headers['x-amz-bucket-region'])))],
  [AGAIN, (told, { after }) => serverFailedFault(told, after)],
]

interface Meaning {
  readonly call: S3Call
  readonly code: string
  readonly headers: Readonly<Record<string, string>>
  readonly after: number | undefined
}

function byCode({ code, headers }: S3Refusal, { call, told, after }: Told): Fault | undefined {
  return CODES.find(([codes]) => codes.test(code))?.[1](told, { call, code, headers, after })
}

function byStatus({ status, code, headers }: S3Refusal, { call, told, after }: Told): Fault {
  // Only an answer to HEAD has no code: whoever asks that way makes sure that the bucket exists.
  if (status === 404 && code === 'NotFound' && call.key !== undefined) return notFoundFault(call.key, call.location, told.cause)
  if (status === 404) return requestRefusedFault(withHint(told, 'what answers there does not speak S3: check the endpoint'))
  if ([401, 403, 407].includes(status))
    return isLocked(told) ? retentionFault(told) : accessDeniedFault(withHint(told, HINTS['AccessDenied']))
  if ([301, 308].includes(status)) return requestRefusedFault(withHint(told, regionHint(headers['x-amz-bucket-region'])))
  return byRange(status, told, after)
}

function byRange(status: number, told: StoreCall, after: number | undefined): Fault {
  if ([429, 503].includes(status)) return throttledFault(told, after)
  if (status === 507) return quotaFault(told)
  const again = status !== 501 && (status >= 500 || status < 300 || [307, 408, 409, 499].includes(status))
  return again ? serverFailedFault(told, after) : requestRefusedFault(told)
}

function isLocked({ answer = '' }: StoreCall): boolean {
  return /object[- ]lock|protected by|retention|WORM|legal hold/i.test(answer)
}

function regionHint(region: string | undefined): string {
  return region === undefined
    ? 'the bucket lies in another region than the one that was addressed: correct AWS_REGION or the endpoint'
    : `the bucket lies in ${region}: set AWS_REGION to it, and the endpoint, if there is one, to that of the region`
}

function uploadGoneFault({ doing, location, cause }: StoreCall): Fault {
  return new Fault('conflict', 'S3_UPLOAD_GONE', `${doing} in ${location} failed: the upload in parts is no longer there`, {
    hint: 'somebody removed unfinished uploads while this one was running: a lifecycle rule with a short time, or another program',
    context: { location },
    cause,
  })
}

function archivedFault({ doing, location, cause }: StoreCall): Fault {
  return new Fault('unavailable', 'S3_OBJECT_ARCHIVED', `${doing} in ${location} failed: the object lies in an archive class`, {
    hint: 'restore it from the archive first (RestoreObject), which can take hours, and choose another storage class for backups',
    context: { location },
    cause,
    retryable: false,
  })
}

function withHint(told: StoreCall, hint: string | undefined): StoreCall {
  return hint === undefined ? told : { ...told, hint }
}

/** The SDK's error may hold the request with its signature. */
function withCause(fault: Fault, cause: S3Cause): Fault {
  return new Fault(fault.kind, fault.code, fault.message, {
    ...(fault.hint === undefined ? {} : { hint: fault.hint }),
    context: fault.context,
    cause,
    retryable: fault.retryable,
  })
}

function isCredentialsError(message: string): boolean {
  return /^(Resolved credential object is not valid|Credential is missing|Could not load credentials)/.test(message)
}

interface ErrorShape {
  readonly name: string
  readonly message: string
  readonly code: string
  /** 0: no answer. */
  readonly status: number
}

/** S3's code is the name of the SDK's error; `code` is that of sockets, or the same. */
function asShape(error: unknown): ErrorShape {
  const fields = typeof error === 'object' && error !== null ? (error as Record<string, unknown>) : {}
  const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
  const name = text(fields['name']) ?? 'Error'
  const status = (fields['$metadata'] as { readonly httpStatusCode?: unknown } | undefined)?.httpStatusCode
  return {
    name,
    message: text(fields['message']) ?? '',
    code: text(fields['Code']) ?? text(fields['code']) ?? name,
    status: typeof status === 'number' ? status : 0,
  }
}
