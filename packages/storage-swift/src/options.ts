import { optionsFault, type NetworkStoreOptions } from '@waltz/storage'

/** A person, project or domain of Keystone, by name or by id. */
export interface KeystoneName {
  readonly name?: string
  readonly id?: string
}

/** How to log in. What is not asked for by the version in use is left out. */
export interface SwiftAuth {
  /** `find`, the default, looks at the URL, then at the other settings, then asks the server. */
  readonly version?: 1 | 2 | 3 | 'find'
  /** `OS_AUTH_URL` or `ST_AUTH`: `https://keystone.example.org:5000/v3`, `https://swift.example.org/auth/v1.0`. Only a given token needs none. */
  readonly url?: string
  /** `OS_USERNAME` or `ST_USER`; for version 1 often `account:user`. */
  readonly user?: string
  /** `OS_USER_ID`, version 3. */
  readonly userId?: string
  /** `OS_PASSWORD` or `ST_KEY`. */
  readonly password?: string
  /** `OS_PROJECT_NAME` or `OS_TENANT_NAME`, `OS_PROJECT_ID` or `OS_TENANT_ID`. */
  readonly project?: KeystoneName
  /** `OS_USER_DOMAIN_NAME`, `OS_USER_DOMAIN_ID`, version 3; the domain with the id `default` unless given. */
  readonly userDomain?: KeystoneName
  /** `OS_PROJECT_DOMAIN_NAME`, `OS_PROJECT_DOMAIN_ID`, version 3; that of the user unless given. */
  readonly projectDomain?: KeystoneName
  /** `OS_TRUST_ID`, version 3, in place of a project. */
  readonly trustId?: string
  /** `OS_APPLICATION_CREDENTIAL_ID`, `_NAME`, `_SECRET`, version 3. By name the user must be given, too. */
  readonly applicationCredential?: KeystoneName & { readonly secret: string }
  /** `OS_REGION_NAME`; the first region of the catalogue unless given. */
  readonly region?: string
  /** `OS_ENDPOINT_TYPE`; `public` unless given. */
  readonly endpointType?: 'public' | 'internal' | 'admin'
  /** `OS_STORAGE_URL`: used in place of what the login answers. */
  readonly storageUrl?: string
  /** `OS_AUTH_TOKEN`, used before any login; together with `storageUrl`. Without a user it cannot be renewed. */
  readonly token?: string
}

/** What a Swift store is made from. */
export interface SwiftStoreOptions extends NetworkStoreOptions {
  readonly container: string
  readonly auth: SwiftAuth
  /**
   * Objects up to so many bytes are held in memory while they are stored, so that a failed request is made again; the size of the
   * segments of larger ones. 20 MiB unless given.
   */
  readonly partBytes?: number
  /** Requests in flight for one object in segments, and for one call of `delete`. 4 unless given. */
  readonly concurrency?: number
  /**
   * `whole`, the default: one request for any object up to `maxWholeBytes`, so that other programs delete it whole. Beyond `partBytes` it
   * is streamed: a request that breaks then fails the put. `segments`: everything above `partBytes` as a static large object,
   * each segment retried by itself; a program that does not know such objects leaves their segments behind when it deletes them.
   */
  readonly largeObjects?: 'whole' | 'segments'
  /** The largest object in one request. 5 GiB unless given, which is Swift's own limit unless its operator changed it. */
  readonly maxWholeBytes?: number
  /** Where segments go; `<container>_segments` unless given. Made when it is first needed. */
  readonly segmentContainer?: string
  /**
   * Claim that `If-None-Match: *` has one winner among writers at the same time. False unless given: Swift looks first and then stores.
   * Only for a server at which that was proven.
   */
  readonly conditionalPut?: boolean
  /** Ask all replicas for the newest (`X-Newest`) when reading. Slower; false unless given. */
  readonly newest?: boolean
  /** Use bulk delete: `find`, the default, asks `/info`. */
  readonly bulkDelete?: boolean | 'find'
  /** Objects of a page of a listing; what the server gives unless given. */
  readonly listPageKeys?: number
  /** Certificates in PEM form, trusted besides Node's own (`OS_CACERT`). */
  readonly ca?: string
  /** URL of an HTTP proxy. */
  readonly proxy?: string
  /** Hosts that are reached without it. */
  readonly noProxy?: string
  /** Told when segments of a failed upload, or of a replaced object, could not be removed. */
  readonly onLeftover?: (leftover: { readonly key: string; readonly error: unknown }) => void
}

/** Unless given in `SwiftStoreOptions`. */
export const DEFAULT_PART_BYTES: number = 20 * 2 ** 20
/** Unless given in `SwiftStoreOptions`. */
export const DEFAULT_CONCURRENCY = 4
/** Swift's `max_file_size` unless its operator changed it. */
export const MAX_WHOLE_BYTES: number = 5 * 2 ** 30

/**
 * Refuses what cannot work, before anything is sent.
 * @throws Fault `invalid` `STORAGE_OPTIONS_INVALID`.
 */
export function checkOptions(options: SwiftStoreOptions): void {
  checkSizes(options)
  checkAuth(options.auth)
}

/** The same without the login. */
export function checkSizes(options: Omit<SwiftStoreOptions, 'auth'>): void {
  checkContainer(options.container, 'container')
  if (options.segmentContainer !== undefined) checkContainer(options.segmentContainer, 'segment container')
  if (options.segmentContainer === options.container) throw optionsFault('segments need a container of their own')
  checkCount(options.partBytes, 'part size')
  checkCount(options.concurrency, 'number of requests in flight')
  checkCount(options.maxWholeBytes, 'largest object in one request')
  checkCount(options.listPageKeys, 'size of a page')
}

/**
 * Refuses a login that lacks something, naming it.
 * @throws Fault `invalid` `STORAGE_OPTIONS_INVALID`.
 */
export function checkAuth(auth: SwiftAuth): void {
  checkUrl(auth.url, 'URL to log in at (OS_AUTH_URL)')
  checkUrl(auth.storageUrl, 'storage URL (OS_STORAGE_URL)')
  if (auth.token !== undefined && auth.storageUrl !== undefined) return
  if (auth.url === undefined) throw optionsFault('Swift needs a URL to log in at', 'set OS_AUTH_URL, or OS_AUTH_TOKEN with OS_STORAGE_URL')
  if (auth.applicationCredential !== undefined) checkCredential(auth, auth.applicationCredential)
  else if (auth.user === undefined && auth.userId === undefined) throw optionsFault('Swift needs a user to log in', 'set OS_USERNAME')
  else if (auth.password === undefined) throw optionsFault('Swift needs a password to log in', 'set OS_PASSWORD')
}

function checkCredential(auth: SwiftAuth, { id, name }: KeystoneName): void {
  if (id !== undefined || (name !== undefined && (auth.user ?? auth.userId) !== undefined)) return
  throw optionsFault('an application credential needs its id, or its name and its user', 'set OS_APPLICATION_CREDENTIAL_ID')
}

function checkContainer(name: string, what: string): void {
  if (name === '' || name.includes('/') || name.includes('\0') || Buffer.byteLength(name) > 256)
    throw optionsFault(`${JSON.stringify(name)} cannot be the name of a Swift ${what}`, 'the prefix looks like swift://container/path')
}

function checkCount(value: number | undefined, what: string): void {
  if (value !== undefined && !(Number.isSafeInteger(value) && value > 0))
    throw optionsFault(`the ${what} of the Swift storage cannot be ${value}`)
}

function checkUrl(text: string | undefined, what: string): void {
  if (text === undefined) return
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw optionsFault(`the ${what} is not a URL that begins with http:// or https://`)
}
