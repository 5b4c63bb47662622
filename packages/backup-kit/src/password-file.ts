/** What a line of a password file is matched against. */
export interface PasswordRequest {
  /** For a socket directory: `localhost`. */
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
}

/**
 * The password that a libpq password file (`host:port:database:user:password`, `*` for any, backslash escapes) has for
 * a connection: the first line that fits, or undefined.
 */
export function findPassword(text: string, request: PasswordRequest): string | undefined {
  const wanted = [request.host, String(request.port), request.database, request.user]
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('#')) continue
    const fields = splitFields(line)
    if (fields.length >= 5 && wanted.every((value, index) => fields[index] === '*' || fields[index] === value))
      return fields.slice(4).join(':')
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
