import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  checkRepositoryStrictly,
  contentProof,
  createStandby,
  giveToOrdinaryUser,
  mustRun,
  runAs,
  runningAsRoot,
  startAs,
  startCluster,
  startRestored,
  temporaryFolder,
  waltzCommand,
  type RunResult,
  type TemporaryFolder,
  type TestCluster,
} from '@waltz/testkit'

/** Slow enough that a backup of the cluster below can be interrupted in the middle. */
const SLOW = { WALG_DISK_RATE_LIMIT: '3000000', WALG_UPLOAD_DISK_CONCURRENCY: '1' }

let waltz: string
let work: TemporaryFolder
let cluster: TestCluster
let repositories = 0

beforeAll(async () => {
  waltz = await waltzCommand()
  work = temporaryFolder()
  cluster = await startCluster({
    major: 17,
    initdbArgs: ['--data-checksums', '--wal-segsize=1'],
    settings: { wal_level: 'replica', max_wal_senders: 4 },
  })
  await cluster.query(
    `create table t as select i as id, md5(i::text) as filler from generate_series(1, 20000) i; create table damaged as select * from t; checkpoint`,
  )
})
afterAll(async () => {
  await cluster?.dispose()
  await work?.dispose()
})

/** A repository of its own for each test. */
function freshRepository(): { path: string; env: Record<string, string> } {
  const path = work.makeFolder(`repository-${(repositories += 1)}`)
  return { path, env: { WALG_FILE_PREFIX: path, ...cluster.env } }
}

function push(env: Record<string, string>, ...args: string[]): Promise<RunResult> {
  return runAs(waltz, ['backup-push', cluster.dataDirectory, ...args], { env })
}

