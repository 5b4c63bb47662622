/**
 * The store in OpenStack Swift with `pkgcloud` as its engine: objects are put, read, looked at, listed, copied and deleted by the functions
 * of its storage client. What those cannot do goes beside them with the same token: logins other than a client's own, manifests
 * of large objects, deletion of many objects in one request.
 */
import type { MaintainedStore } from '@waltz/storage'
import { checkOptions, checkSizes, type SwiftStoreOptions } from './options.ts'
import { checkPkgcloudClient, makePkgcloudClient, type PkgcloudClient } from './pkgcloud-client.ts'
import { createPkgcloudSession } from './pkgcloud-session.ts'
import { chooseFromPkgcloud } from './pkgcloud-transport.ts'
import { createSession } from './session.ts'
import { createStoreWith, type Engine } from './swift-store.ts'

export type { PkgcloudClient } from './pkgcloud-client.ts'

/** A Swift store's options, or a client of `pkgcloud` that logs in, in place of `auth`. */
export type PkgcloudStoreOptions = SwiftStoreOptions | (Omit<SwiftStoreOptions, 'auth'> & { readonly client: PkgcloudClient })

/**
 * A store in one container, by `pkgcloud`, which is loaded now unless a client of it is given. Does no I/O itself. A client that is given
 * logs in by Keystone v2 or v3, with its own proxy and authorities; it is not changed.
 * @throws Fault `invalid` `STORAGE_OPTIONS_INVALID`; `unsupported` `SWIFT_PKGCLOUD_MISSING` when `pkgcloud` is not installed.
 */
export function createPkgcloudStore(options: PkgcloudStoreOptions): MaintainedStore {
  if ('client' in options) {
    const { client } = options
    checkSizes(options)
    checkPkgcloudClient(client)
    return createStoreWith(options, { ...through(client, options), logIn: (around) => createPkgcloudSession(around, client) })
  }
  checkOptions(options)
  return createStoreWith(options, {
    ...through(makePkgcloudClient(), options),
    logIn: (around) => createSession(around, options.auth),
  })
}

function through(client: PkgcloudClient, options: PkgcloudStoreOptions): Pick<Engine, 'chooseTransport'> {
  return { chooseTransport: (own) => chooseFromPkgcloud({ client, own, options }) }
}
