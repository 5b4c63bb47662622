import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { Client, ClientConfig } from 'pg'
import { Fault, isFault, type FaultKind } from '@waltz/errors'
import type { SqlConnection } from '@waltz/pg-physical-backup'
import { findPassword } from './password-file.ts'
import { readAddressFile } from './read-address-file.ts'
import { SOCKET_FOLDERS, type ServerAddress } from './server-address.ts'
import { sslAttempts } from './ssl-attempts.ts'

/** How long the server may take to accept the end of a session, in milliseconds. */
const GOODBYE_MS = 2_000

const RIGHTS =
  'Use a superuser, or a role with pg_read_all_settings, REPLICATION and the right to execute the backup functions: see the README of @waltz/pg-physical-backup.'

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
    failure = undefined
    for (const ssl of sslAttempts(address, host)) {
      try {
        return await connect({ ...baseConfig(address, { host, port, database }), ssl })
      } catch (error) {
        if (isFault(error, 'invalid')) throw error
        // The server may take the user with TLS only, or without only: what it said first counts when it says no again.
        if (!isFault(failure, 'denied')) failure = error
      }
    }
    if (isFault(failure, 'denied')) break
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
  return findPassword(readAddressFile(address.passwordFile), { ...target, user: address.user })
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
    await endClient(client)
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
      await endClient(client)
    },
  }
}

/** Says goodbye to the server; a server that does not take it in time is left without one. */
async function endClient(client: Client): Promise<void> {
  const patience = new AbortController()
  const late = delay(GOODBYE_MS, undefined, { signal: patience.signal }).then(
    () => socketOf(client)?.destroy(),
    () => undefined,
  )
  await Promise.race([client.end().catch(() => undefined), late])
  patience.abort()
}

/** The driver has no way to close at once that is declared. */
function socketOf(client: Client): { destroy(): void } | undefined {
  return (client as unknown as { readonly connection?: { readonly stream?: { destroy(): void } } }).connection?.stream
}

/** SQLSTATE classes to kinds; anything without one is a connection that failed. */
function serverFault(error: unknown, config: ClientConfig): Fault {
  const { code, message } = error as { readonly code?: string; readonly message: string }
  const where = `${config.host?.startsWith('/') === true ? config.host : `${config.host}:${config.port}`} as ${config.user}`
  const context = { host: config.host ?? '', port: config.port ?? 0, ...(code === undefined ? {} : { sqlState: code }) }
  const make = (kind: FaultKind, name: string, hint: string): Fault =>
    new Fault(kind, name, `${message} (${where})`, { cause: error, hint, context, retryable: false })
  if (code?.startsWith('28') === true) return make('denied', 'SERVER_DENIED', 'Check PGUSER, PGPASSWORD and pg_hba.conf.')
  if (code === '42501') return make('denied', 'SERVER_DENIED', RIGHTS)
  // Said by the driver before it sends anything.
  if (code === undefined && message.startsWith('SASL')) return make('denied', 'SERVER_DENIED', 'Set PGPASSWORD, or add a line to the password file (PGPASSFILE).')
  if (code === '3D000') return make('invalid', 'SERVER_DATABASE_UNKNOWN', 'Set PGDATABASE to a database that exists.')
  const refused = code === undefined || /^(?:E[A-Z]+|57P0\d|08...|53300)$/.test(code)
  if (refused) return make('unavailable', 'SERVER_UNAVAILABLE', 'Check that the server runs, and PGHOST and PGPORT.')
  return make('unavailable', 'SERVER_QUERY_FAILED', "Look at the server's log.")
}
