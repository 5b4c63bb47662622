/**
 * One session with the server. Structural, so that any driver can be behind it; values arrive as the texts that the
 * server sent, or null.
 */
export interface SqlConnection {
  /** Runs one statement. Rejects with a `Fault`: `unavailable` when the connection is gone, else by what the server says. */
  query(text: string): Promise<readonly Readonly<Record<string, string | null>>[]>
  /** Calls back once when the session ends without `close` having been called. */
  onLost(callback: (cause: unknown) => void): void
  /** Ends the session. Never rejects. */
  close(): Promise<void>
}

/** Opens a session with the server being backed up, in the named database or in the configured one. */
export type SqlConnect = (database?: string) => Promise<SqlConnection>

/** A text as an SQL literal, for the few places where a statement takes no parameters. */
export function quoteLiteral(text: string): string {
  const quoted = text.replaceAll("'", "''")
  return text.includes('\\') ? ` E'${quoted.replaceAll('\\', '\\\\')}'` : `'${quoted}'`
}
