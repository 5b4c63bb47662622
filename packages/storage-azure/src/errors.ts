import { Fault, isFault } from '@waltz/errors'
import {
  accessDeniedFault,
  bucketMissingFault,
  checksumFault,
  clockFault,
  networkFault,
  notFoundFault,
  quotaFault,
  requestRefusedFault,
  retentionFault,
  retryAfterMs,
  serverFailedFault,
  throttledFault,
  unreachableFault,
  type StoreCall,
} from '@waltz/storage'
import type { AzureStoreOptions } from './options.ts'

/** What was being done, as in `read of base/part_001.tar`. */
export interface AzureCall {
  readonly doing: string
  /** Of the one object that the request is about. */
  readonly key?: string
}

/** Where it was done. */
export interface FaultSurroundings {
  readonly location: string
  readonly options: AzureStoreOptions
}

/** What the SDK's error says, without request, headers and URLs. */
interface Answer {
  readonly status: number | undefined
  /** Azure's own, such as `BlobNotFound`; empty for an answer that Azure did not give. */
  readonly code: string
  readonly words: string
  readonly header: (name: string) => string | undefined
  readonly text: string
}

/** Further than this, Azure refuses the signature (it allows 15 minutes). */
const MOST_SKEW_MS = 14 * 60_000

/** Azure's code of an error (`x-ms-error-code`), and an empty text for any other error. */
export function azureCode(error: unknown): string {
  return answerOf(error).code
}

/** The fault for what the SDK threw. Faults pass; so does what is neither an answer nor a failure of the connection. */
export function azureFault(error: unknown, call: AzureCall, around: FaultSurroundings): unknown {
  if (isFault(error)) return error
  const answer = answerOf(error)
  const store: StoreCall = { doing: call.doing, location: around.location }
  if (answer.status === undefined) return withoutAnswer(error, store)
  const told: StoreCall = {
    ...store,
    cause: plainCause(answer),
    answer: [answer.code, answer.words].filter(Boolean).join(': ') || `HTTP ${answer.status}`,
  }
  return (
    byCode(answer, told, { call, around }) ??
    byStatus(answer, told, around) ??
    // A 2xx that could not be read, or a redirect.
    (answer.status < 300 ? serverFailedFault(told) : requestRefusedFault(told))
  )
}

interface Context {
  readonly call: AzureCall
  readonly around: FaultSurroundings
}

type Maker = (told: StoreCall, answer: Answer, context: Context) => Fault

/** By the code that Azure gave; the first that fits. */
const BY_CODE: readonly (readonly [RegExp, Maker])[] = [
  [/^BlobNotFound$/, missingBlobFault],
  [/^Container(?:NotFound|BeingDeleted|Disabled)$/, (told) => bucketMissingFault(told, 'container')],
  [/Immutab|LegalHold/, (told) => retentionFault(told)],
  [/^Lease/, leasedFault],
  [/^Blob(?:Archived|BeingRehydrated)$/, archivedFault],
  [/^(?:Md5Mismatch|Crc64Mismatch|InvalidMd5)$/, (told) => checksumFault(told, { retryable: true })],
  [/Quota|InsufficientStorage|AccountCapacity/, quotaFault],
  [/^(?:ServerBusy|TooManyRequests)$/, (told, answer, { around }) => throttledFault(told, retryAfter(answer, around))],
]

function byCode(answer: Answer, told: StoreCall, context: Context): Fault | undefined {
  // Azurite calls a wrong checksum that.
  if (answer.code === 'InvalidOperation' && /MD5/i.test(answer.words)) return checksumFault(told, { retryable: true })
  return BY_CODE.find(([pattern]) => pattern.test(answer.code))?.[1](told, answer, context)
}

function missingBlobFault(told: StoreCall, _answer: Answer, { call, around }: Context): Fault {
  return call.key === undefined ? requestRefusedFault(told) : notFoundFault(call.key, around.location, told.cause)
}

const DENIED_STATUS: readonly number[] = [401, 403]
const QUOTA_STATUS: readonly number[] = [402, 507]
const BUSY_STATUS: readonly number[] = [429, 503]
/** 408, 425 and 499 come from gateways on the way, and pass. */
const PASSING_STATUS: readonly number[] = [408, 425, 499]

function byStatus(answer: Answer, told: StoreCall, around: FaultSurroundings): Fault | undefined {
  const { status = 0, code } = answer
  if (DENIED_STATUS.includes(status) || code === 'PublicAccessNotPermitted') return deniedFault(answer, told, around)
  if (QUOTA_STATUS.includes(status)) return quotaFault(told)
  if (BUSY_STATUS.includes(status)) return throttledFault(told, retryAfter(answer, around))
  // So do conflicts of which Azure says nothing.
  const bare = status === 409 && code === ''
  if (status >= 500 || bare || PASSING_STATUS.includes(status)) return serverFailedFault(told, retryAfter(answer, around))
  if (status !== 404) return undefined
  return requestRefusedFault({
    ...told,
    hint: 'this is not the answer of Azure for a missing object: check the endpoint, the account and the container',
  })
}

function deniedFault(answer: Answer, told: StoreCall, { options }: FaultSurroundings): Fault {
  const { code, text } = answer
  if (code === 'AuthenticationFailed') {
    const date = Date.parse(answer.header('date') ?? '')
    const skewed = Number.isFinite(date) && Math.abs(date - options.now().getTime()) > MOST_SKEW_MS
    if (skewed || /Date header/i.test(text)) return clockFault(told)
  }
  const expiry = sasExpiry(options)
  if (code.startsWith('Auth') && expiry !== undefined && expiry < options.now()) {
    return accessDeniedFault({ ...told, hint: `the SAS token expired at ${expiry.toISOString()}: make a new one` })
  }
  const hint = DENIED_HINTS.find(([pattern]) => pattern.test(code))?.[1]
  return accessDeniedFault(hint === undefined ? told : { ...told, hint })
}

