import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  checkRepositoryStrictly,
  contentProof,
  createStandby,
  giveToOrdinaryUser,
  makeTablespaceFolder,
  runAs,
  runningAsRoot,
  startAs,
  startCluster,
  startRestored,
  temporaryFolder,
  waltzCommand,
  writeServerFile,
  type RunResult,
  type TemporaryFolder,
  type TestCluster,
} from '@waltz/testkit'

/** Slow enough that things can happen in the middle. */
const SLOW = { WALG_DISK_RATE_LIMIT: '6000000', WALG_UPLOAD_DISK_CONCURRENCY: '1' }

let waltz: string
let work: TemporaryFolder
let repositories = 0

beforeAll(async () => {
  waltz = await waltzCommand()
  work = temporaryFolder()
})
afterAll(() => work?.dispose())

function repositoryFor(cluster: TestCluster): { path: string; env: Record<string, string> } {
  const path = work.makeFolder(`repository-${(repositories += 1)}`)
  return { path, env: { ...cluster.env, WALG_FILE_PREFIX: path } }
}

function push(env: Record<string, string>, directory: string, ...args: string[]): Promise<RunResult> {
  return runAs(waltz, ['backup-push', directory, ...args], { env })
}

function sentinels(path: string): string[] {
  const folder = join(path, 'basebackups_005')
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('sentinel.json')) : []
}

async function leftBackupMode(cluster: TestCluster): Promise<void> {
  await cluster.waitForValue(
    `select ((select count(*) from pg_replication_slots) + (select count(*) from pg_stat_activity where application_name = 'wal-g'))::text`,
    '0',
  )
}

/** Restores the newest backup to its own end and starts it. */
async function restored(env: Record<string, string>, path: string): Promise<TestCluster> {
  const target = work.join(`restored-${(repositories += 1)}`)
  const spec = join(dirname(target), `spec-${repositories}.json`)
  const [name = ''] = sentinels(path)
  const sentinel = JSON.parse(readFileSync(join(path, 'basebackups_005', name), 'utf8')) as {
    FinishLSN: number
    Spec?: { tablespaces: string[] } & Record<string, unknown>
  }
  const moved: Record<string, unknown> = { base_prefix: target, tablespaces: sentinel.Spec?.tablespaces ?? [] }
  for (const oid of sentinel.Spec?.tablespaces ?? [])
    moved[oid] = { loc: work.makeFolder(`restored-space-${repositories}-${oid}`), link: `pg_tblspc/${oid}` }
  writeFileSync(spec, JSON.stringify(moved))
  giveToOrdinaryUser(spec)
  const lsn = `${Math.floor(sentinel.FinishLSN / 2 ** 32).toString(16)}/${(sentinel.FinishLSN % 2 ** 32).toString(16)}`
  const specArgs = sentinel.Spec === undefined ? [] : ['--restore-spec', spec]
  const fetched = await runAs(waltz, ['backup-fetch', target, 'LATEST', '--target-lsn', lsn, '--target-action', 'promote', ...specArgs], {
    env,
  })
  expect(fetched.stderr + String(fetched.code)).toMatch(/0$/)
  const server = await startRestored(target, undefined, { env })
  await server.waitForValue('select pg_is_in_recovery()::text', 'false')
  return server
}

