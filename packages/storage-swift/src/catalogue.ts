import { optionsFault } from '@waltz/storage'
import type { SwiftAuth } from './options.ts'

/** What a login gives. */
export interface Login {
  readonly token: string
  /** Without a '/' at its end. */
  readonly storageUrl: string
  /** When the token ends, in milliseconds since 1970; undefined where the server does not tell. */
  readonly expiresAtMs: number | undefined
}

/** One way into the object storage, from a catalogue of either version. */
export interface Endpoint {
  readonly region: string | undefined
  readonly kind: string
  readonly url: string
}

/** The storage URL that the settings choose from a catalogue. `given` is what replaces it.
 * @throws Fault `invalid` `STORAGE_OPTIONS_INVALID` when none fits, naming what there is.
 */
export function chooseEndpoint(endpoints: readonly Endpoint[], { region, endpointType = 'public', storageUrl }: SwiftAuth): string {
  if (storageUrl !== undefined) return withoutSlash(storageUrl)
  const ofKind = endpoints.filter((endpoint) => endpoint.kind === endpointType)
  const found = ofKind.find((endpoint) => region === undefined || endpoint.region === region)
  if (found !== undefined) return withoutSlash(found.url)
  if (endpoints.length === 0)
    throw optionsFault('the catalogue that came with the login names no object storage', 'this project has no Swift, or set OS_STORAGE_URL')
  const regions = [...new Set(ofKind.map((endpoint) => endpoint.region ?? '(none)'))].join(', ')
  throw optionsFault(
    `the catalogue has no ${endpointType} object storage in region ${region ?? '(any)'}`,
    `set OS_REGION_NAME to one of: ${regions === '' ? 'none' : regions}; or OS_ENDPOINT_TYPE`,
  )
}

/** A URL as others are appended to it. */
export function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '')
}

/** Milliseconds since 1970 of a time as Keystone writes it; undefined for none. */
export function expiryOf(text: unknown): number | undefined {
  const ms = typeof text === 'string' ? Date.parse(/[Zz]$|[+-]\d\d:?\d\d$/.test(text) ? text : `${text}Z`) : Number.NaN
  return Number.isNaN(ms) ? undefined : ms
}