const DENIED_HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /^AuthorizationPermissionMismatch$/,
    'the identity or SAS token lacks a right: give it "Storage Blob Data Contributor" on the container, or a SAS with the rights r, w, d, l',
  ],
  [
    /^(?:AuthorizationResourceTypeMismatch|AuthorizationServiceMismatch)$/,
    'the SAS token is for something else: it needs the blob service, containers and objects',
  ],
  [/^AuthorizationProtocolMismatch$/, 'the SAS token asks for HTTPS'],
  [/^AuthorizationSourceIPMismatch$/, 'the SAS token is not for the address of this machine'],
  [/^AuthorizationFailure$/, 'the key may be wrong, or the firewall of the account keeps this machine out'],
  [
    /^(?:AccountIsDisabled|InsufficientAccountPermissions|KeyBasedAuthenticationNotPermitted)$/,
    'the account does not allow this kind of access: see its settings in the portal',
  ],
  [/^AuthenticationFailed$/, 'check the account name and its key or SAS token'],
]

/** Of the token at hand (`se=`); undefined without one. */
function sasExpiry({ credentials }: AzureStoreOptions): Date | undefined {
  if (credentials.kind !== 'sas') return undefined
  const expiry = new Date(new URLSearchParams(credentials.sasToken.replace(/^\?/, '')).get('se') ?? '')
  return Number.isNaN(expiry.getTime()) ? undefined : expiry
}

function leasedFault({ doing, location, answer, cause }: StoreCall): Fault {
  return new Fault('conflict', 'AZURE_BLOB_LEASED', `${doing} in ${location} was refused: somebody holds a lease on the blob (${answer})`, {
    hint: 'find out who leased it, or break the lease in the portal',
    context: { location },
    cause,
  })
}

function archivedFault({ doing, location, answer, cause }: StoreCall): Fault {
  return new Fault(
    'unavailable',
    'AZURE_BLOB_ARCHIVED',
    `${doing} in ${location} is not possible: the blob is in the archive tier (${answer})`,
    {
      hint: 'rehydrate it to the hot or cool tier first; that takes hours',
      context: { location },
      cause,
      retryable: false,
    },
  )
}

/** No answer came: the connection failed, or signing in did. */
function withoutAnswer(error: unknown, call: StoreCall): unknown {
  const {
    name = '',
    code = '',
    message = '',
  } = (typeof error === 'object' && error !== null ? error : {}) as Partial<Record<'name' | 'code' | 'message', string>>
  const network = networkFault(error, call)
  if (network !== undefined) return withPlainCause(network, error)
  if (/^(?:CredentialUnavailableError|AuthenticationError|AggregateAuthenticationError|AuthenticationRequiredError)$/.test(name)) {
    const said = /AADSTS\d+/.exec(message)?.[0]
    return accessDeniedFault({
      ...call,
      answer: [name, said].filter(Boolean).join(' '),
      hint: 'no token could be had: check tenant, client id and secret, or that this machine has a managed identity',
      cause: plainError(name, code),
    })
  }
  if (typeof code === 'string' && /^(?:ERR_|HPE_|REQUEST_SEND_ERROR|PARSE_ERROR)/.test(code))
    return unreachableFault({ ...call, answer: code, cause: plainError(name, code) }, 'the answer makes no sense')
  if (/less data than required|premature|aborted/i.test(message))
    return unreachableFault({ ...call, cause: plainError(name, code) }, 'the answer broke off')
  return error
}

/** The same fault over an error that holds nothing of the request. */
function withPlainCause(fault: Fault, error: unknown): Fault {
  const { name = 'Error', code = '' } = error as { readonly name?: string; readonly code?: string }
  return new Fault(fault.kind, fault.code, fault.message, {
    ...(fault.hint === undefined ? {} : { hint: fault.hint }),
    context: fault.context,
    retryable: fault.retryable,
    cause: plainError(name, code),
  })
}

function plainCause({ status, code, header }: Answer): Error {
  return Object.assign(plainError('RestError', code), { status, requestId: header('x-ms-request-id') })
}

function plainError(name: string, code: string): Error {
  const error = Object.assign(new Error(code === '' ? name : `${name}: ${code}`), { name, code })
  delete error.stack
  return error
}

function retryAfter(answer: Answer, { options }: FaultSurroundings): number | undefined {
  return retryAfterMs(answer.header('retry-after'), options.now)
}

interface SdkError {
  readonly code?: string
  readonly statusCode?: number
  readonly message?: string
  readonly response?: { readonly headers?: { get(name: string): string | undefined }; readonly bodyAsText?: string | null }
}

function answerOf(error: unknown): Answer {
  const { statusCode, code, message, response } = (typeof error === 'object' && error !== null ? error : {}) as SdkError
  const header = (name: string): string | undefined => response?.headers?.get(name)
  const azure = header('x-ms-error-code') ?? (statusCode === undefined || code === 'PARSE_ERROR' ? '' : (code ?? ''))
  const words = azure === '' ? '' : (message?.split('\n', 1)[0] ?? '')
  return { status: statusCode, code: azure, words: withoutSignatures(words), header, text: response?.bodyAsText ?? '' }
}

function withoutSignatures(text: string): string {
  return text.replaceAll(/sig=[^&\s'"]+/g, 'sig=...').replaceAll(/SharedKey [^\s'"]+/g, 'SharedKey ...')
}