function objects(path: string, folder = ''): string[] {
  const at = join(path, folder)
  if (!existsSync(at)) return []
  return readdirSync(at, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
    .sort()
}

/** The server is out of backup mode when no session of ours is left and no slot. */
async function leftBackupMode(server: TestCluster): Promise<void> {
  await server.waitForValue(
    `select ((select count(*) from pg_replication_slots) + (select count(*) from pg_stat_activity where application_name = 'wal-g'))::text`,
    '0',
  )
}

describe('what the command says and exits with', () => {
  it.each([
    ['no storage at all', {}, 2, /WALG_FILE_PREFIX/],
    ['half of a key', { WALG_S3_PREFIX: 's3://bucket/path', AWS_ACCESS_KEY_ID: 'TESTKEY' }, 2, /AWS_SECRET_ACCESS_KEY/],
    ['a codec that does not exist', { WALG_COMPRESSION_METHOD: 'snappy' }, 2, /WALG_COMPRESSION_METHOD/],
    ['a key that cannot work', { WALG_LIBSODIUM_KEY: 'topsecretshort' }, 2, /CRYPTO_KEY_INVALID/],
    [
      'keys of two ciphers',
      { WALG_LIBSODIUM_KEY: 'topsecretkeytopsecretkeytopsecret', WALG_PGP_KEY: 'topsecret' },
      2,
      /ENCRYPTION_KEYS_SEVERAL/,
    ],
  ])('%s', async (name, extra, code, message) => {
    const { env, path } = freshRepository()
    const result = await push(
      name.startsWith('no storage') || 'WALG_S3_PREFIX' in extra ? { ...cluster.env, ...extra } : { ...env, ...extra },
    )
    expect(result.stderr).toMatch(message)
    expect(result.stderr).not.toContain('topsecret')
    expect(result.code).toBe(code)
    expect(objects(path)).toEqual([])
  })

  it('names the remote mode that is not there yet', async () => {
    const result = await runAs(waltz, ['backup-push'], { env: freshRepository().env })
    expect(result.code).toBe(2)
    expect(result.stderr).toContain('backup-push "$PGDATA"')
  })

  it.each(['--delta-from-name=x', '--rating-composer', '--copy-composer', '-b'])('refuses %s, which comes later', async (flag) => {
    const { env, path } = freshRepository()
    const result = await push(env, flag)
    expect(result.code).toBe(2)
    expect(result.stderr).toMatch(/not available yet/)
    expect(objects(path)).toEqual([])
  })

  it("refuses a directory that is not the server's, and says which is", async () => {
    const { env } = freshRepository()
    const folder = work.makeFolder('not-a-cluster')
    const result = await runAs(waltz, ['backup-push', folder], { env })
    expect(result.code).toBe(2)
    expect(result.stderr).toContain('DATA_DIRECTORY_MISMATCH')
    expect(result.stderr).toContain(cluster.dataDirectory)
  })

  it('says that the server is not there', async () => {
    const result = await push({ ...freshRepository().env, PGHOST: work.makeFolder('no-socket-here') })
    expect(result.code).toBe(23)
    expect(result.stderr).toContain('SERVER_UNAVAILABLE')
  })
})

describe('a backup', () => {
  it('of a server that does not archive brings its own WAL, and restores', async () => {
    const { env, path } = freshRepository()
    const before = await contentProof(cluster)
    const result = await push(env, '--json', '--permanent', '--add-user-data', '{"ticket": 12345678901234567890, "html": "<&>"}')
    expect(result.code).toBe(0)
    expect(result.stderr).toContain('does not archive')
    const said = JSON.parse(result.stdout) as { backup_name: string; warnings: string[]; wal: { pushed: string[] } }
    expect(said.warnings.join()).toContain('archive')
    expect(said.wal.pushed.length).toBeGreaterThan(0)
    expect(await checkRepositoryStrictly(path)).toMatchObject({ problems: [], leftovers: [] })
    const sentinel = readFileSync(join(path, 'basebackups_005', `${said.backup_name}_backup_stop_sentinel.json`), 'utf8')
    expect(sentinel).toContain('"UserData":{"html":"\\u003c\\u0026\\u003e","ticket":12345678901234567890}')
    expect(sentinel).toContain('"IsPermanent":true')
    await leftBackupMode(cluster)

    const target = work.join('restored-without-archiving')
    const fetched = await runAs(
      waltz,
      ['backup-fetch', target, 'LATEST', '--target-lsn', lsnText(sentinel), '--target-action', 'promote'],
      { env },
    )
    expect(fetched.stderr + String(fetched.code)).toMatch(/0$/)
    await using restored = await startRestored(target, 17, { env })
    await restored.waitForValue('select pg_is_in_recovery()::text', 'false')
    expect(await contentProof(restored)).toEqual(before)
  })

  it('finds damaged pages, records them as WAL-G does, and fails when told to', async () => {
    const { env, path } = freshRepository()
    const [row] = await cluster.query<{ path: string }>(`select pg_relation_filepath('damaged') as path`)
    const file = join(cluster.dataDirectory, row?.path ?? '')
    await cluster.stop()
    const sound = readFileSync(file)
    const bytes = Buffer.from(sound)
    for (const block of [1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]) bytes[block * 8192 + 5000] = (bytes[block * 8192 + 5000] ?? 0) ^ 0xff
    writeFileSync(file, bytes)
    await cluster.start()
    try {
      const failed = await push({ ...env, WALTZ_CORRUPT_PAGES: 'fail' }, '--verify')
      expect(failed.code).toBe(24)
      expect(failed.stderr).toContain('BACKUP_CORRUPT_PAGES')
      expect(objects(path, 'basebackups_005')).toEqual([])

      const reported = await push(env, '--verify', '--json')
      expect(reported.code).toBe(0)
      const first = JSON.parse(reported.stdout) as { backup_name: string; corrupt_blocks: number }
      expect(first.corrupt_blocks).toBe(12)
      expect(corruptBlocks(path, first.backup_name, row?.path ?? '')).toEqual({
        CorruptBlocksCount: 12,
        SomeCorruptBlocks: [1, 3, 4, 5, 6, 7, 8, 9, 10, 11],
      })

      const all = JSON.parse((await push(env, '--verify', '--store-all-corrupt', '--json')).stdout) as { backup_name: string }
      expect(corruptBlocks(path, all.backup_name, row?.path ?? '')?.SomeCorruptBlocks).toHaveLength(12)
      expect((await checkRepositoryStrictly(path)).problems).toEqual([])
    } finally {
      await cluster.stop()
      writeFileSync(file, sound)
      await cluster.start()
    }
  })

  it('without a list of files says so in the sentinel', async () => {
    const { env, path } = freshRepository()
    const result = await push(env, '--without-files-metadata', '--full')
    expect(result.code).toBe(0)
    expect(objects(path, 'basebackups_005').filter((key) => key.endsWith('files_metadata.json'))).toEqual([])
    expect((await checkRepositoryStrictly(path)).problems).toEqual([])
  })

  it('survives files that come, go, grow and shrink while it runs', async () => {
    const { env, path } = freshRepository()
    const running = startAs(waltz, ['backup-push', cluster.dataDirectory, '--verify', '--json'], {
      env: { ...env, WALG_DISK_RATE_LIMIT: '9000000' },
    })
    await running.waitFor(/Started backup/)
    for (let round = 0; round < 12; round += 1) {
      await cluster.query(
        `create table c${round} as select i, repeat('x', 400) as filler from generate_series(1, 3000) i; insert into t select i, 'more' from generate_series(1, 3000) i; update t set filler = filler || 'y' where id % 5 = 0`,
      )
      await cluster.query(`delete from t where filler like 'more%'`)
      await cluster.query('vacuum t')
      await cluster.query(`drop table c${round}; create table k${round}(i int)`)
      await cluster.query('checkpoint')
    }
    const result = await running.exited
    expect(result.stderr).not.toMatch(/ERROR/)
    expect(result.code).toBe(0)
    expect(JSON.parse(result.stdout)).toMatchObject({ corrupt_blocks: 0 })
    expect((await checkRepositoryStrictly(path)).problems).toEqual([])
    await cluster.query(Array.from({ length: 12 }, (_, round) => `drop table k${round}`).join(';'))
  })
})

describe('bad days', () => {
  it('a storage that is not mounted', async () => {
    const result = await push({ ...freshRepository().env, WALG_FILE_PREFIX: work.join('not-mounted') })
    expect(result.code).toBe(23)
    expect(result.stderr).toContain('STORAGE_ROOT_MISSING')
  })

  it('a folder that may not be written', async () => {
    const { env, path } = freshRepository()
    chmodSync(path, 0o555)
    const result = await push(env)
    expect(result.code).toBe(22)
    expect(result.stderr).toMatch(/STORAGE_DENIED/)
    await leftBackupMode(cluster)
  })

  it.skipIf(!runningAsRoot())('a full disk (needs root, for a small file system)', async () => {
    const { env, path } = freshRepository()
    await mustRun('mount', ['-t', 'tmpfs', '-o', 'size=3m,mode=0777', 'tmpfs', path], { user: 'self' })
    try {
      const result = await push({ ...env, WALG_COMPRESSION_METHOD: 'none' })
      expect(result.stderr).toContain('STORAGE_FULL')
      expect(result.code).toBe(23)
      expect(objects(path, 'basebackups_005').filter((key) => key.endsWith('sentinel.json'))).toEqual([])
      await leftBackupMode(cluster)
    } finally {
      await mustRun('umount', [path], { user: 'self' })
    }
  })

  it('SIGTERM in the middle: nothing announced, nothing left, the server out of backup mode', async () => {
    const { env, path } = freshRepository()
    const running = startAs(waltz, ['backup-push', cluster.dataDirectory], { env: { ...env, ...SLOW } })
    await running.waitFor(/Started backup/)
    running.kill('SIGTERM')
    const result = await running.exited
    expect(result.code).toBe(26)
    expect(objects(path, 'basebackups_005')).toEqual([])
    await leftBackupMode(cluster)
  })

  it('kill -9 in the middle: the next backup works', async () => {
    const { env, path } = freshRepository()
    const running = startAs(waltz, ['backup-push', cluster.dataDirectory], { env: { ...env, ...SLOW } })
    await running.waitFor(/Started backup/)
    await mustRun('pkill', ['-9', '-f', `launch.cjs backup-push ${cluster.dataDirectory}`], { user: 'self' })
    await running.exited
    expect(objects(path, 'basebackups_005').filter((key) => key.endsWith('sentinel.json'))).toEqual([])
    await leftBackupMode(cluster)
    expect((await push(env)).code).toBe(0)
    expect((await checkRepositoryStrictly(path)).problems).toEqual([])
  })

  it('the server stopped in the middle', async () => {
    const { env, path } = freshRepository()
    const running = startAs(waltz, ['backup-push', cluster.dataDirectory], { env: { ...env, ...SLOW } })
    await running.waitFor(/Started backup/)
    await cluster.stop('fast')
    const result = await running.exited
    await cluster.start()
    expect(result.stderr).toContain('SERVER_CONNECTION_LOST')
    expect(result.code).toBe(23)
    expect(objects(path, 'basebackups_005')).toEqual([])
  })

  it('two backups at once get two names', async () => {
    const { env, path } = freshRepository()
    const results = await Promise.all([push(env, '--json'), push(env, '--json')])
    const done = results
      .filter((result) => result.code === 0)
      .map((result) => (JSON.parse(result.stdout) as { backup_name: string }).backup_name)
    expect(done.length).toBeGreaterThan(0)
    expect(new Set(done).size).toBe(done.length)
    for (const result of results) expect([0, 21]).toContain(result.code)
    expect((await checkRepositoryStrictly(path)).problems).toEqual([])
  })

  it('an archive of another cluster', async () => {
    const { env, path } = freshRepository()
    mkdirSync(join(path, 'waltz'))
    giveToOrdinaryUser(join(path, 'waltz'))
    writeFileSync(
      join(path, 'waltz/cluster.json'),
      '{"version":1,"systemIdentifier":"7","createdAt":"2026-01-01T00:00:00Z","tool":{"name":"waltz","version":"0"}}',
    )
    const result = await push(env)
    expect(result.code).toBe(21)
    expect(result.stderr).toContain('WAL_ARCHIVE_FOREIGN')
    expect(objects(path, 'basebackups_005')).toEqual([])
  })
})

describe('on a standby', () => {
  it("takes a backup named for the byte before its start, waits for the primary's WAL, and refuses a second one of the same name", async () => {
    const { env, path } = freshRepository()
    await using primary = await startCluster({
      major: 16,
      initdbArgs: ['--wal-segsize=1'],
      env: { WALG_FILE_PREFIX: path },
      settings: { archive_mode: 'on', archive_command: `${waltz} wal-push %p`, wal_level: 'replica', max_wal_senders: 4 },
    })
    await primary.query('create table s as select generate_series(1, 5000) as id')
    await using standby = await createStandby(primary)
    await primary.query('insert into s select generate_series(1, 3000); checkpoint')
    const [at] = await primary.query<{ lsn: string }>('select pg_current_wal_flush_lsn()::text as lsn')
    await standby.waitForValue(`select (pg_last_wal_replay_lsn() >= '${at?.lsn}')::text`, 'true')
    await standby.query('checkpoint')

    const standbyEnv = { ...env, ...standby.env }
    const waiting = startAs(waltz, ['backup-push', standby.dataDirectory, '--json'], { env: standbyEnv })
    await waiting.waitFor(/waiting for|Wrote backup/)
    await primary.query('select pg_switch_wal()')
    const first = await waiting.exited
    expect(first.stderr + String(first.code)).toMatch(/0$/)
    const { backup_name: name } = JSON.parse(first.stdout) as { backup_name: string }
    expect((await checkRepositoryStrictly(path)).problems).toEqual([])

    const second = await runAs(waltz, ['backup-push', standby.dataDirectory], { env: standbyEnv })
    expect(second.code).toBe(21)
    expect(second.stderr).toContain('BACKUP_NAME_TAKEN')
    expect(second.stderr).toContain(name)
    expect((await checkRepositoryStrictly(path)).problems).toEqual([])
    const missing = await runAs(waltz, ['backup-push', primary.dataDirectory], { env: standbyEnv })
    expect(missing.code).toBe(2)
  })
})

function corruptBlocks(
  path: string,
  backup: string,
  file: string,
): { CorruptBlocksCount: number; SomeCorruptBlocks: number[] } | undefined {
  const text = readFileSync(join(path, 'basebackups_005', backup, 'files_metadata.json'), 'utf8')
  const { Files } = JSON.parse(text) as {
    Files: Record<string, { CorruptBlocks?: { CorruptBlocksCount: number; SomeCorruptBlocks: number[] } }>
  }
  return Files[`/${file}`]?.CorruptBlocks
}

/** The finish position of a sentinel as PostgreSQL writes positions. */
function lsnText(sentinel: string): string {
  const lsn = BigInt(/"FinishLSN":(\d+)/.exec(sentinel)?.[1] ?? 0)
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffffffffn).toString(16).toUpperCase()}`
}
