// oxlint-disable no-underscore-dangle -- pkgcloud has no other names for its token and its endpoint
import { optionsFault, untilAborted } from '@waltz/storage'
import { withoutSlash, type Login } from './catalogue.ts'
import { answerFault, connectionFault, type SwiftCall } from './errors.ts'
import type { Surroundings } from './exchange.ts'
import type { PkgcloudClient } from './pkgcloud-client.ts'
import type { Session } from './session.ts'

/** The login of a client of `pkgcloud`: Keystone v2 or v3. All who wait share one. */
export function createPkgcloudSession(around: Surroundings, client: PkgcloudClient): Session {
  let pending: Promise<void> | undefined
  const authorised = (): Promise<void> => {
    pending ??= new Promise<void>((resolve, reject) => {
      client.auth((error) => (error === undefined || error === null ? resolve() : reject(loginFault(around, error))))
    }).finally(() => (pending = undefined))
    pending.catch(() => undefined) // whoever asked may have left
    return pending
  }
  const current = async (signal: AbortSignal | undefined): Promise<Login> => {
    await untilAborted(authorised(), signal)
    const { token } = client._identity
    const storageUrl = client._serviceUrl
    if (token?.id === undefined || storageUrl === null)
      throw optionsFault('the client of pkgcloud has logged in, but holds no token or no endpoint')
    return { token: token.id, storageUrl: withoutSlash(storageUrl), expiresAtMs: token.expires?.getTime() }
  }
  return {
    current,
    async renewed(refused, signal) {
      if (client._identity.token?.id === refused.token) client._identity.token = undefined
      return current(signal)
    },
    close: () => undefined,
  }
}

/** Errors of pkgcloud carry the headers of the answer and the whole document along: only the status is kept. */
function loginFault(around: Surroundings, error: unknown): Error {
  const call: SwiftCall = { doing: 'login by pkgcloud', location: around.location }
  const { statusCode, code, message } = error as { readonly statusCode?: unknown; readonly code?: unknown; readonly message?: unknown }
  if (typeof statusCode === 'number')
    return statusCode === 404
      ? optionsFault('there is nothing to log in at the address of the pkgcloud client (404)', 'correct its authUrl')
      : answerFault({ status: statusCode, headers: {}, text: '' }, call, around.now)
  if (typeof code === 'string') return connectionFault(error, call)
  return optionsFault(
    `the login by pkgcloud failed: ${typeof message === 'string' ? message : 'it does not say why'}`,
    'check its settings',
  )
}
