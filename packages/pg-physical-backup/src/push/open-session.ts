import { throwIfAborted } from '@waltz/errors'
import { untilAborted } from '@waltz/storage'
import type { SqlConnect, SqlConnection } from './sql-connection.ts'

/** What a role, a database or a configuration file may have set, and what must not end a backup that takes hours. Not every release has all of them. */
const TIME_LIMITS = [
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
  'transaction_timeout',
]

/** How a session is opened. */
export interface SessionChoice {
  /** Another database than the configured one. */
  readonly database?: string
  readonly signal?: AbortSignal | undefined
}

/**
 * Opens a session in which names mean PostgreSQL's own objects only (whoever may create a function or an operator in a
 * database could otherwise have it run by the backup's role), and in which no time limit but those asked for holds. A
 * signal ends the wait for the server at any point; the caller closes the session then.
 * @throws Fault as `connect`; `aborted` `ABORTED`.
 */
export async function openSession(connect: SqlConnect, { database, signal }: SessionChoice = {}): Promise<SqlConnection> {
  throwIfAborted(signal)
  const opening = connect(database)
  let connection: SqlConnection
  try {
    connection = await untilAborted(opening, signal)
  } catch (error) {
    // Given up while it was being opened: should it open after all, nobody else closes it.
    opening.then(
      (late) => late.close(),
      () => undefined,
    )
    throw error
  }
  const session: SqlConnection = {
    async query(text) {
      throwIfAborted(signal)
      return await untilAborted(connection.query(text), signal)
    },
    onLost: (callback) => connection.onLost(callback),
    close: () => connection.close(),
  }
  try {
    await session.query(`select pg_catalog.set_config('search_path', '', false)`)
    const names = TIME_LIMITS.map((name) => `'${name}'`).join(', ')
    await session.query(`select set_config(name, '0', false) from pg_settings where name in (${names}) and setting <> '0'`)
  } catch (error) {
    await session.close()
    throw error
  }
  return session
}
