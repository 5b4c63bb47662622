import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  giveToOrdinaryUser,
  mustRun,
  programExists,
  startCluster,
  temporaryFolder,
  type TemporaryFolder,
  type TestCluster,
} from '@waltz/testkit'
import { openSqlConnection } from '../../src/open-sql-connection.ts'
import type { ServerAddress } from '../../src/server-address.ts'

let cluster: TestCluster
let work: TemporaryFolder

/** An authority, a server certificate that it signed for `localhost` only, and an authority that has nothing to do with it. */
async function makeCertificates(folder: string): Promise<void> {
  const openssl = (...args: string[]): Promise<string> => mustRun('openssl', args, { user: 'self', cwd: folder })
  for (const name of ['root', 'stranger']) {
    await openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '30',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.crt`,
    )
  }
  await openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost', '-keyout', 'server.key', '-out', 'server.csr')
  writeFileSync(join(folder, 'names'), 'subjectAltName=DNS:localhost')
  await openssl(
    'x509',
    '-req',
    '-days',
    '30',
    '-in',
    'server.csr',
    '-CA',
    'root.crt',
    '-CAkey',
    'root.key',
    '-CAcreateserial',
    '-extfile',
    'names',
    '-out',
    'server.crt',
  )
}

beforeAll(async () => {
  work = temporaryFolder()
  cluster = await startCluster({ major: 17, tcp: true, stopped: true })
  if (programExists('openssl')) {
    await makeCertificates(work.path)
    for (const name of ['server.key', 'server.crt']) {
      const target = join(cluster.dataDirectory, name)
      writeFileSync(target, readFileSync(work.join(name)), { mode: 0o600 })
      giveToOrdinaryUser(target)
    }
    await cluster.configure({ ssl: true })
  }
  const rules = [
    'local all all trust',
    'hostssl all tls_only 127.0.0.1/32 trust',
    'hostnossl all plain_only 127.0.0.1/32 trust',
    'host all scram 127.0.0.1/32 scram-sha-256',
    'host all either 127.0.0.1/32 trust',
  ]
  writeFileSync(join(cluster.dataDirectory, 'pg_hba.conf'), `${rules.join('\n')}\n`)
  await cluster.start()
  await cluster.query(
    `create role tls_only login; create role plain_only login; create role either login; create role scram login password 'it:is\\secret'`,
  )
})
afterAll(async () => {
  await cluster?.dispose()
  await work?.dispose()
})

function address(user: string, sslMode: ServerAddress['sslMode'], given: Partial<ServerAddress> = {}): ServerAddress {
  return {
    hosts: ['localhost'],
    ports: [cluster.port],
    user,
    database: 'postgres',
    sslMode,
    applicationName: 'wal-g',
    connectTimeoutMs: 5000,
    ...given,
  }
}

/** Whether the session is encrypted. */
async function encrypted(from: ServerAddress): Promise<boolean> {
  const connection = await openSqlConnection(from)
  try {
    const [row] = await connection.query('select ssl::text as ssl from pg_stat_ssl where pid = pg_backend_pid()')
    return row?.['ssl'] === 'true'
  } finally {
    await connection.close()
  }
}

describe.skipIf(!programExists('openssl'))('TLS as libpq has it (needs openssl)', () => {
  it.each([
    ['disable', 'either', false],
    ['allow', 'either', false],
    ['prefer', 'either', true],
    ['require', 'either', true],
    // The server takes the user in one way only: both modes find it.
    ['allow', 'tls_only', true],
    ['prefer', 'plain_only', false],
  ] as const)('%s as %s: encrypted %s', async (mode, user, expected) => expect(await encrypted(address(user, mode))).toBe(expected))

  it.each([
    ['disable', 'tls_only'],
    ['require', 'plain_only'],
  ] as const)('%s as %s is refused', async (mode, user) => {
    await expect(openSqlConnection(address(user, mode))).rejects.toMatchObject({ kind: 'denied', code: 'SERVER_DENIED' })
  })

  it('verify-ca trusts what the authority signed, under any name; verify-full the name too', async () => {
    const root = { sslRootCertificateFile: work.join('root.crt') }
    const stranger = { sslRootCertificateFile: work.join('stranger.crt') }
    const byNumber = { hosts: ['127.0.0.1'] }
    expect(await encrypted(address('either', 'verify-ca', root))).toBe(true)
    expect(await encrypted(address('either', 'verify-ca', { ...root, ...byNumber }))).toBe(true)
    expect(await encrypted(address('either', 'verify-full', root))).toBe(true)
    await expect(openSqlConnection(address('either', 'verify-full', { ...root, ...byNumber }))).rejects.toMatchObject({
      code: 'SERVER_CERTIFICATE_REFUSED',
    })
    for (const mode of ['require', 'verify-ca', 'verify-full'] as const) {
      await expect(openSqlConnection(address('either', mode, stranger)), mode).rejects.toMatchObject({ code: 'SERVER_CERTIFICATE_REFUSED' })
    }
    // Nobody asked for a check: the authority is not looked at.
    expect(await encrypted(address('either', 'prefer', stranger))).toBe(true)
  })
})

describe('the user', () => {
  it('is let in with a password from the settings or the password file', async () => {
    const passwordFile = work.join('pgpass')
    writeFileSync(passwordFile, String.raw`localhost:*:postgres:scram:it\:is\\secret`, { mode: 0o600 })
    await (await openSqlConnection(address('scram', 'disable', { password: String.raw`it:is\secret` }))).close()
    await (await openSqlConnection(address('scram', 'disable', { passwordFile }))).close()
  })

  it.each([
    ['without a password', {}],
    ['with a wrong one', { password: 'guess' }],
  ])('is refused %s, and that is not called an unreachable server', async (_, given) => {
    await expect(openSqlConnection(address('scram', 'disable', given))).rejects.toMatchObject({ kind: 'denied', code: 'SERVER_DENIED' })
  })

  it('is told that the database does not exist', async () => {
    await expect(openSqlConnection(address('either', 'disable'), 'no-such "database"')).rejects.toMatchObject({
      kind: 'invalid',
      code: 'SERVER_DATABASE_UNKNOWN',
    })
  })
})

describe('hosts', () => {
  it('are tried in order, with a port each', async () => {
    const connection = await openSqlConnection(
      address('either', 'prefer', { hosts: ['/nonexistent', 'localhost'], ports: [1, cluster.port] }),
    )
    await connection.close()
    await expect(
      openSqlConnection(address('either', 'disable', { hosts: ['/nonexistent', '127.0.0.1'], ports: [1] })),
    ).rejects.toMatchObject({ code: 'SERVER_UNAVAILABLE' })
  })
})

describe('a session', () => {
  it('tells its loss, also to whoever asks later, and closes without an error', async () => {
    const connection = await openSqlConnection(address('either', 'disable'))
    const [row] = await connection.query('select pg_backend_pid()::text as pid')
    const lost = new Promise<unknown>((resolve) => connection.onLost(resolve))
    await cluster.query(`select pg_terminate_backend(${row?.['pid']})`)
    expect(await lost).toBeDefined()
    expect(await new Promise<unknown>((resolve) => connection.onLost(resolve))).toBeDefined()
    await expect(connection.query('select 1')).rejects.toMatchObject({ kind: 'unavailable' })
    await connection.close()
  })

  it('closes at once while a statement runs', async () => {
    const connection = await openSqlConnection(address('either', 'disable'))
    const running = connection.query('select pg_sleep(60)').catch(() => 'ended')
    const since = Date.now()
    await connection.close()
    expect(await running).toBe('ended')
    expect(Date.now() - since).toBeLessThan(5000)
  })
})
