import { checkServerIdentity, rootCertificates } from 'node:tls'
import type { ClientConfig } from 'pg'
import { Fault } from '@waltz/errors'
import { readAddressFile } from './read-address-file.ts'
import type { ServerAddress } from './server-address.ts'

type Ssl = NonNullable<ClientConfig['ssl']>

/** PGSSLROOTCERT=system: the roots that the program trusts by itself, which libpq allows with verify-full only. */
const SYSTEM_ROOTS = 'system'

/**
 * libpq's modes as attempts in order; sockets know no TLS. As with libpq, a root certificate turns `require` into `verify-ca`.
 * @throws Fault `invalid` `SERVER_ADDRESS_INVALID` for a file that cannot be read, and for `verify-ca` without a root certificate.
 */
export function sslAttempts(address: ServerAddress, host: string): readonly Ssl[] {
  const mode = effectiveMode(address)
  if (host.startsWith('/') || mode === 'disable') return [false]
  switch (mode) {
    case 'allow':
      return [false, unverified(address)]
    case 'prefer':
      return [unverified(address), false]
    case 'require':
      return [unverified(address)]
    case 'verify-ca':
      // Whoever holds a certificate of that authority is trusted, under whatever name.
      return [{ ...clientFiles(address), ca: rootsOf(address), checkServerIdentity: () => undefined }]
    case 'verify-full':
      return [
        { ...clientFiles(address), ca: rootsOf(address), checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate) },
      ]
  }
}

function effectiveMode({ sslMode, sslRootCertificateFile }: ServerAddress): ServerAddress['sslMode'] {
  if (sslRootCertificateFile === SYSTEM_ROOTS) return sslMode === 'disable' ? 'disable' : 'verify-full'
  return sslMode === 'require' && sslRootCertificateFile !== undefined ? 'verify-ca' : sslMode
}

function unverified(address: ServerAddress): Ssl {
  return { ...clientFiles(address), rejectUnauthorized: false }
}

function clientFiles(address: ServerAddress): { cert?: string; key?: string } {
  return {
    ...(address.sslCertificateFile === undefined ? {} : { cert: readAddressFile(address.sslCertificateFile) }),
    ...(address.sslKeyFile === undefined ? {} : { key: readAddressFile(address.sslKeyFile) }),
  }
}

function rootsOf({ sslMode, sslRootCertificateFile }: ServerAddress): string | string[] {
  if (sslRootCertificateFile === SYSTEM_ROOTS) return [...rootCertificates]
  if (sslRootCertificateFile !== undefined) return readAddressFile(sslRootCertificateFile)
  throw new Fault('invalid', 'SERVER_ADDRESS_INVALID', `sslmode ${sslMode} needs a root certificate`, {
    hint: 'Set PGSSLROOTCERT to its file, or to "system" for the authorities that everybody trusts.',
  })
}
