import { Fault, type FaultKind } from '@waltz/errors'
import { isPlainObject } from './field-reader.ts'
import { compareByBytes, parseJson, quoteJson, type JsonOrigin } from './json-text.ts'
import type { TablespaceSpec } from './sentinel.ts'

/** `invalid` for a restore spec that a user wrote, `corrupt` (the default) for a stored one. */
export interface TablespaceSpecOptions extends JsonOrigin {
  readonly kind?: FaultKind
}

/**
 * A tablespace list as JSON text: one member per tablespace plus `base_prefix` and `tablespaces`, in byte order of
 * name as WAL-G writes maps (RF 2.5). The same form serves as a restore spec.
 */
export function encodeTablespaceSpec(spec: TablespaceSpec): string {
  const quote = (text: string): string => quoteJson(text, 'classic')
  const entries: (readonly [string, string])[] = [
    ['base_prefix', quote(spec.basePrefix)],
    ['tablespaces', `[${spec.tablespaces.map(({ name }) => quote(name)).join(',')}]`],
    ...spec.tablespaces.map(({ name, location, link }) => [name, `{"loc":${quote(location)},"link":${quote(link)}}`] as const),
  ]
  entries.sort(([left], [right]) => compareByBytes(left, right))
  return `{${entries.map(([name, text]) => `${quote(name)}:${text}`).join(',')}}`
}

/**
 * Reads a tablespace list that was parsed as JSON. Trailing slashes of paths are removed.
 * @throws Fault of the given kind `TABLESPACE_SPEC_INVALID` for a missing `base_prefix`, a listed name without an entry, paths
 *   of the wrong type, a location that is not absolute, or a link outside `pg_tblspc`.
 */
export function decodeTablespaceSpec(value: unknown, { origin, kind = 'corrupt' }: TablespaceSpecOptions): TablespaceSpec {
  const fail = (what: string): Fault =>
    new Fault(kind, 'TABLESPACE_SPEC_INVALID', `${origin}: tablespaces: ${what}`, {
      context: { key: origin },
      hint: 'The form is {"base_prefix":"/old/data","tablespaces":["16400"],"16400":{"loc":"/new/place","link":"pg_tblspc/16400"}}.',
    })
  if (!isPlainObject(value)) throw fail('must be an object')
  const { base_prefix: basePrefix, tablespaces: names } = value
  if (typeof basePrefix !== 'string') throw fail('base_prefix is missing or not a string')
  if (names !== undefined && names !== null && !Array.isArray(names)) throw fail('tablespaces must be an array of names')
  const tablespaces = [...new Set((names ?? []) as readonly unknown[])].map((name) => {
    if (typeof name !== 'string') throw fail('tablespaces must be an array of names')
    const entry = Object.hasOwn(value, name) ? value[name] : undefined
    if (!isPlainObject(entry)) throw fail(`${quoteJson(name, 'plain')} is listed but has no entry`)
    const { loc, link } = entry
    if (typeof loc !== 'string' || !loc.startsWith('/')) throw fail(`${quoteJson(name, 'plain')}: loc must be an absolute path`)
    if (typeof link !== 'string' || !isSafeLink(link)) throw fail(`${quoteJson(name, 'plain')}: link must be pg_tblspc/ and one name`)
    return { name, location: withoutTrailingSlash(loc), link: withoutTrailingSlash(link) }
  })
  return { basePrefix: withoutTrailingSlash(basePrefix), tablespaces }
}

/**
 * Reads a restore spec file.
 * @throws Fault `invalid` `TABLESPACE_SPEC_INVALID` when it is not JSON or not a tablespace list.
 */
export function parseRestoreSpec(input: string | Uint8Array, { origin }: JsonOrigin): TablespaceSpec {
  let value: unknown
  try {
    value = parseJson(input, { origin })
  } catch (cause) {
    throw new Fault('invalid', 'TABLESPACE_SPEC_INVALID', `${origin} is not valid JSON`, { context: { key: origin }, cause })
  }
  return decodeTablespaceSpec(value, { origin, kind: 'invalid' })
}

function isSafeLink(link: string): boolean {
  const match = /^pg_tblspc\/([^/\0]+)\/?$/.exec(link)
  return match !== null && match[1] !== '.' && match[1] !== '..'
}

function withoutTrailingSlash(path: string): string {
  return path.replace(/(?<=.)\/+$/, '')
}
