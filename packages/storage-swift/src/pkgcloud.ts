// oxlint-disable no-underscore-dangle -- pkgcloud has no other names for its token and its endpoint
/**
 * A Swift store for those who have a storage client of `pkgcloud` already: that client logs in, picks the endpoint from its catalogue
 * and keeps the token. The requests are Waltz's own: the uploads of `pkgcloud` cannot be aborted, send no checksum and have no idle
 * time-out, so a store made of them could not keep the contract.
 */
import { optionsFault, untilAborted, type MaintainedStore } from '@waltz/storage'
import type { Login } from './catalogue.ts'
import { answerFault, connectionFault, type SwiftCall } from './errors.ts'
import type { Surroundings } from './exchange.ts'
import { checkSizes, type SwiftStoreOptions } from './options.ts'
import type { Session } from './session.ts'
import { createStoreWith } from './swift-store.ts'

/** What is used of a client made by `pkgcloud.storage.createClient({ provider: 'openstack', ... })`. */
export interface PkgcloudClient {
  readonly provider?: string
  /** Logs in unless the token still holds. */
  auth(done: (error?: unknown) => void): void
  readonly _identity: { token?: { readonly id?: string; readonly expires?: Date } | undefined }
  readonly _serviceUrl: string | null
}

/** What a store over a client of `pkgcloud` is made from: as a Swift store, with the client in place of a login. */
export interface PkgcloudStoreOptions extends Omit<SwiftStoreOptions, 'auth'> {
  readonly client: PkgcloudClient
}

/**
 * A store in one container, with the login of a `pkgcloud` client: OpenStack with Keystone v2 or v3. Its first kind of authentication is
 * not supported: `pkgcloud` 2.2 cannot complete it. Proxy and CA of logins are those of the client.
 * @throws Fault `invalid` `STORAGE_OPTIONS_INVALID`.
 */
export function createPkgcloudStore(options: PkgcloudStoreOptions): MaintainedStore {
  const { client } = options
  if (typeof client?.auth !== 'function' || client._identity === undefined)
    throw optionsFault(
      'this is no storage client of pkgcloud for OpenStack',
      "make one with pkgcloud.storage.createClient({ provider: 'openstack', ... })",
    )
  checkSizes(options)
  return createStoreWith(options, (around) => pkgcloudSession(around, client))
}

function pkgcloudSession(around: Surroundings, client: PkgcloudClient): Session {
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
    const token = client._identity.token?.id
    const storageUrl = client._serviceUrl
    if (token === undefined || storageUrl === null)
      throw optionsFault('the client of pkgcloud has logged in, but holds no token or no endpoint')
    return { token, storageUrl: storageUrl.replace(/\/+$/, ''), expiresAtMs: client._identity.token?.expires?.getTime() }
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
