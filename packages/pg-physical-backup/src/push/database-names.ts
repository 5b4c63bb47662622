import { quoteLiteral, type SqlConnect, type SqlConnection } from './sql-connection.ts'
import type { Spool, SpoolFile } from './spool.ts'

/** Rows fetched at once, so that a catalogue of millions of relations is never held. */
const FETCH_ROWS = 5_000

/** The names for partial restore: one list per database, spooled. */
export interface DatabaseNames {
  readonly databases: readonly DatabaseList[]
  readonly warnings: readonly string[]
}

/** One database; its relations are JSON texts of `[root oid, oid, file node, schema, name, is root]`, a root before its descendants. */
export interface DatabaseList {
  readonly name: string
  readonly oid: number
  readonly relations: SpoolFile
}

/** One relation as the list holds it. */
export type RelationRow = readonly [rootOid: number, oid: number, fileNode: number, schema: string, name: string, isRoot: boolean]

// Relations with storage, and partitioned parents which have none; descendants follow their root (RF 2.4).
const RELATIONS = `with recursive descendants(root, child) as (
    select i.inhparent, i.inhrelid from pg_inherits i where not exists (select from pg_inherits p where p.inhrelid = i.inhparent)
    union select d.root, i.inhrelid from descendants d join pg_inherits i on i.inhparent = d.child)
  select json_build_array(coalesce(d.root, c.oid)::int8, c.oid::int8,
      case when c.relfilenode <> 0 then c.relfilenode::int8
           else coalesce(substring(pg_relation_filepath(c.oid) from '[0-9]+$')::int8, 0) end,
      n.nspname, c.relname, d.root is null)::text as row
  from pg_class c join pg_namespace n on n.oid = c.relnamespace left join descendants d on d.child = c.oid
  where c.relkind in ('r', 'i', 'S', 't', 'm', 'p', 'I') and c.relpersistence <> 't'
  order by coalesce(d.root, c.oid), d.root is not null, c.oid`

/**
 * Reads names, oids and file nodes of all relations of all databases that can be connected to. A database that cannot
 * be read is left out with a warning: the list serves partial restore only and must never cost a backup.
 */
export async function readDatabaseNames(connect: SqlConnect, spool: Spool, signal: AbortSignal): Promise<DatabaseNames> {
  const warnings: string[] = []
  const databases: DatabaseList[] = []
  for (const { name, oid } of await listDatabases(connect, warnings)) {
    if (signal.aborted) break
    const relations = spool.open()
    try {
      const connection = await connect(name)
      try {
        await spoolRelations(connection, relations)
      } finally {
        await connection.close()
      }
      databases.push({ name, oid, relations })
    } catch (error) {
      relations.close()
      warnings.push(`the names in database ${name} are not recorded for partial restore: ${(error as Error).message}`)
    }
  }
  return { databases, warnings }
}

async function listDatabases(connect: SqlConnect, warnings: string[]): Promise<{ name: string; oid: number }[]> {
  try {
    const connection = await connect()
    try {
      const rows = await connection.query('select datname, oid::text as oid from pg_database where datallowconn order by datname')
      return rows.map((row) => ({ name: row['datname'] ?? '', oid: Number(row['oid']) }))
    } finally {
      await connection.close()
    }
  } catch (error) {
    warnings.push(`database names are not recorded for partial restore: ${(error as Error).message}`)
    return []
  }
}

async function spoolRelations(connection: SqlConnection, relations: SpoolFile): Promise<void> {
  await connection.query(`select set_config('statement_timeout', ${quoteLiteral('0')}, false)`)
  await connection.query('begin read only')
  await connection.query(`declare relations no scroll cursor for ${RELATIONS}`)
  for (;;) {
    const rows = await connection.query(`fetch ${FETCH_ROWS} from relations`)
    for (const row of rows) relations.append(row['row'] ?? '')
    if (rows.length < FETCH_ROWS) break
  }
  await connection.query('commit')
}
