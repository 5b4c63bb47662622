import { resolve } from 'node:path'
import { Fault } from '@waltz/errors'
import type { TablespaceSpec } from '@waltz/repository'

/** Where one tablespace goes. */
export interface MappedTablespace {
  /** The link's name in `pg_tblspc`: the tablespace's OID. */
  readonly name: string
  readonly originalLocation: string
  readonly location: string
}

/** The tablespaces of a restore. */
export interface TablespaceMapping {
  readonly tablespaces: readonly MappedTablespace[]
  /** Whether `tablespace_map` is left out, because it would bring the original locations back. */
  readonly dropTablespaceMap: boolean
  readonly warnings: readonly string[]
}

/**
 * Joins what the backup says with a restore spec. Without a spec tablespaces go back to where they were. The
 * `base_prefix` of either is not used: links belong under the restored data directory.
 * @throws Fault `invalid` `RESTORE_SPEC_INCOMPLETE` when the spec leaves a tablespace of the backup out, `corrupt`
 * `RESTORE_UNSAFE_MEMBER` for a link that is not `pg_tblspc/<number>`.
 */
export function mapTablespaces(stored: TablespaceSpec | undefined, spec: TablespaceSpec | undefined): TablespaceMapping {
  const own = stored?.tablespaces ?? []
  for (const one of own) checkLink(one.name, one.link)
  if (spec === undefined) {
    const tablespaces = own.map((one) => ({ name: one.name, originalLocation: one.location, location: resolve(one.location) }))
    return { tablespaces, dropTablespaceMap: false, warnings: [] }
  }
  const given = new Map(spec.tablespaces.map((one) => [one.name, one.location]))
  const missing = own.filter((one) => !given.has(one.name)).map((one) => `${one.name} (was in ${one.location})`)
  if (missing.length > 0)
    throw new Fault('invalid', 'RESTORE_SPEC_INCOMPLETE', `the restore spec leaves out tablespace ${missing.join(', ')}`, {
      hint: 'Give every tablespace of the backup a location; backup-fetch --plan lists them.',
    })
  const extra = [...given.keys()].filter((name) => !own.some((one) => one.name === name))
  return {
    tablespaces: own.map((one) => ({
      name: one.name,
      originalLocation: one.location,
      location: resolve(given.get(one.name) ?? one.location),
    })),
    dropTablespaceMap: true,
    warnings: extra.map((name) => `the restore spec names tablespace ${name}, which this backup does not have`),
  }
}

function checkLink(name: string, link: string): void {
  if (/^[0-9]+$/.test(name) && link === `pg_tblspc/${name}`) return
  throw new Fault('corrupt', 'RESTORE_UNSAFE_MEMBER', `the backup records a tablespace link '${link}' that PostgreSQL never makes`, {
    hint: 'The sentinel is damaged or was tampered with; restore another backup.',
  })
}
