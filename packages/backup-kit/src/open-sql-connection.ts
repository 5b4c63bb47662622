import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { Client, ClientConfig } from 'pg'
import { isFault } from '@waltz/errors'
import type { SqlConnection } from '@waltz/pg-physical-backup'
import { findPassword } from './password-file.ts'
import { readAddressFile } from './read-address-file.ts'
import { SOCKET_FOLDERS, type ServerAddress } from './server-address.ts'
import { serverFault } from './server-fault.ts'
import { sslAttempts } from './ssl-attempts.ts'

/** How long the server may take to accept the end of a session, in milliseconds. */
const GOODBYE_MS = 2_000

/**
 * Opens a session with the server, trying the hosts in order. The driver (`pg`) is loaded here and nowhere else.
 * There is no fallback to another server than those named.
 * @throws Fault `unavailable` `SERVER_UNAVAILABLE` when no host answers; `denied` `SERVER_DENIED` when the server refuses
 * the user, `SERVER_CERTIFICATE_REFUSED` when its certificate is not trusted; `invalid` `SERVER_ADDRESS_INVALID` when a file of the
 * address cannot be read.
 */
export async function openSqlConnection(
  address: ServerAddress,
  database: string = address.database ?? address.user,
): Promise<SqlConnection> {
  const hosts = address.hosts.length > 0 ? address.hosts : [defaultHost(address.ports[0] ?? 5432)]
  let failure: unknown
  for (const [index, host] of hosts.entries()) {
    const port = address.ports[index] ?? address.ports[0] ?? 5432
    const found = await connectTo(address, { host, port, database })
    if ('connection' in found) return found.connection
    failure = found.failure
    if (isFault(failure, 'denied')) break
  }
  throw failure
}

type Found = { readonly connection: SqlConnection } | { readonly failure: unknown }

/** One host, in every way that the TLS mode allows. */
async function connectTo(address: ServerAddress, target: { host: string; port: number; database: string }): Promise<Found> {
  let failure: unknown
  for (const ssl of sslAttempts(address, target.host)) {
    try {
      return { connection: await connect({ ...baseConfig(address, target), ssl }) }
    } catch (error) {
      if (isFault(error, 'invalid')) throw error
      // The server may take the user with TLS only, or without only: what it said first counts when it says no again.
      if (!isFault(failure, 'denied')) failure = error
    }
  }
  return { failure }
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
