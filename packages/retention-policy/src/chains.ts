import type { RetainableBackup } from './backup.ts'

/** From the id of a backup to those of others. */
export type Links = (id: string) => readonly string[]

/**
 * Who depends on whom: from a backup to what it is an increment of (all copies when it names its parent by name, nothing when that is not
 * there), and from a backup to its increments.
 */
export function createLinks(backups: readonly RetainableBackup[]): readonly [parentsOf: Links, childrenOf: Links] {
  const ids = new Set(backups.map(idOf))
  const byName = Map.groupBy(backups, nameOf)
  const parents = new Map<string, readonly string[]>()
  const children = new Map<string, string[]>(backups.map(({ id }) => [id, []]))
  for (const { id, parent } of backups) {
    if (parent === undefined) continue
    const found = ids.has(parent) ? [parent] : (byName.get(parent) ?? []).map(idOf)
    parents.set(id, found)
    for (const one of found) children.get(one)?.push(id)
  }
  return [(id) => parents.get(id) ?? [], (id) => children.get(id) as readonly string[]]
}

/** What copies of one backup share. */
export const nameOf = ({ id, name }: RetainableBackup): string => name ?? id

export const idOf = ({ id }: RetainableBackup): string => id

/** Everything that can be come to from `ids`, these included. */
export function spread(ids: Iterable<string>, next: Links): ReadonlySet<string> {
  const found = new Set(ids)
  // A set that grows while it is walked is walked to its new end.
  for (const id of found) for (const other of next(id)) found.add(other)
  return found
}
