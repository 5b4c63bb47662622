/** How to reach the server that is backed up: what libpq's variables say, as values. */
export interface ServerAddress {
  /** Hosts tried in order; one that begins with '/' is a socket directory. Empty for the usual socket directories, then localhost. */
  readonly hosts: readonly string[]
  /** One for all hosts, or one each. */
  readonly ports: readonly number[]
  readonly user: string
  /** Defaults to the user's name. */
  readonly database?: string | undefined
  readonly password?: string | undefined
  /** Path of a password file in libpq's format. */
  readonly passwordFile?: string | undefined
  readonly sslMode: 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full'
  readonly sslRootCertificateFile?: string | undefined
  readonly sslCertificateFile?: string | undefined
  readonly sslKeyFile?: string | undefined
  readonly applicationName: string
  readonly connectTimeoutMs: number
  /** Command-line options for the session, as PGOPTIONS has them. */
  readonly options?: string | undefined
}

/** Where libpq and WAL-G look for a socket when no host is given. */
export const SOCKET_FOLDERS: readonly string[] = ['/var/run/postgresql', '/private/tmp', '/tmp']
