import { createHash } from 'node:crypto'
import { createReadStream, lstatSync, readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { TestCluster } from './cluster.ts'
import { quoteIdentifier } from './pg-client.ts'

/** Rows of one table and a hash over all of them. */
export interface TableProof {
  readonly rows: number
  /** md5 of all rows as text, in the order of their text; '' for an empty table. */
  readonly hash: string
}

/** What every user table of every database holds, keyed `database.schema.table`: compare before and after with toEqual. */
export async function contentProof(cluster: TestCluster): Promise<Record<string, TableProof>> {
  const proof: Record<string, TableProof> = {}
  const databases = await cluster.query<{ datname: string }>(
    'select datname from pg_database where datallowconn and not datistemplate order by 1',
  )
  for (const { datname } of databases) {
    const client = await cluster.connect(datname)
    try {
      await client.query("set timezone to 'UTC'; set extra_float_digits to 3")
      const tables = await client.query<{ nspname: string; relname: string }>(
        `select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.relkind in ('r', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' order by 1, 2`,
      )
      for (const { nspname, relname } of tables.rows) {
        const table = `${quoteIdentifier(nspname)}.${quoteIdentifier(relname)}`
        const sql = `select count(*)::int as rows, coalesce(md5(string_agg(t::text, ',' order by t::text)), '') as hash from ${table} t`
        const { rows } = await client.query<TableProof>(sql)
        if (rows[0] !== undefined) proof[`${datname}.${nspname}.${relname}`] = rows[0]
      }
    } finally {
      await client.end()
    }
  }
  return proof
}

/** One line of a directory listing. */
export interface ListedEntry {
  /** Relative to the listed directory. */
  readonly path: string
  readonly type: 'f' | 'd' | 'l' | 'o'
  /** Four octal digits. */
  readonly mode: string
  readonly size: number | undefined
  /** SHA-256 of a file, target of a link. */
  readonly content: string | undefined
}

/**
 * Everything below a directory, in byte order of path. Links are listed; the walk goes on behind those of `pg_tblspc`
 * only, as tablespaces are part of a cluster.
 */
export async function directoryListing(directory: string): Promise<readonly ListedEntry[]> {
  const entries: ListedEntry[] = []
  await walk(directory, '', entries)
  return entries.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))
}

async function walk(directory: string, prefix: string, entries: ListedEntry[]): Promise<void> {
  for (const name of readdirSync(directory)) {
    const full = join(directory, name)
    const path = prefix + name
    const found = lstatSync(full)
    const mode = (found.mode & 0o7777).toString(8).padStart(4, '0')
    if (found.isSymbolicLink()) {
      entries.push({ path, type: 'l', mode, size: undefined, content: readlinkSync(full) })
      if (prefix === 'pg_tblspc/') await walk(full, `${path}/`, entries)
    } else if (found.isDirectory()) {
      entries.push({ path, type: 'd', mode, size: undefined, content: undefined })
      await walk(full, `${path}/`, entries)
    } else if (found.isFile()) {
      entries.push({ path, type: 'f', mode, size: found.size, content: await fileHash(full) })
    } else {
      entries.push({ path, type: 'o', mode, size: undefined, content: undefined })
    }
  }
}

/** SHA-256 of a file, in hex. */
export async function fileHash(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/** One hash over names, types, modes and contents of everything below a directory. */
export async function directoryHash(directory: string): Promise<string> {
  return createHash('sha256')
    .update(formatListing(await directoryListing(directory)))
    .digest('hex')
}

const HEADING = 'path\ttype\tmode\tsize\tsha256_or_target'

/** A listing as tab-separated text with a heading, ending in a newline. */
export function formatListing(entries: readonly ListedEntry[]): string {
  const lines = entries.map(({ path, type, mode, size, content }) => [path, type, mode, size ?? '-', content ?? '-'].join('\t'))
  return `${[HEADING, ...lines].join('\n')}\n`
}

/** Reads what `formatListing` writes, and what the recorded restores of the fixtures are kept as. */
export function parseListing(text: string): readonly ListedEntry[] {
  const lines = text.split('\n').slice(1).filter(Boolean)
  return lines.map((line) => {
    const [path = '', type = '', mode = '', size = '-', content = '-'] = line.split('\t')
    return {
      path,
      type: type as ListedEntry['type'],
      mode,
      size: size === '-' ? undefined : Number(size),
      content: content === '-' ? undefined : content,
    }
  })
}
