import type { DatabaseRecord, RelationRecord, TableRecord } from '@waltz/repository'
import type { DatabaseList, DatabaseNames, RelationRow } from './database-names.ts'

/** The spooled names in the form in which they are written: descendants below their root (RF 2.4). */
export function* databaseRecords(names: DatabaseNames): Generator<DatabaseRecord, void, undefined> {
  for (const database of names.databases) yield { name: database.name, oid: database.oid, tables: tables(database) }
}

function* tables(database: DatabaseList): Generator<TableRecord, void, undefined> {
  let root: TableRecord | undefined
  let subtables: RelationRecord[] = []
  for (const text of database.relations.texts()) {
    const [, oid, relFileNode, schema, name, isRoot] = JSON.parse(text) as RelationRow
    const relation = { name: `${schema}.${name}`, oid, relFileNode }
    if (!isRoot) {
      subtables.push(relation)
      continue
    }
    if (root !== undefined) yield withSubtables(root, subtables)
    root = relation
    subtables = []
  }
  if (root !== undefined) yield withSubtables(root, subtables)
}

function withSubtables(root: TableRecord, subtables: readonly RelationRecord[]): TableRecord {
  return subtables.length === 0 ? root : { ...root, subtables }
}
