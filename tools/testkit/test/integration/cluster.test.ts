import { existsSync, lstatSync, readFileSync, statSync } from 'node:fs'
import { expect, test } from 'vitest'
import {
  createStandby,
  ordinaryUid,
  postgresMajors,
  runAs,
  runningAsRoot,
  startAs,
  startCluster,
  startRestored,
  temporaryFolder,
  copyRunningCluster,
} from '../../src/index.ts'

test.each(postgresMajors)('PostgreSQL %i starts, answers, stops and starts again', async (major) => {
  await using cluster = await startCluster({ major, settings: { work_mem: '5MB' } })
  const [row] = await cluster.query<{ version: number; work_mem: string }>(
    "select current_setting('server_version_num')::int / 10000 as version, current_setting('work_mem') as work_mem",
  )
  expect(row).toEqual({ version: major, work_mem: '5MB' })
  await cluster.query('create table t as select 1 as id')
  await cluster.restart()
  expect(await cluster.query('select id from t')).toEqual([{ id: 1 }])
  expect(statSync(cluster.dataDirectory).uid).toBe(ordinaryUid())
  await cluster.stop()
  expect(cluster.isRunning()).toBe(false)
})

test('clusters made from one template have identities of their own and survive a crash', async () => {
  await using one = await startCluster({ major: 15 })
  await using two = await startCluster({ major: 15 })
  const identity = 'select system_identifier::text as id from pg_control_system()'
  expect(await one.query(identity)).not.toEqual(await two.query(identity))
  await one.query('create table t as select g from generate_series(1, 1000) g')
  await one.kill()
  expect(one.isRunning()).toBe(false)
  await one.start()
  expect(await one.query('select count(*)::int as n from t')).toEqual([{ n: 1000 }])
  expect(one.log()).toContain('database system was not properly shut down')
})

test('segment size, checksums, a linked pg_wal, tablespaces and TCP are as asked', async () => {
  await using folder = temporaryFolder()
  await using cluster = await startCluster({
    major: 15,
    initdbArgs: ['--wal-segsize=1', '--data-checksums'],
    walDirectory: folder.join('wal'),
    tablespaces: { 'my space': folder.join('my space') },
    tcp: true,
  })
  expect(await cluster.query('show wal_segment_size')).toEqual([{ wal_segment_size: '1MB' }])
  expect(await cluster.query('show data_checksums')).toEqual([{ data_checksums: 'on' }])
  expect(lstatSync(`${cluster.dataDirectory}/pg_wal`).isSymbolicLink()).toBe(true)
  await cluster.query('create table t tablespace "my space" as select 1 as id')
  expect(await cluster.query("select spcname from pg_tablespace where spcname = 'my space'")).toHaveLength(1)
  expect(cluster.port).not.toBe(5432)
})

test('a standby follows its primary and a copy recovers', async () => {
  await using folder = temporaryFolder()
  await using primary = await startCluster({ major: 17, tablespaces: { extra: folder.join('extra') } })
  await primary.query('create table t tablespace extra as select 1 as id')
  await using standby = await createStandby(primary)
  await primary.query('insert into t values (2)')
  await standby.waitForValue('select count(*) from t', '2')
  expect(await standby.query('select pg_is_in_recovery() as r')).toEqual([{ r: true }])
  await copyRunningCluster(primary, folder.join('copy'), folder.path)
  await primary.stop()
  await using copy = await startRestored(folder.join('copy'))
  expect(await copy.query('select count(*)::int as n from t')).toEqual([{ n: 2 }])
})

test('a server that cannot start says why', async () => {
  await using cluster = await startCluster({ major: 18, stopped: true })
  await cluster.configure({ wal_level: 'nonsense' })
  expect(await cluster.start({ mayFail: true })).toBe('exited')
  expect(cluster.log()).toContain('wal_level')
  await expect(cluster.start()).rejects.toThrow(/did not start[\s\S]*wal_level/)
})

test('programs run as the ordinary user, with a clean environment, and can be killed', async () => {
  expect((await runAs('id', ['-u'])).stdout.trim()).toBe(String(ordinaryUid()))
  const env = await runAs('env', [], { env: { WALG_X: '1' } })
  expect(env.stdout.split('\n').filter(Boolean).sort()).toEqual([
    'HOME=/nonexistent',
    'LC_ALL=C',
    'PATH=/usr/local/bin:/usr/bin:/bin',
    'TZ=UTC',
    'WALG_X=1',
  ])
  expect(await runAs('cat', [], { input: 'hello' })).toEqual({ code: 0, signal: undefined, stdout: 'hello', stderr: '' })
  const running = startAs('sh', ['-c', 'echo up; exec sleep 100'])
  await running.waitFor(/up/)
  running.kill()
  expect((await running.exited).signal).toBe('SIGKILL')
  await expect(runAs('sleep', ['10'], { timeoutMs: 50 })).rejects.toThrow('did not end within 50 ms')
})

test('temporary folders go away', async () => {
  let path: string
  {
    await using folder = temporaryFolder()
    path = folder.makeFolder('a/b')
    await runAs('sh', ['-c', `echo x > ${path}/file && chmod 0 ${folder.join('a')}`])
    if (runningAsRoot()) expect(readFileSync(`${path}/file`, 'utf8')).toBe('x\n')
    await runAs('chmod', ['755', folder.join('a')])
  }
  expect(existsSync(path)).toBe(false)
})
