import { GoogleAuth } from 'google-auth-library'
import { Fault } from '@waltz/errors'
import { accessDeniedFault, networkFault, serverFailedFault } from '@waltz/storage'
import type { AccessToken, TokenSurroundings } from './access-token.ts'

/** Tokens of Google's library end after an hour, or earlier without saying so here: it keeps them itself, so it is asked often. */
const ASK_AGAIN_MS = 360_000
/** Otherwise the library asks around for one, which no request here needs. */
const UNUSED_PROJECT = 'none'
const SCOPES = ['https://www.googleapis.com/auth/devstorage.read_write']

/**
 * Tokens by the library with which Google's client signs in, for everything but the key of a service account: application default credentials, the
 * metadata server, user credentials, federated and impersonated identities. This module alone needs it, and is itself loaded only then. It goes through the store's agents, makes no
 * attempts of its own, and reads the environment as Google documents it.
 */
export function defaultTokens(
  key: Readonly<Record<string, unknown>> | undefined,
  { line, now }: TokenSurroundings,
): () => Promise<AccessToken> {
  const transporterOptions = {
    agent: (url: URL) => (url.protocol === 'http:' ? line.agents.http : line.agents.https),
    retry: false,
    timeout: line.idleTimeoutMs,
  }
  const authClient = new GoogleAuth({ projectId: UNUSED_PROJECT, scopes: SCOPES, clientOptions: { transporterOptions } })
  // Not as an option: the client would say on the console that it is deprecated.
  if (key !== undefined) authClient.jsonContent = key as typeof authClient.jsonContent
  return async () => {
    try {
      const value = await authClient.getAccessToken()
      if (typeof value === 'string') return { value, expiresAtMs: now().getTime() + ASK_AGAIN_MS }
    } catch (error) {
      throw clientFault(error, line.location)
    }
    throw noneFault('no token was given')
  }
}

/** Errors of the library hold the request, tokens and all: only status and code are taken from them. */
function clientFault(error: unknown, location: string): Fault {
  const { code, status, message, response } = error as {
    readonly code?: unknown
    readonly status?: unknown
    readonly message?: unknown
    readonly response?: { readonly status?: unknown }
  }
  const call = { doing: 'asking for an access token', location }
  const network = networkFault(error, call)
  if (network !== undefined)
    return new Fault(network.kind, network.code, network.message, {
      ...(network.hint === undefined ? {} : { hint: network.hint }),
      context: network.context,
    })
  if (/Could not load the default credentials|Unable to detect|no such file|does not exist/i.test(String(message)))
    return noneFault('nothing offers any')
  const told = new Set([response?.status, status, code].filter((part) => typeof part === 'string' || typeof part === 'number'))
  const answered = { ...call, answer: [...told].join(' ') }
  const answeredStatus = Number(response?.status ?? status)
  return answeredStatus >= 500 || answeredStatus === 429 ? serverFailedFault(answered) : accessDeniedFault(answered)
}

function noneFault(why: string): Fault {
  return new Fault('denied', 'GCS_CREDENTIALS_MISSING', `no Google credentials: ${why}`, {
    hint: 'set GOOGLE_APPLICATION_CREDENTIALS to the JSON key of a service account, or run where a metadata server is',
  })
}
