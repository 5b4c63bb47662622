import { constants, createPrivateKey, sign, type KeyObject } from 'node:crypto'
import type { Fault } from '@waltz/errors'
import { keyInvalidFault } from './crypto-faults.ts'
import { askService, type RefusedAnswer, type ServiceCallOptions, type ServiceRequest } from './service-calls.ts'
import { serviceAnswerFault, serviceDeniedFault, serviceFailedFault, serviceRefusedFault, serviceWords } from './service-faults.ts'

/** Who asks Yandex Cloud: a service account whose authorized key is the JSON text `keyFile`, or the one of the virtual machine this runs on. */
export type YandexCredentials =
  | { readonly type: 'service-account'; readonly keyFile: string }
  | { readonly type: 'metadata'; readonly endpoint?: string }

/** Where an IAM token comes from. */
export interface YandexTokenSource {
  /** A token that is valid for a while; asked for once by concurrent callers, and anew before it runs out. */
  token(): Promise<string>
  /** The token was refused: the next call asks for another. */
  discard(token: string): Promise<void>
}

const IAM_TOKENS = 'https://iam.api.cloud.yandex.net/iam/v1/tokens'
const METADATA = 'http://169.254.169.254'
const METADATA_PATH = '/computeMetadata/v1/instance/service-accounts/default/token'
/** How long the signed request for a token is valid, in seconds; an hour is the most that is accepted. */
const REQUEST_SECONDS = 3600
/** Yandex asks to renew tokens hourly although they live longer. */
const MAX_AGE_MS = 3_600_000

interface Token {
  readonly text: string
  readonly renewAt: number
}

/**
 * Tokens of Yandex Cloud's IAM. The key file is read and checked here, so that a wrong one stops the run before anything is stored.
 * @throws Fault `invalid` `CRYPTO_KEY_INVALID` for a key file that is none; nothing of it is in the message.
 */
export function createYandexTokens(
  credentials: YandexCredentials,
  options: ServiceCallOptions & { readonly tokenEndpoint?: string },
): YandexTokenSource {
  const ask = credentials.type === 'metadata' ? metadataRequest(credentials.endpoint) : accountRequest(credentials.keyFile, options)
  let current: Promise<Token> | undefined
  const renew = async (): Promise<Token> => {
    const asked = options.now().getTime()
    return tokenOf(await askService(ask(), options), asked)
  }
  return {
    async token() {
      let held = current
      if (held !== undefined && (await held).renewAt <= options.now().getTime() && current === held) current = undefined
      held = current ??= renew().catch((error: unknown) => {
        current = undefined
        throw error
      })
      return (await held).text
    },
    async discard(token) {
      const held = current
      if (held === undefined) return
      const text = await held.then(
        (known) => known.text,
        () => undefined,
      )
      if (text === token && current === held) current = undefined
    },
  }
}

/** The answers of IAM (`iamToken`, `expiresAt`) and of the metadata service (`access_token`, `expires_in`). */
function tokenOf(document: Readonly<Record<string, unknown>>, asked: number): Token {
  const text = document['iamToken'] ?? document['access_token']
  if (typeof text !== 'string' || text === '' || !/^[\x21-\x7e]+$/.test(text)) {
    throw serviceAnswerFault({ service: 'yandex-iam', doing: 'give a token', words: 'its answer holds none' })
  }
  const expiresAt = document['expiresAt']
  const expiresIn = document['expires_in']
  const until =
    typeof expiresAt === 'string' ? Date.parse(expiresAt) : asked + (typeof expiresIn === 'number' ? expiresIn * 1000 : MAX_AGE_MS)
  const lifeMs = Number.isNaN(until) ? MAX_AGE_MS : until - asked
  return { text, renewAt: asked + Math.min(MAX_AGE_MS, lifeMs * 0.8) }
}

function metadataRequest(endpoint: string = METADATA): () => ServiceRequest {
  return () => ({
    service: 'yandex-metadata',
    doing: 'give a token of the account of this machine',
    url: `${endpoint.replace(/\/+$/, '')}${METADATA_PATH}`,
    method: 'GET',
    headers: { 'metadata-flavor': 'Google' },
    refused: (answer) => tokenFault('yandex-metadata', answer),
  })
}

interface AccountKey {
  readonly id: string
  readonly account: string
  readonly key: KeyObject
}

function accountRequest(keyFile: string, options: ServiceCallOptions & { readonly tokenEndpoint?: string }): () => ServiceRequest {
  const account = parseAccountKey(keyFile)
  const url = options.tokenEndpoint ?? IAM_TOKENS
  return () => ({
    service: 'yandex-iam',
    doing: 'give a token',
    url,
    method: 'POST',
    headers: {},
    // The audience is the service by its public name, also where a request is sent elsewhere.
    body: { jwt: signedRequest(account, options.now()) },
    refused: (answer) => tokenFault('yandex-iam', answer),
  })
}

/** An authorized key as `yc iam key create` writes it. */
function parseAccountKey(keyFile: string): AccountKey {
  const hint = 'use the JSON file that `yc iam key create` writes for a service account'
  let document: unknown
  try {
    document = JSON.parse(keyFile)
  } catch {
    throw keyInvalidFault('the key file of the Yandex service account is not JSON', hint)
  }
  const { id, service_account_id: account, private_key: pem } = (document ?? {}) as Readonly<Record<string, unknown>>
  if (typeof id !== 'string' || typeof account !== 'string' || typeof pem !== 'string') {
    throw keyInvalidFault('the key file of the Yandex service account lacks id, service_account_id or private_key', hint)
  }
  try {
    // A line of warning stands before the key.
    const key = createPrivateKey(pem.slice(Math.max(0, pem.indexOf('-----BEGIN'))))
    if (key.asymmetricKeyType === 'rsa') return { id, account, key }
  } catch {
    // Said below; the reason could repeat the key.
  }
  throw keyInvalidFault('the private key in the key file of the Yandex service account is not an RSA key', hint)
}

/** A JSON web token signed with PS256. */
function signedRequest({ id, account, key }: AccountKey, now: Date): string {
  const issued = Math.floor(now.getTime() / 1000)
  const encoded = [
    { typ: 'JWT', alg: 'PS256', kid: id },
    { iss: account, aud: IAM_TOKENS, iat: issued, exp: issued + REQUEST_SECONDS },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  const signature = sign('sha256', Buffer.from(encoded), {
    key,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  })
  return `${encoded}.${signature.toString('base64url')}`
}

function tokenFault(service: string, { status, message, requestId }: RefusedAnswer): Fault {
  const call = {
    service,
    doing: 'give a token',
    words: `status ${status} ${serviceWords(message)}`.trim(),
    status,
    ...(requestId === undefined ? {} : { requestId }),
  }
  if (status === 429 || status >= 500) return serviceFailedFault(call)
  // A machine without an account answers 404; a wrong signature 400 or 401.
  return status === 404 ? serviceRefusedFault(call) : serviceDeniedFault(call)
}
