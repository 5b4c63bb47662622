import { optionsFault } from '@waltz/storage'

/** Where requests go. */
export interface S3Endpoint {
  /** Undefined: Amazon's own, which the SDK forms from region and options. */
  readonly url: URL | undefined
  readonly amazon: boolean
}

/**
 * Reads an endpoint setting: a URL, or a host with or without port, for which https is meant (SET 5.1).
 * @throws Fault `invalid` `STORAGE_OPTIONS_INVALID`.
 */
export function parseEndpoint(text: string | undefined): S3Endpoint {
  const trimmed = text?.trim() ?? ''
  if (trimmed === '') return { url: undefined, amazon: true }
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed) ? trimmed : `https://${trimmed}`
  const url = URL.canParse(full) ? new URL(full) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol) || url.hostname === '')
    throw optionsFault('the S3 endpoint is no http or https URL', 'it looks like https://s3.example.org or s3.example.org:9000')
  if (url.username !== '' || url.password !== '')
    throw optionsFault('the S3 endpoint holds a user or a password', 'give the keys by their own settings')
  return { url, amazon: isAmazon(url.hostname) }
}

/** GetBucketLocation's old name of a region; a missing one is the first region of all. */
export function regionOfLocation(location: string | undefined): string {
  if (location === undefined || location === '') return 'us-east-1'
  return location === 'EU' ? 'eu-west-1' : location
}

function isAmazon(host: string): boolean {
  return /(^|\.)amazonaws\.com(\.cn)?$/.test(host.toLowerCase())
}
