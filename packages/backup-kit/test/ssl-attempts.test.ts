import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ServerAddress } from '../src/server-address.ts'
import { sslAttempts } from '../src/ssl-attempts.ts'

let root: string
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'waltz-ssl-'))))
afterEach(() => rmSync(root, { recursive: true, force: true }))

function address(sslMode: ServerAddress['sslMode'], given: Partial<ServerAddress> = {}): ServerAddress {
  return { hosts: [], ports: [5432], user: 'u', sslMode, applicationName: 'wal-g', connectTimeoutMs: 0, ...given }
}
const plain = (attempts: readonly unknown[]): unknown[] =>
  attempts.map((attempt) =>
    attempt === false ? 'plain' : (attempt as { rejectUnauthorized?: boolean }).rejectUnauthorized === false ? 'unverified' : 'verified',
  )

describe('sslAttempts', () => {
  it.each([
    ['disable', ['plain']],
    ['allow', ['plain', 'unverified']],
    ['prefer', ['unverified', 'plain']],
    ['require', ['unverified']],
  ] as const)('%s tries %j', (mode, expected) => expect(plain(sslAttempts(address(mode), 'db1'))).toEqual(expected))

  it('needs a root certificate to verify, and verifies with `require` too when there is one', () => {
    expect(() => sslAttempts(address('verify-ca'), 'db1')).toThrow(
      expect.objectContaining({ kind: 'invalid', code: 'SERVER_ADDRESS_INVALID' }),
    )
    expect(() => sslAttempts(address('verify-full'), 'db1')).toThrow(expect.objectContaining({ code: 'SERVER_ADDRESS_INVALID' }))
    const sslRootCertificateFile = join(root, 'root.crt')
    writeFileSync(sslRootCertificateFile, 'certificate')
    for (const mode of ['require', 'verify-ca', 'verify-full'] as const) {
      expect(sslAttempts(address(mode, { sslRootCertificateFile }), 'db1')).toEqual([expect.objectContaining({ ca: 'certificate' })])
      expect(plain(sslAttempts(address(mode, { sslRootCertificateFile }), 'db1'))).toEqual(['verified'])
    }
    expect(plain(sslAttempts(address('prefer', { sslRootCertificateFile: 'system' }), 'db1'))).toEqual(['verified'])
  })

  it('knows no TLS on sockets, and names a file that cannot be read', () => {
    expect(sslAttempts(address('require'), '/run/postgresql')).toEqual([false])
    expect(() => sslAttempts(address('prefer', { sslCertificateFile: join(root, 'no.crt') }), 'db1')).toThrow(
      expect.objectContaining({ code: 'SERVER_ADDRESS_INVALID' }),
    )
  })
})
