import { existsSync, readFileSync } from 'node:fs'
import type { ClientConfig } from 'pg'
import { Fault, isFault, type FaultKind } from '@waltz/errors'
import type { SqlConnection } from '@waltz/pg-physical-backup'
import { findPassword } from './password-file.ts'
import { SOCKET_FOLDERS, type ServerAddress } from './server-address.ts'

/**
 * Opens a session with the server, trying the hosts in order. The driver (`pg`) is loaded here and nowhere else.
 * There is no fallback to another server than those named.
 * @throws Fault `unavailable` `SERVER_UNAVAILABLE` when no host answers; `denied` `SERVER_DENIED` when the server refuses
 * the user; `invalid` `SERVER_ADDRESS_INVALID` when a file of the address cannot be read.
 */
export async function openSqlConnection(
  address: ServerAddress,
  database: string = address.database ?? address.user,
): Promise<SqlConnection> {
  const hosts = address.hosts.length > 0 ? address.hosts : [defaultHost(address.ports[0] ?? 5432)]
  let failure: unknown
  for (const [index, host] of hosts.entries()) {
    const port = address.ports[index] ?? address.ports[0] ?? 5432
    for (const ssl of sslAttempts(address, host)) {
      try {
        return await connect({ ...baseConfig(address, { host, port, database }), ssl })
      } catch (error) {
        failure = error
        if (isFault(error, 'denied') || isFault(error, 'invalid')) throw error
      }
    }
  }
  throw failure
}

function defaultHost(port: number): string {
  return SOCKET_FOLDERS.find((folder) => existsSync(`${folder}/.s.PGSQL.${port}`)) ?? 'localhost'
}

function baseConfig(address: ServerAddress, target: { host: string; port: number; database: string }): ClientConfig {
  const password = address.password ?? passwordFromFile(address, target)
  return {
    ...target,
    user: address.user,
    // A function, so that the driver does not look for passwords in places of its own.
    password: () => password ?? '',
    application_name: address.applicationName,
    connectionTimeoutMillis: address.connectTimeoutMs,
    keepAlive: true,
    ...(address.options === undefined ? {} : { options: address.options }),
    // Every value stays the text that the server sent.
    types: { getTypeParser: () => (text: string | Buffer) => text.toString() },
  }
}

function passwordFromFile(address: ServerAddress, target: { host: string; port: number; database: string }): string | undefined {
  if (address.passwordFile === undefined || !existsSync(address.passwordFile)) return undefined
  const host = target.host.startsWith('/') ? 'localhost' : target.host
  return findPassword(readAddressFile(address.passwordFile), { ...target, host, user: address.user })
}

/** libpq's modes as attempts in order; sockets know no TLS. */
function sslAttempts(address: ServerAddress, host: string): ClientConfig['ssl'][] {
  if (host.startsWith('/') || address.sslMode === 'disable') return [false]
  const files = {
    ...(address.sslRootCertificateFile === undefined ? {} : { ca: readAddressFile(address.sslRootCertificateFile) }),
    ...(address.sslCertificateFile === undefined ? {} : { cert: readAddressFile(address.sslCertificateFile) }),
    ...(address.sslKeyFile === undefined ? {} : { key: readAddressFile(address.sslKeyFile) }),
  }
  const encrypted = { ...files, rejectUnauthorized: false }
  switch (address.sslMode) {
    case 'allow':
      return [false, encrypted]
    case 'prefer':
      return [encrypted, false]
    case 'require':
      return [encrypted]
    case 'verify-ca':
      return [{ ...files, checkServerIdentity: () => undefined }]
    case 'verify-full':
      return [files]
  }
}

function readAddressFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new Fault('invalid', 'SERVER_ADDRESS_INVALID', `could not read ${path}: ${(error as Error).message}`, { cause: error })
  }
}

async function connect(config: ClientConfig): Promise<SqlConnection> {
  const { default: pg } = await import('pg')
  const client = new pg.Client(config)
  let closing = false
  let lost: { readonly cause: unknown } | undefined
  let onLost: ((cause: unknown) => void) | undefined
  const lose = (cause: unknown): void => {
    if (closing || lost !== undefined) return
    lost = { cause }
    onLost?.(cause)
  }
  client.on('error', lose)
  client.on('end', () => lose(new Error('the server closed the connection')))
  try {
    await client.connect()
  } catch (error) {
    closing = true
    await client.end().catch(() => undefined)
    throw serverFault(error, config)
  }
  return {
    async query(text) {
      try {
        return (await client.query<Record<string, string | null>>(text)).rows
      } catch (error) {
        throw serverFault(error, config)
      }
    },
    onLost(callback) {
      onLost = callback
      if (lost !== undefined) callback(lost.cause)
    },
    async close() {
      closing = true
      await client.end().catch(() => undefined)
    },
  }
}

/** SQLSTATE classes to kinds; anything without one is a connection that failed. */
function serverFault(error: unknown, config: ClientConfig): Fault {
  const { code, message } = error as { readonly code?: string; readonly message: string }
  const where = `${config.host?.startsWith('/') === true ? config.host : `${config.host}:${config.port}`} as ${config.user}`
  const context = { host: config.host ?? '', port: config.port ?? 0, ...(code === undefined ? {} : { sqlState: code }) }
  const make = (kind: FaultKind, name: string, hint: string): Fault =>
    new Fault(kind, name, `${message} (${where})`, { cause: error, hint, context, retryable: false })
  if (code?.startsWith('28') === true) return make('denied', 'SERVER_DENIED', 'Check PGUSER, PGPASSWORD and pg_hba.conf.')
  if (code === '42501') return make('denied', 'SERVER_DENIED', 'Use a superuser, or a role with the rights that the documentation lists.')
  if (code === '3D000') return make('invalid', 'SERVER_DATABASE_UNKNOWN', 'Set PGDATABASE to a database that exists.')
  const refused = code === undefined || /^(?:E[A-Z]+|57P0\d|08...|53300)$/.test(code)
  if (refused) return make('unavailable', 'SERVER_UNAVAILABLE', 'Check that the server runs, and PGHOST and PGPORT.')
  return make('unavailable', 'SERVER_QUERY_FAILED', "Look at the server's log.")
}
