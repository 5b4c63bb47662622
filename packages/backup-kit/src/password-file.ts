/** What a line of a password file is matched against. */
export interface PasswordRequest {
  /** A name or address, or a socket directory, which a line may name as `localhost` too. */
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
}

/**
 * The password that a libpq password file (`host:port:database:user:password`, `*` for any, backslash escapes) has for
 * a connection: that of the first line that fits, or undefined. As with libpq it ends at a colon without a backslash.
 */
export function findPassword(text: string, request: PasswordRequest): string | undefined {
  const { host, port, database, user } = request
  const wanted: readonly (readonly string[])[] = [host.startsWith('/') ? [host, 'localhost'] : [host], [String(port)], [database], [user]]
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('#')) continue
    const fields = splitFields(line)
    if (fields.length < 5) continue
    if (wanted.every((values, index) => fields[index] === '*' || values.includes(fields[index] ?? ''))) return fields[4]
  }
  return undefined
}

function splitFields(line: string): string[] {
  const fields = ['']
  for (let at = 0; at < line.length; at += 1) {
    const character = line[at] ?? ''
    if (character === '\\' && at + 1 < line.length) fields[fields.length - 1] += line[(at += 1)] ?? ''
    else if (character === ':') fields.push('')
    else fields[fields.length - 1] += character
  }
  return fields
}
