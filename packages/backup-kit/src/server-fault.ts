import type { ClientConfig } from 'pg'
import { Fault, type FaultKind } from '@waltz/errors'

/** What a failure means, and what to do about it. */
interface Meaning {
  readonly kind: FaultKind
  readonly code: string
  readonly hint: string
}

const DENIED: Meaning = { kind: 'denied', code: 'SERVER_DENIED', hint: 'Check PGUSER, PGPASSWORD and pg_hba.conf.' }
const UNAVAILABLE: Meaning = {
  kind: 'unavailable',
  code: 'SERVER_UNAVAILABLE',
  hint: 'Check that the server runs, and PGHOST and PGPORT.',
}

/** By the code of the failure: an SQLSTATE of the server, or what Node calls it. */
const MEANINGS: readonly (readonly [RegExp, Meaning])[] = [
  [/^28...$/, DENIED],
  [
    /^42501$/,
    {
      ...DENIED,
      hint: 'Use a superuser, or a role with pg_read_all_settings, REPLICATION and the right to execute the backup functions: see the README of @waltz/pg-physical-backup.',
    },
  ],
  [/^3D000$/, { kind: 'invalid', code: 'SERVER_DATABASE_UNKNOWN', hint: 'Set PGDATABASE to a database that exists.' }],
  [/^(?:E[A-Z]+|57P0\d|08...|53300)$/, UNAVAILABLE],
  [
    /^(?:ERR_TLS_CERT|CERT_|UNABLE_TO_|[A-Z_]*SELF_SIGNED|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE)/,
    {
      kind: 'denied',
      code: 'SERVER_CERTIFICATE_REFUSED',
      hint: 'Check PGSSLROOTCERT, and that the certificate of the server names the host in PGHOST.',
    },
  ],
]

const QUERY_FAILED: Meaning = { kind: 'unavailable', code: 'SERVER_QUERY_FAILED', hint: "Look at the server's log." }
const NO_PASSWORD: Meaning = { ...DENIED, hint: 'Set PGPASSWORD, or add a line to the password file (PGPASSFILE).' }

/** The fault for what the server or the driver said. Anything without a code is a connection that failed. */
export function serverFault(error: unknown, config: ClientConfig): Fault {
  const { code, message } = error as { readonly code?: string; readonly message: string }
  const where = `${config.host?.startsWith('/') === true ? config.host : `${config.host}:${config.port}`} as ${config.user}`
  const meaning = meaningOf(code, message)
  return new Fault(meaning.kind, meaning.code, `${message} (${where})`, {
    cause: error,
    hint: meaning.hint,
    context: { host: config.host ?? '', port: config.port ?? 0, ...(code === undefined ? {} : { sqlState: code }) },
    retryable: false,
  })
}

function meaningOf(code: string | undefined, message: string): Meaning {
  // Said by the driver before it sends anything.
  if (code === undefined) return message.startsWith('SASL') ? NO_PASSWORD : UNAVAILABLE
  return MEANINGS.find(([pattern]) => pattern.test(code))?.[1] ?? QUERY_FAILED
}
