import { accessSync, constants, existsSync } from 'node:fs'
import { Fault } from '@waltz/errors'
import type { Settings } from '@waltz/settings'
import type { ServerAddress } from './server-address.ts'
import type { KitSurroundings } from './surroundings.ts'

/**
 * The address that libpq's settings describe, with libpq's defaults.
 * @throws Fault `invalid` `SERVER_ADDRESS_INVALID` for ports that are no numbers.
 */
export function serverAddressFromSettings(settings: Settings, surroundings: KitSurroundings): ServerAddress {
  const { home } = surroundings
  const inHome = (path: string, found: (path: string) => boolean = isReadable): string | undefined => {
    const full = home === undefined ? undefined : `${home}/${path}`
    return full !== undefined && found(full) ? full : undefined
  }
  return {
    hosts: settings.pgHost === undefined ? [] : settings.pgHost.split(','),
    ports: settings.pgPort.split(',').map(parsePort),
    user: settings.pgUser ?? surroundings.user,
    database: settings.pgDatabase,
    password: settings.pgPassword,
    passwordFile: settings.pgPassFile ?? inHome('.pgpass'),
    sslMode: settings.pgSslMode,
    // Not to be passed over when it cannot be read: it is what the server is checked against.
    sslRootCertificateFile: settings.pgSslRootCert ?? inHome('.postgresql/root.crt', existsSync),
    sslCertificateFile: settings.pgSslCert ?? inHome('.postgresql/postgresql.crt'),
    sslKeyFile: settings.pgSslKey ?? inHome('.postgresql/postgresql.key'),
    applicationName: settings.pgAppName,
    connectTimeoutMs: (settings.pgConnectTimeout ?? 0) * 1000,
    options: settings.pgOptions,
  }
}

/** Files that nobody named are used when they can be; a home that belongs to somebody else is no error. */
function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}

function parsePort(text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port
  throw new Fault('invalid', 'SERVER_ADDRESS_INVALID', `PGPORT must be a port number or several with commas between, got ${text}`)
}
