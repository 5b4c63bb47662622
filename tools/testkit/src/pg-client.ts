import { createRequire } from 'node:module'
import type { Client } from 'pg'

/**
 * The client class of the pg package, taken from its own file: the package's entry point also loads its pool, which fails in a
 * process that was started with the `import` condition, as a test runner may do.
 */
export const PgClient: typeof Client = createRequire(import.meta.url)('pg/lib/client.js') as typeof Client

/** A name as SQL takes it. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A text as SQL takes it. */
export function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
