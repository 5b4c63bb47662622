import { createPrivateKey, sign } from 'node:crypto'
import { Fault, isFault } from '@waltz/errors'
import { accessDeniedFault, clockFault } from '@waltz/storage'
import type { AccessToken, TokenSurroundings } from './access-token.ts'
import { answerFault, refusedAnswer } from './errors.ts'
import { sendRequest } from './http-call.ts'
import { readText } from './read-text.ts'

/** The parts that matter of the JSON key of a service account. */
export interface ServiceAccountKey {
  readonly type: 'service_account'
  readonly client_email: string
  readonly private_key: string
  readonly private_key_id?: string
  readonly token_uri?: string
}

/** Reading and writing objects; no administration of buckets (Cloud Storage documentation, "OAuth 2.0 scopes"). */
const SCOPE = 'https://www.googleapis.com/auth/devstorage.read_write'
const TOKEN_URI = 'https://oauth2.googleapis.com/token'
const LIFETIME_SECONDS = 3600
const DOING = 'asking for an access token'

/** Whether this is the key of a service account, for which no client library is loaded. */
export function isServiceAccountKey(key: unknown): key is ServiceAccountKey {
  const { type, client_email, private_key } = (key ?? {}) as Partial<ServiceAccountKey>
  return type === 'service_account' && typeof client_email === 'string' && typeof private_key === 'string'
}

/**
 * Exchanges a signed statement for an access token (RFC 7523; Google's "OAuth 2.0 for server to server applications"): one request.
 * @throws Fault `denied` `GCS_CREDENTIALS_MISSING` for a key that cannot sign, `STORAGE_ACCESS_DENIED`, `STORAGE_CLOCK_SKEWED`; those of
 * connections.
 */
export async function requestServiceAccountToken(
  key: ServiceAccountKey,
  { line, now }: TokenSurroundings,
  signal: AbortSignal | undefined,
): Promise<AccessToken> {
  const issuedAt = Math.floor(now().getTime() / 1000)
  const url = URL.parse(key.token_uri ?? TOKEN_URI)
  if (url === null || !/^https?:$/.test(url.protocol)) throw unusableFault(`the token_uri of ${key.client_email} is no URL`)
  const body = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: signedStatement(key, issuedAt),
  })
  const answer = await sendRequest(line, {
    method: 'POST',
    url,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: [Buffer.from(body.toString())],
    doing: DOING,
    signal,
  })
  const text = await readText(answer)
  if (answer.status !== 200) throw refusal({ status: answer.status, headers: answer.headers, text }, line.location, now)
  const { access_token, expires_in } = parsedToken(text)
  if (access_token === undefined) throw accessDeniedFault({ doing: DOING, location: line.location, answer: 'no token in the answer' })
  return { value: access_token, expiresAtMs: (issuedAt + (expires_in ?? LIFETIME_SECONDS)) * 1000 }
}

function signedStatement(key: ServiceAccountKey, issuedAt: number): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url')
  const header = encode({ alg: 'RS256', typ: 'JWT', ...(key.private_key_id === undefined ? {} : { kid: key.private_key_id }) })
  const claims = encode({
    iss: key.client_email,
    scope: SCOPE,
    aud: key.token_uri ?? TOKEN_URI,
    iat: issuedAt,
    exp: issuedAt + LIFETIME_SECONDS,
  })
  const signed = `${header}.${claims}`
  try {
    return `${signed}.${sign('sha256', Buffer.from(signed), createPrivateKey(key.private_key)).toString('base64url')}`
  } catch {
    throw unusableFault(`the private key of ${key.client_email} cannot be used: it is damaged or of another kind`)
  }
}

function unusableFault(message: string): Fault {
  return new Fault('denied', 'GCS_CREDENTIALS_MISSING', message, { hint: 'make a new JSON key for the service account' })
}

function refusal(
  { status, headers, text }: { readonly status: number; readonly headers: Parameters<typeof refusedAnswer>[1]; readonly text: string },
  location: string,
  now: () => Date,
): Fault {
  const { error, error_description } = parsedToken(text)
  const said = [String(status), error, error_description].filter(Boolean).join(' ')
  const call = { doing: DOING, location, answer: said }
  if (error === undefined || status >= 500 || status === 429) {
    const fault = answerFault(refusedAnswer(status, headers, text), { doing: DOING, location }, now)
    if (fault.retryable || isFault(fault, 'denied')) return fault
  }
  if (/\b(?:iat|exp|timeframe)\b/.test(error_description ?? '')) return clockFault(call)
  return accessDeniedFault({ ...call, hint: 'check the service account and its key: deleted, disabled or of another project?' })
}

interface TokenAnswer {
  readonly access_token?: string
  readonly expires_in?: number
  readonly error?: string
  readonly error_description?: string
}

function parsedToken(text: string): TokenAnswer {
  try {
    const { access_token, expires_in, error, error_description } = JSON.parse(text) as Record<string, unknown>
    return {
      ...(typeof access_token === 'string' ? { access_token } : {}),
      ...(typeof expires_in === 'number' ? { expires_in } : {}),
      ...(typeof error === 'string' ? { error } : {}),
      ...(typeof error_description === 'string' ? { error_description } : {}),
    }
  } catch {
    return {}
  }
}
