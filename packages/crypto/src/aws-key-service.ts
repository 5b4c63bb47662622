import type * as AwsSdk from '@aws-sdk/client-kms'
import { abortedFault, isFault, throwIfAborted, type Fault } from '@waltz/errors'
import { engineMissingFault, keyInvalidFault } from './crypto-faults.ts'
import type { KeyService } from './key-service.ts'
import {
  serviceAnswerFault,
  serviceDeniedFault,
  serviceFailedFault,
  serviceRefusedFault,
  serviceUnreachableFault,
  serviceWords,
  wrappedKeyRefusedFault,
  type FailedServiceCall,
} from './service-faults.ts'

/** Fixed credentials. */
export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** How AWS KMS is reached. What is left out is found the way the AWS SDK finds it. */
export interface AwsKeyServiceOptions {
  /** Id, ARN or alias of a symmetric key; used for wrapping only, a wrapped key tells its own. */
  readonly keyId: string
  readonly region?: string
  readonly credentials?: AwsCredentials | (() => Promise<AwsCredentials>)
  readonly endpoint?: string
  /** The SDK's request handler, for proxies and authorities of one's own. */
  readonly requestHandler?: NonNullable<AwsSdk.KMSClientConfig['requestHandler']>
  /** Stops every call when it fires. */
  readonly signal?: AbortSignal
  /** How long one call may take, all attempts together, in milliseconds. Default: 30 000. */
  readonly timeoutMs?: number
  /** How often a call is made when the service fails or cannot be reached. Default: 3. */
  readonly attempts?: number
}

const DEFAULT_TIMEOUT_MS = 30_000
const DEFAULT_ATTEMPTS = 3

/**
 * AWS KMS through `@aws-sdk/client-kms`, which is loaded at the first call: Encrypt with the key and no encryption context, Decrypt
 * without a key id (RF 7.4).
 * @throws Fault `invalid` `CRYPTO_KEY_INVALID` for an empty key id; from the calls `unsupported` `CRYPTO_ENGINE_MISSING` without the package.
 */
export function awsKeyService(options: AwsKeyServiceOptions): KeyService {
  if (options.keyId === '') throw keyInvalidFault('the id of the AWS KMS key is empty')
  let connected: Promise<Connected> | undefined
  const connect = (): Promise<Connected> =>
    (connected ??= connectTo(options).catch((error: unknown) => {
      connected = undefined
      throw error
    }))

  const call = async <Answer>(
    doing: string,
    run: (at: Connected, stop: { abortSignal: AbortSignal }) => Promise<Answer>,
  ): Promise<Answer> => {
    throwIfAborted(options.signal)
    const timeout = AbortSignal.timeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS)
    const abortSignal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout])
    const at = await connect()
    try {
      return await run(at, { abortSignal })
    } catch (error) {
      if (isFault(error)) throw error
      if (options.signal?.aborted === true) throw abortedFault(options.signal)
      throw timeout.aborted
        ? serviceUnreachableFault({ ...named(doing), words: 'no answer within the time allowed' })
        : awsFault(error, doing)
    }
  }
  return {
    keyId: options.keyId,
    wrap: (dataKey) =>
      call(WRAPPING, async ({ client, sdk }, stop) => {
        const { CiphertextBlob } = await client.send(new sdk.EncryptCommand({ KeyId: options.keyId, Plaintext: dataKey }), stop)
        if (CiphertextBlob !== undefined && CiphertextBlob.length > 0) return CiphertextBlob
        throw serviceAnswerFault({ ...named(WRAPPING), words: 'its answer holds no wrapped key' })
      }),
    unwrap: (wrapped) =>
      call(UNWRAPPING, async ({ client, sdk }, stop) => {
        const { Plaintext } = await client.send(new sdk.DecryptCommand({ CiphertextBlob: wrapped }), stop)
        if (Plaintext !== undefined && Plaintext.length > 0) return Plaintext
        throw serviceAnswerFault({ ...named(UNWRAPPING), words: 'its answer holds no key' })
      }),
  }
}

const WRAPPING = 'wrap a data key'
const UNWRAPPING = 'open a wrapped data key'
const named = (doing: string) => ({ service: 'aws-kms', doing }) as const

interface Connected {
  readonly sdk: typeof AwsSdk
  readonly client: AwsSdk.KMSClient
}

async function connectTo(options: AwsKeyServiceOptions): Promise<Connected> {
  const sdk = await import('@aws-sdk/client-kms').catch((error: unknown) => {
    throw engineMissingFault('@aws-sdk/client-kms', 'AWS KMS', error)
  })
  const client = new sdk.KMSClient({
    maxAttempts: options.attempts ?? DEFAULT_ATTEMPTS,
    ...(options.region === undefined ? {} : { region: options.region }),
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...(options.requestHandler === undefined ? {} : { requestHandler: options.requestHandler }),
  })
  return { sdk, client }
}

/** What the SDK throws, as far as it is looked at. */
interface SdkError {
  readonly name?: unknown
  readonly message?: unknown
  readonly code?: unknown
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string }
}

const NOT_OURS = new Set(['InvalidCiphertextException', 'IncorrectKeyException'])
const DENIED =
  /^(AccessDenied|UnrecognizedClient|InvalidSignature|SignatureDoesNotMatch|ExpiredToken|InvalidClientTokenId|MissingAuthentication|NotAuthorized|CredentialsProviderError|RequestExpired|IncompleteSignature)/
const FAILED =
  /^(Throttling|TooManyRequests|LimitExceeded|RequestLimitExceeded|KMSInternal|DependencyTimeout|KeyUnavailable|ServiceUnavailable|InternalFailure)/

function awsFault(error: unknown, doing: string): Fault {
  const { name, message, code, $metadata = {} } = Object(error) as SdkError
  const title = typeof name === 'string' ? name : 'Error'
  const text = typeof message === 'string' ? serviceWords(message) : ''
  const { httpStatusCode: status, requestId } = $metadata
  const call: FailedServiceCall = {
    ...named(doing),
    words: [title, typeof code === 'string' ? code : '', text].filter((word) => word !== '').join(' '),
    ...(status === undefined ? {} : { status }),
    ...(requestId === undefined ? {} : { requestId }),
  }
  if (NOT_OURS.has(title)) return wrappedKeyRefusedFault(call)
  if (DENIED.test(title)) return serviceDeniedFault(call)
  if (FAILED.test(title)) return serviceFailedFault(call)
  if (status !== undefined) return faultOfStatus(status, call)
  return /region/i.test(text) ? serviceRefusedFault(call) : serviceUnreachableFault(call)
}

/** For an answer whose name says nothing. */
function faultOfStatus(status: number, call: FailedServiceCall): Fault {
  if (status === 401 || status === 403) return serviceDeniedFault(call)
  if (status === 429 || status >= 500) return serviceFailedFault(call)
  return status === 200 ? serviceAnswerFault(call) : serviceRefusedFault(call)
}
