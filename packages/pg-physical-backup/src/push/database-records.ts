import type { DatabaseRecord, RelationRecord, TableRecord } from '@waltz/repository'
import type { DatabaseNames, RelationRow } from './database-names.ts'

/** The texts of the list with the one at hand, which the next reader begins with. */
interface Cursor {
  readonly texts: Iterator<string, void, undefined>
  head: string | undefined
}

/**
 * The spooled names in the form in which they are written: descendants below their root (RF 2.4). The relations of a database are
 * read from the same list as the databases: what is left of them is passed over when the next one is asked for.
 */
export function* databaseRecords(names: DatabaseNames): Generator<DatabaseRecord, void, undefined> {
  const cursor: Cursor = { texts: names.list.texts(), head: undefined }
  advance(cursor)
  while (cursor.head !== undefined) {
    const [name, oid] = JSON.parse(cursor.head.slice(1)) as [string, number]
    advance(cursor)
    yield { name, oid, tables: tables(cursor) }
    while (cursor.head !== undefined && !cursor.head.startsWith('D')) advance(cursor)
  }
}

function* tables(cursor: Cursor): Generator<TableRecord, void, undefined> {
  let root: TableRecord | undefined
  let subtables: RelationRecord[] = []
  for (; cursor.head !== undefined && !cursor.head.startsWith('D'); advance(cursor)) {
    const [rootOid, oid, relFileNode, schema, name, isRoot] = JSON.parse(cursor.head) as RelationRow
    const relation = { name: `${schema}.${name}`, oid, relFileNode }
    // A descendant whose root has no storage and is not in the list, such as a foreign table, stands for itself.
    if (!isRoot && root?.oid === rootOid) {
      subtables.push(relation)
      continue
    }
    if (root !== undefined) yield withSubtables(root, subtables)
    root = relation
    subtables = []
  }
  if (root !== undefined) yield withSubtables(root, subtables)
}

function advance(cursor: Cursor): void {
  const next = cursor.texts.next()
  cursor.head = next.done === true ? undefined : next.value
}

function withSubtables(root: TableRecord, subtables: readonly RelationRecord[]): TableRecord {
  return subtables.length === 0 ? root : { ...root, subtables }
}