describe.each([13, 18] as const)('a role that is no superuser, on PostgreSQL %i', (major) => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await startCluster({ major, initdbArgs: ['--wal-segsize=1'], settings: { wal_level: 'replica', max_wal_senders: 4 } })
    await cluster.query('create role backup login')
  })
  afterAll(() => cluster?.dispose())

  it('is told what it lacks, and needs no more than the README says', async () => {
    const { path, env } = repositoryFor(cluster)
    const asBackup = { ...env, PGUSER: 'backup' }
    const lacks = async (): Promise<void> => {
      const result = await push(asBackup, cluster.dataDirectory)
      expect(result.code).toBe(22)
      expect(result.stderr).toContain('SERVER_DENIED')
      expect(result.stderr).toContain('pg_read_all_settings')
      expect(sentinels(path)).toEqual([])
    }
    await lacks()
    await cluster.query('grant pg_read_all_settings to backup')
    await lacks()
    const functions =
      major >= 15
        ? ['pg_backup_start(text, boolean)', 'pg_backup_stop(boolean)']
        : ['pg_start_backup(text, boolean, boolean)', 'pg_stop_backup(boolean, boolean)']
    for (const name of functions) await cluster.query(`grant execute on function ${name} to backup`)

    const unpinned = await push(asBackup, cluster.dataDirectory, '--json')
    expect(unpinned.stderr).toContain('not pinned')
    expect(unpinned.code).toBe(0)
    await cluster.query('alter role backup replication')
    const result = await push(asBackup, cluster.dataDirectory, '--json')
    expect(result.stderr).not.toContain('not pinned')
    expect(result.code).toBe(0)
    expect((await checkRepositoryStrictly(path)).problems).toEqual([])
    const { backup_name: name } = JSON.parse(result.stdout) as { backup_name: string }
    expect(readFileSync(join(path, 'basebackups_005', name, 'files_metadata.json'), 'utf8')).toContain('"pg_catalog.pg_class"')
  })

  it('is not ended by the limits that its role has', async () => {
    const { env, path } = repositoryFor(cluster)
    await cluster.query(
      `alter role postgres set statement_timeout = '400ms'; alter role postgres set idle_in_transaction_session_timeout = '300ms'`,
    )
    if (major >= 14) await cluster.query(`alter role postgres set idle_session_timeout = '400ms'`)
    try {
      const result = await push({ ...env, WALG_DISK_RATE_LIMIT: '5000000' }, cluster.dataDirectory)
      expect(result.stderr + String(result.code)).toMatch(/0$/)
      expect((await checkRepositoryStrictly(path)).problems).toEqual([])
    } finally {
      await cluster.query('alter role postgres reset all')
    }
  })
})

describe('the data directory', () => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await startCluster({ major: 17, initdbArgs: ['--wal-segsize=1'], settings: { wal_level: 'replica', max_wal_senders: 4 } })
  })
  afterAll(() => cluster?.dispose())

  it('may be named by a relative path or a link; an empty text is not the folder we are in', async () => {
    const { env, path } = repositoryFor(cluster)
    symlinkSync(cluster.dataDirectory, work.join('link-to-data'))
    expect((await runAs(waltz, ['backup-push', '.'], { env, cwd: cluster.dataDirectory })).code).toBe(0)
    expect((await runAs(waltz, ['backup-push', 'link-to-data'], { env, cwd: work.path })).code).toBe(0)
    const empty = await runAs(waltz, ['backup-push', ''], { env, cwd: cluster.dataDirectory })
    expect(empty.code).toBe(2)
    expect(sentinels(path)).toHaveLength(2)
  })

  it.skipIf(!runningAsRoot()).each([
    ['a file', (at: string) => writeFileSync(at, 'secret', { mode: 0o600 })],
    ['a folder', (at: string) => mkdirSync(at, { mode: 0o700 })],
    [
      'a file behind a link',
      (at: string) => (writeFileSync(work.join('root-only'), 'x', { mode: 0o600 }), symlinkSync(work.join('root-only'), at)),
    ],
  ])('with %s that cannot be read is not backed up without it (needs root)', async (_, plant) => {
    const { env, path } = repositoryFor(cluster)
    const at = join(cluster.dataDirectory, 'not-for-you')
    plant(at)
    try {
      const result = await push(env, cluster.dataDirectory)
      expect(result.stderr).toContain('not-for-you')
      expect(result.stderr).toMatch(/DATA_(?:FILE|DIRECTORY)_UNREADABLE/)
      expect(result.code).toBe(22)
      expect(readdirSync(path).filter((name) => name === 'basebackups_005')).toEqual([])
      await leftBackupMode(cluster)
    } finally {
      rmSync(at, { recursive: true })
    }
  })

  it.skipIf(!runningAsRoot())('takes files that are read-only, or readable through a group (needs root)', async () => {
    const { env } = repositoryFor(cluster)
    const at = join(cluster.dataDirectory, 'read-only')
    writeServerFile(at, 'x')
    chmodSync(at, 0o400)
    writeFileSync(`${at}-of-root`, 'x', { mode: 0o640 })
    chownSync(`${at}-of-root`, 0, 65_534)
    chmodSync(`${at}-of-root`, 0o640)
    expect((await push(env, cluster.dataDirectory)).code).toBe(0)
    rmSync(at)
    rmSync(`${at}-of-root`)
  })

  it('in which databases and tablespaces come and go restores to what it was at the end', async () => {
    const { env, path } = repositoryFor(cluster)
    await cluster.query('create table t as select i, md5(i::text) from generate_series(1, 20000) i')
    for (const name of ['going', 'coming']) makeTablespaceFolder(work.join(`space ${name}`))
    await cluster.query(`create tablespace going location '${work.join('space going')}'`)
    await cluster.query('create table in_going tablespace going as select generate_series(1, 5000) i')
    await cluster.query('create database going_too')
    const running = startAs(waltz, ['backup-push', cluster.dataDirectory], { env: { ...env, ...SLOW } })
    await running.waitFor(/Started backup/)
    await cluster.query('drop table in_going')
    await cluster.query('drop tablespace going')
    await cluster.query('drop database going_too')
    for (const strategy of ['wal_log', 'file_copy']) await cluster.query(`create database come_${strategy} strategy ${strategy}`)
    await cluster.query('create table come as select generate_series(1, 3000) i', [], 'come_wal_log')
    await cluster.query(`update t set md5 = 'changed' where i % 3 = 0; checkpoint`)
    const result = await running.exited
    expect(result.stderr + String(result.code)).toMatch(/0$/)
    expect((await checkRepositoryStrictly(path)).problems).toEqual([])
    const proof = await contentProof(cluster)
    await using server = await restored(env, path)
    expect(await contentProof(server)).toEqual(proof)
    for (const strategy of ['wal_log', 'file_copy']) await cluster.query(`drop database come_${strategy}`)
  })
})

