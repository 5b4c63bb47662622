import { Fault } from '@waltz/errors'

/** A prefix setting of a storage behind a network, taken apart. */
export interface StorageAddress {
  /** Bucket, container or server. */
  readonly host: string
  /** Behind the host, percent-decoded, without slashes at both ends. */
  readonly path: string
}

/**
 * Takes a prefix such as `s3://bucket/some/path` apart (SET 4): the scheme is not looked at, user, query and fragment are dropped, a port
 * stays with the host, the path is percent-decoded.
 * @throws Fault `invalid` `STORAGE_PREFIX_INVALID` that names the setting, not its value.
 */
export function parseStorageAddress(setting: string, text: string): StorageAddress {
  const [, authority, rawPath = ''] = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)([^?#]*)/i.exec(text) ?? []
  if (authority === undefined) throw prefixFault(setting, 'must begin with a scheme')
  const host = authority.slice(authority.lastIndexOf('@') + 1)
  if (host === '') throw prefixFault(setting, 'must name a bucket, container or host')
  return { host, path: decoded(setting, rawPath).replace(/^\/+|\/+$/g, '') }
}

/** The same path with single slashes, as clients of S3 and GCS make it. */
export function tidyPath(path: string): string {
  return path.split('/').filter(Boolean).join('/')
}

/** The fault for a prefix that cannot be used. */
export function prefixFault(setting: string, what: string): Fault {
  return new Fault('invalid', 'STORAGE_PREFIX_INVALID', `${setting} ${what}`, {
    hint: 'it looks like s3://bucket/folder, gs://bucket/folder, azure://container/folder, swift://container/folder, oss://bucket/folder or ssh://host/folder',
  })
}

function decoded(setting: string, path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    throw prefixFault(setting, 'has a percent sign that begins no escape: write it as %25')
  }
}
