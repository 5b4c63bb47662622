import { isFault, type Fault } from '@waltz/errors'
import { keyInvalidFault } from './crypto-faults.ts'
import { askService, type RefusedAnswer, type ServiceCallOptions, type ServiceRequest } from './service-calls.ts'
import {
  serviceAnswerFault,
  serviceDeniedFault,
  serviceFailedFault,
  serviceRefusedFault,
  serviceWords,
  wrappedKeyRefusedFault,
} from './service-faults.ts'
import { createYandexTokens, type YandexCredentials } from './yandex-token.ts'

/** A data key as the service made it: 32 bytes for AES-256, and the same wrapped under a key that never leaves the service. */
export interface YandexDataKey {
  readonly plaintext: Uint8Array
  readonly ciphertext: Uint8Array
}

/** What this package needs of Yandex Cloud's Key Management Service. Both calls are made without additional context (RF 7.5). */
export interface YandexKeyService {
  /** The id of the key in the service; not a secret. */
  readonly keyId: string
  /** A new data key. */
  generateDataKey(): Promise<YandexDataKey>
  /**
   * What was encrypted under the key `keyId`: a data key, or the private key of an envelope. Rejects with `corrupt`
   * `CRYPTO_WRAPPED_KEY_REFUSED` when the service says that it cannot be opened, and with other faults when it could not tell.
   */
  decrypt(ciphertext: Uint8Array): Promise<Uint8Array>
}

/** How Yandex Cloud's KMS is reached. Time-outs, `fetch`, `now` and the signal are those of `ServiceCallOptions`. */
export interface YandexKeyServiceOptions extends ServiceCallOptions {
  readonly keyId: string
  /** A service account's key file, or the account of the virtual machine this runs on. */
  readonly credentials: YandexCredentials
  /** Defaults to `https://kms.yandexcloud.net`; a host without a scheme is taken as https. */
  readonly endpoint?: string
  /** Defaults to `https://iam.api.cloud.yandex.net/iam/v1/tokens`. */
  readonly tokenEndpoint?: string
}

const ENDPOINT = 'https://kms.yandexcloud.net'
/** Of gRPC: the key is disabled or scheduled for destruction. */
const FAILED_PRECONDITION = 9

/**
 * Yandex Cloud's KMS over its REST API (SymmetricCrypto: generateDataKey, decrypt). Nothing is asked before the first call.
 * @throws Fault `invalid` `CRYPTO_KEY_INVALID` for an empty key id or a key file that is none.
 */
export function yandexKeyService(options: YandexKeyServiceOptions): YandexKeyService {
  if (options.keyId === '') throw keyInvalidFault('the id of the Yandex KMS key is empty')
  const tokens = createYandexTokens(options.credentials, options)
  const base = `${withScheme(options.endpoint ?? ENDPOINT)}/kms/v1/keys/${encodeURIComponent(options.keyId)}`

  const ask = async (verb: string, body: object, doing: string): Promise<Readonly<Record<string, unknown>>> => {
    const token = await tokens.token()
    const request: ServiceRequest = {
      service: 'yandex-kms',
      doing,
      url: `${base}:${verb}`,
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body,
      refused: (answer) => refusal(answer, verb, doing),
    }
    try {
      return await askService(request, options)
    } catch (error) {
      if (isRefusedToken(error)) await tokens.discard(token)
      throw error
    }
  }
  /** A token that was withdrawn early costs one more round. */
  const askTwice = (verb: string, body: object, doing: string): ReturnType<typeof ask> =>
    ask(verb, body, doing).catch((error: unknown) => {
      if (isRefusedToken(error)) return ask(verb, body, doing)
      throw error
    })
  return {
    keyId: options.keyId,
    async generateDataKey() {
      const answer = await askTwice('generateDataKey', { dataKeySpec: 'AES_256' }, MAKING)
      return { plaintext: bytesOf(answer['dataKeyPlaintext'], MAKING), ciphertext: bytesOf(answer['dataKeyCiphertext'], MAKING) }
    },
    async decrypt(ciphertext) {
      const answer = await askTwice('decrypt', { ciphertext: Buffer.from(ciphertext).toString('base64') }, OPENING)
      return bytesOf(answer['plaintext'], OPENING)
    },
  }
}

const MAKING = 'make a data key'
const OPENING = 'open a wrapped key'

/** Whether the service, and not the one that gives tokens, refused a token. */
const isRefusedToken = (error: unknown): boolean =>
  isFault(error) && error.context['status'] === 401 && error.context['service'] === 'yandex-kms'

const withScheme = (endpoint: string): string => (/^https?:\/\//.test(endpoint) ? endpoint : `https://${endpoint}`).replace(/\/+$/, '')

function bytesOf(text: unknown, doing: string): Uint8Array {
  if (typeof text === 'string' && text !== '' && /^[A-Za-z0-9+/]+={0,2}$/.test(text)) {
    const decoded = Buffer.from(text, 'base64')
    const bytes = new Uint8Array(decoded)
    decoded.fill(0)
    return bytes
  }
  throw serviceAnswerFault({ service: 'yandex-kms', doing, words: 'its answer holds no key' })
}

function refusal({ status, code, message, requestId }: RefusedAnswer, verb: string, doing: string): Fault {
  const call = {
    service: 'yandex-kms',
    doing,
    words: `status ${status} ${serviceWords(message)}`.trim(),
    status,
    ...(requestId === undefined ? {} : { requestId }),
  }
  if (status === 401 || status === 403) return serviceDeniedFault(call)
  if (status === 429 || status >= 500) return serviceFailedFault(call)
  return status === 400 && code !== FAILED_PRECONDITION && verb === 'decrypt' ? wrappedKeyRefusedFault(call) : serviceRefusedFault(call)
}
