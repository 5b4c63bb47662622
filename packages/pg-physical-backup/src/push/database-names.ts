import { isFault, throwIfAborted } from '@waltz/errors'
import { openSession } from './open-session.ts'
import type { Spool, SpoolFile } from './spool.ts'
import type { SqlConnect, SqlConnection } from './sql-connection.ts'

/** Rows fetched at once, so that a catalogue of millions of relations is never held. */
const FETCH_ROWS = 5_000

/**
 * The names for partial restore, in one list however many databases there are: `D` and a JSON text of `[name, oid]`, and behind it
 * the relations of that database, JSON texts of `RelationRow`, a root before its descendants.
 */
export interface DatabaseNames {
  readonly list: SpoolFile
  readonly warnings: readonly string[]
}

/** One relation as the list holds it. */
export type RelationRow = readonly [root: number, oid: number, fileNode: number, schema: string, name: string, isRoot: boolean]

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
 * @throws Fault `unavailable` `SPOOL_FAILED`; `aborted` when the signal fires.
 */
export async function readDatabaseNames(connect: SqlConnect, spool: Spool, signal: AbortSignal): Promise<DatabaseNames> {
  const warnings: string[] = []
  const list = spool.open()
  try {
    for (const database of await listDatabases({ connect, signal }, warnings)) {
      const mark = list.mark()
      try {
        await withSession({ connect, database: database.name, signal }, (session) => spoolDatabase(session, database, list))
      } catch (error) {
        throwIfAborted(signal)
        if (isFault(error) && error.code === 'SPOOL_FAILED') throw error
        list.cutTo(mark)
        warnings.push(`the names in database ${database.name} are not recorded for partial restore: ${(error as Error).message}`)
      }
    }
    return { list, warnings }
  } catch (error) {
    list.close()
    throw error
  }
}

interface SessionOf {
  readonly connect: SqlConnect
  readonly database?: string
  readonly signal: AbortSignal
}

async function withSession<Result>({ connect, ...choice }: SessionOf, work: (session: SqlConnection) => Promise<Result>): Promise<Result> {
  const session = await openSession(connect, choice)
  try {
    return await work(session)
  } finally {
    await session.close()
  }
}

interface Database {
  readonly name: string
  readonly oid: number
}

async function listDatabases(session: SessionOf, warnings: string[]): Promise<readonly Database[]> {
  try {
    const rows = await withSession(session, (opened) =>
      opened.query('select datname, oid::text as oid from pg_database where datallowconn order by datname'),
    )
    return rows.map((row) => ({ name: row['datname'] ?? '', oid: Number(row['oid']) }))
  } catch (error) {
    throwIfAborted(session.signal)
    warnings.push(`database names are not recorded for partial restore: ${(error as Error).message}`)
    return []
  }
}

async function spoolDatabase(session: SqlConnection, { name, oid }: Database, list: SpoolFile): Promise<void> {
  list.append(`D${JSON.stringify([name, oid])}`)
  await session.query('begin read only')
  await session.query(`declare relations no scroll cursor for ${RELATIONS}`)
  for (;;) {
    const rows = await session.query(`fetch ${FETCH_ROWS} from relations`)
    for (const row of rows) list.append(row['row'] ?? '')
    if (rows.length < FETCH_ROWS) break
  }
  await session.query('commit')
}