describe('a server on a later timeline', () => {
  it('is backed up with its history, and restores', async () => {
    await using primary = await startCluster({
      major: 16,
      initdbArgs: ['--wal-segsize=1'],
      settings: { wal_level: 'replica', max_wal_senders: 4 },
    })
    await primary.query('create table t as select generate_series(1, 2000) i')
    await using promoted = await createStandby(primary)
    const [at] = await primary.query<{ lsn: string }>('select pg_current_wal_flush_lsn()::text as lsn')
    await promoted.waitForValue(`select (pg_last_wal_replay_lsn() >= '${at?.lsn}')::text`, 'true')
    await primary.stop()
    await promoted.query('select pg_promote()')
    await promoted.waitForValue('select pg_is_in_recovery()::text', 'false')
    await promoted.query('insert into t select generate_series(1, 10)')
    const { env, path } = repositoryFor(promoted)
    const result = await push(env, promoted.dataDirectory, '--json')
    expect(result.stderr + String(result.code)).toMatch(/0$/)
    const said = JSON.parse(result.stdout) as { backup_name: string; timeline: number; wal: { pushed: string[] } }
    expect(said.timeline).toBe(2)
    expect(said.backup_name).toMatch(/^base_00000002/)
    expect(said.wal.pushed).toContain('00000002.history')
    expect((await checkRepositoryStrictly(path)).problems).toEqual([])
    const proof = await contentProof(promoted)
    await using server = await restored(env, path)
    expect(await contentProof(server)).toEqual(proof)
  })
})

describe('kill -9', () => {
  it('at ten moments of a backup: nothing is announced that is not whole, the server leaves backup mode, the next backup works', async () => {
    await using cluster = await startCluster({
      major: 15,
      initdbArgs: ['--wal-segsize=1'],
      settings: { wal_level: 'replica', max_wal_senders: 4 },
    })
    await cluster.query('create table t as select i, md5(i::text) from generate_series(1, 50000) i')
    const slow = { WALG_DISK_RATE_LIMIT: '12000000', WALG_TAR_SIZE_THRESHOLD: '4000000' }
    const measured = repositoryFor(cluster)
    const since = Date.now()
    expect((await push({ ...measured.env, ...slow }, cluster.dataDirectory)).code).toBe(0)
    const wholeMs = Date.now() - since

    let announced = 0
    const { path, env } = repositoryFor(cluster)
    for (let moment = 0; moment < 10; moment += 1) {
      const running = startAs(waltz, ['backup-push', cluster.dataDirectory], { env: { ...env, ...slow } })
      await delay((wholeMs * (moment + 0.5)) / 10)
      killWithChildren(running.pid)
      await running.exited
      await leftBackupMode(cluster)
      announced = sentinels(path).length
      expect((await checkRepositoryStrictly(path)).problems, `moment ${moment}`).toEqual([])
    }
    expect(announced).toBeLessThan(10)
    const next = await push(env, cluster.dataDirectory)
    expect(next.stderr + String(next.code)).toMatch(/0$/)
    expect(sentinels(path)).toHaveLength(announced + 1)
    expect((await checkRepositoryStrictly(path)).problems).toEqual([])
  })
})

/** Kills a process and what it started, each by its number. */
function killWithChildren(pid: number): void {
  const children = existsSync(`/proc/${pid}/task/${pid}/children`)
    ? readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)
    : []
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
  for (const child of children) killWithChildren(Number(child))
}
