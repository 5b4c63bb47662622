// oxlint-disable no-underscore-dangle -- pkgcloud has no other names for its token and its endpoint
import { createRequire } from 'node:module'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { Fault } from '@waltz/errors'
import { optionsFault } from '@waltz/storage'

/** Where an object is, in `pkgcloud`'s words. */
interface RemoteObject {
  readonly container: string
  readonly remote: string
}

/** Called by `pkgcloud` with what became of a call. It is not listened to: it lacks statuses and headers. */
type Done = () => void

/** A copy, in `pkgcloud`'s words. The destination goes into a header as it is. */
interface RemoteCopy {
  readonly sourceContainer: string
  readonly sourceFile: string
  readonly destinationContainer: string
  readonly destinationFile: string
}

/** What is used of a client made by `pkgcloud.storage.createClient({ provider: 'openstack', ... })`. */
export interface PkgcloudClient {
  readonly provider?: string
  /** Logs in unless the token still holds. */
  auth(done: (error?: unknown) => void): void
  upload(options: RemoteObject & { readonly contentType: string }): PkgcloudSink
  download(options: RemoteObject): unknown
  getFile(container: string, key: string, done: Done): void
  getFiles(container: string, options: Readonly<Record<string, string>>, done: Done): void
  getContainer(container: string, done: Done): void
  removeFile(container: string, key: string, done: Done): void
  copy(options: RemoteCopy, done: Done): void
  /** What may change each request before it is sent. */
  readonly before: readonly ((this: PkgcloudClient, request: PkgcloudRequestOptions) => void)[]
  /** All of the above go through it. */
  _request(options: unknown, done?: unknown): PkgcloudRequest
  readonly _identity: { token?: { readonly id?: string; readonly expires?: Date } | undefined }
  readonly _serviceUrl: string | null
}

/** What an upload is written to. */
export interface PkgcloudSink {
  write(bytes: Uint8Array, done: () => void): unknown
  end(): void
  on(event: 'error', listener: () => void): unknown
}

/** A request about to be sent, as the package `request` understands it. */
export interface PkgcloudRequestOptions {
  headers: Record<string, unknown>
}

/** A request under way: an object of the package `request`. */
export interface PkgcloudRequest {
  on(event: 'error', listener: (error: unknown) => void): unknown
  on(event: 'drain', listener: () => void): unknown
  once(event: 'response', listener: (answer: IncomingMessage) => void): unknown
  once(event: 'socket', listener: (socket: Socket) => void): unknown
  removeAllListeners(event: 'data'): unknown
  abort(): void
}

interface Pkgcloud {
  readonly storage: { createClient(settings: Readonly<Record<string, string>>): PkgcloudClient }
}

/**
 * A client of `pkgcloud` that never logs in by itself.
 * @throws Fault `unsupported` `SWIFT_PKGCLOUD_MISSING` when the package is not installed.
 */
export function makePkgcloudClient(): PkgcloudClient {
  const { storage } = loadPkgcloud()
  return storage.createClient({ provider: 'openstack', authUrl: 'http://unused.invalid' })
}

/** By `require`, as the package is of the old kind; and so that nobody who bundles Waltz bundles its hundreds of packages as well. */
function loadPkgcloud(): Pkgcloud {
  try {
    return createRequire(import.meta.url)('pkgcloud') as Pkgcloud
  } catch (error) {
    const { code, message } = error as { readonly code?: unknown; readonly message: string }
    const missing = code === 'MODULE_NOT_FOUND' && message.includes("'pkgcloud'")
    throw new Fault(
      'unsupported',
      'SWIFT_PKGCLOUD_MISSING',
      missing ? 'the package pkgcloud is not installed' : `the package pkgcloud cannot be loaded: ${message.split('\n', 1)[0]}`,
      { hint: 'install pkgcloud 2.2 where Waltz is installed, or set WALTZ_SWIFT_ENGINE to own, which needs no package', cause: error },
    )
  }
}

/**
 * Refuses what is no such client.
 * @throws Fault `invalid` `STORAGE_OPTIONS_INVALID`.
 */
export function checkPkgcloudClient(client: PkgcloudClient): void {
  if (typeof client?.auth === 'function' && typeof client.upload === 'function' && client._identity !== undefined) return
  throw optionsFault(
    'this is no storage client of pkgcloud for OpenStack',
    "make one with pkgcloud.storage.createClient({ provider: 'openstack', ... })",
  )
}
