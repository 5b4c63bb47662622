import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createStandby, startCluster, type TestCluster } from '@waltz/testkit'
import { segmentNumberBefore, segmentStart } from '@waltz/pg-structures'
import { openBackupSession, type SessionOptions } from '../../src/push/backup-session.ts'
import { openSession } from '../../src/push/open-session.ts'
import { connectTo } from './sql.ts'

let slots = 0

function sessionOptions(cluster: TestCluster, given: Partial<SessionOptions> = {}): SessionOptions {
  return {
    connect: connectTo(cluster),
    label: String.raw`it's a "label" with \ and ünïcode`,
    slotName: `waltz_${process.pid}_${(slots += 1)}`,
    aliveCheckIntervalMs: 0,
    sleep: (ms, signal) => delay(ms, undefined, { signal }),
    precheck: async () => undefined,
    ...given,
  }
}

async function leftBackupMode(cluster: TestCluster): Promise<void> {
  const others = `pid <> pg_backend_pid() and backend_type = 'client backend'`
  await cluster.waitForValue(
    `select ((select count(*) from pg_replication_slots) + (select count(*) from pg_stat_activity where ${others}))::text`,
    '0',
  )
  // Only a server in backup mode keeps full page images on against its setting, and says so nowhere; a second backup must simply work.
  await using session = await openBackupSession(sessionOptions(cluster))
  await session.finish(0)
}

describe.each([13, 18] as const)('on PostgreSQL %i', (major) => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await startCluster({
      major,
      initdbArgs: ['--wal-segsize=1'],
      settings: { wal_level: 'replica', max_wal_senders: 4, max_replication_slots: 4 },
    })
  })
  afterAll(() => cluster?.dispose())

  it('pins its WAL from before the start, ends with the label that it began with, and drops the slot', async () => {
    {
      await using session = await openBackupSession(sessionOptions(cluster))
      expect(session.warnings).toEqual([])
      const [slot] = await cluster.query<{ temporary: boolean; pinned: boolean }>(
        `select temporary, restart_lsn <= '${(session.startLsn >> 32n).toString(16)}/${(session.startLsn & 0xffffffffn).toString(16)}' as pinned from pg_replication_slots`,
      )
      expect(slot).toEqual({ temporary: true, pinned: true })
      const end = await session.finish(0)
      expect(end.backupLabel).toContain(String.raw`LABEL: it's a "label" with \ and ünïcode`)
      expect(end.finishLsn).toBeGreaterThan(session.startLsn)
      // A primary has switched to a new segment.
      const bytes = session.facts.walSegmentBytes
      expect(await session.holdsWalUpTo(segmentStart(segmentNumberBefore(end.finishLsn, bytes) + 1, bytes))).toBe(true)
    }
    await leftBackupMode(cluster)
  })

  it.each([
    ['before the start', async () => undefined, { precheck: async () => Promise.reject(new Error('not here')) }],
    ['after the start', async (options: SessionOptions) => (await openBackupSession(options))[Symbol.asyncDispose](), {}],
    [
      'after the end, and again',
      async (options: SessionOptions) => {
        const session = await openBackupSession(options)
        await session.finish(0)
        await session[Symbol.asyncDispose]()
        await session[Symbol.asyncDispose]()
      },
      {},
    ],
  ])('is out of backup mode when the session is disposed of %s', async (_, use, given) => {
    const options = sessionOptions(cluster, given)
    if ('precheck' in given) await expect(openBackupSession(options)).rejects.toThrow('not here')
    else await use(options)
    await leftBackupMode(cluster)
  })

  it('is out of backup mode when the start is given up while the server works on it', async () => {
    const controller = new AbortController()
    const connect = connectTo(cluster)
    const options = sessionOptions(cluster, {
      signal: controller.signal,
      connect: async () => {
        const connection = await connect()
        return {
          ...connection,
          query(text) {
            if (/backup_start|start_backup/.test(text)) setImmediate(() => controller.abort(new Error('SIGTERM')))
            return connection.query(text)
          },
        }
      },
    })
    await expect(openBackupSession(options)).rejects.toMatchObject({ kind: 'aborted' })
    await leftBackupMode(cluster)
  })

  it('notices that the server ended the session', async () => {
    await using session = await openBackupSession(sessionOptions(cluster, { aliveCheckIntervalMs: 50 }))
    await cluster.query(`select pg_terminate_backend(active_pid) from pg_replication_slots`)
    await expect.poll(() => session.lost.aborted).toBe(true)
    expect(session.lost.reason).toMatchObject({ code: 'SERVER_CONNECTION_LOST' })
    await expect(session.finish(0)).rejects.toMatchObject({ code: 'SERVER_CONNECTION_LOST' })
  })

  it('goes on without a slot when there is none to be had, and says so', async () => {
    for (let slot = 0; slot < 4; slot += 1) await cluster.query(`select pg_create_physical_replication_slot('taken_${slot}')`)
    try {
      await using session = await openBackupSession(sessionOptions(cluster))
      expect(session.warnings).toEqual([expect.stringContaining('not pinned')])
      await session.finish(0)
    } finally {
      for (let slot = 0; slot < 4; slot += 1) await cluster.query(`select pg_drop_replication_slot('taken_${slot}')`)
    }
  })

  it('is not ended by limits of the role or the database, nor led astray by what somebody put into a schema', async () => {
    await cluster.query(
      `alter role postgres set statement_timeout = '300ms'; alter role postgres set idle_in_transaction_session_timeout = '200ms'`,
    )
    await cluster.query(`alter database postgres set search_path = 'trap', 'pg_catalog'`)
    await cluster.query(`alter role postgres set default_transaction_read_only = on`)
    const setup = await cluster.connect()
    await setup.query('set default_transaction_read_only = off')
    await setup.query(`create schema trap; create table trap.sprung(what text)`)
    const trap = (head: string, result: string): string =>
      `create function trap.${head} language plpgsql as $$ begin raise exception 'trapped by ${head.split('(')[0] ?? ''}'; return ${result}; end $$`
    await setup.query(trap('pg_is_in_recovery() returns boolean', 'true'))
    await setup.query(trap('current_setting(text) returns text', `''`))
    await setup.query(trap('set_config(text, text, boolean) returns text', `''`))
    await setup.query(trap('pg_current_wal_flush_lsn() returns pg_lsn', 'null'))
    await setup.query(
      `create view trap.pg_settings as select 1 as name, 2 as setting; create view trap.pg_database as select 'x' as datname`,
    )
    await setup.end()
    try {
      const plain = await cluster.connect()
      await expect(plain.query('select pg_is_in_recovery()')).rejects.toThrow('trapped')
      await plain.end()

      await using session = await openBackupSession(sessionOptions(cluster))
      const asking = await openSession(connectTo(cluster))
      const [limits] = await asking.query(
        `select current_setting('statement_timeout') as s, current_setting('idle_in_transaction_session_timeout') as i`,
      )
      expect(limits).toEqual({ s: '0', i: '0' })
      await asking.query('select pg_sleep(0.5)')
      await asking.close()
      const end = await session.finish(60_000)
      expect(end.finishLsn).toBeGreaterThan(session.startLsn)
    } finally {
      const cleanup = await cluster.connect()
      await cleanup.query('set default_transaction_read_only = off; set search_path = pg_catalog')
      await cleanup.query('drop schema trap cascade; alter role postgres reset all; alter database postgres reset all')
      await cleanup.end()
    }
  })

  it('on a standby that is promoted in the middle gives the backup up, and never takes a segment of the old timeline for complete', async () => {
    await using standby = await createStandby(cluster, { settings: { max_replication_slots: 4, max_wal_senders: 4 } })
    await cluster.query('checkpoint')
    await using session = await openBackupSession(sessionOptions(standby))
    expect(session.facts.inRecovery).toBe(true)
    const replayed = async (): Promise<bigint> => {
      const [row] = await standby.query<{ lsn: string }>(`select (pg_last_wal_replay_lsn() - '0/0')::text as lsn`)
      return BigInt(row?.lsn ?? 0)
    }
    await standby.query('select pg_promote()')
    await standby.waitForValue('select pg_is_in_recovery()::text', 'false')
    const bytes = session.facts.walSegmentBytes
    const current = segmentStart(Math.floor(Number(await replayed()) / bytes) + 1, bytes)
    expect(await session.holdsWalUpTo(current)).toBe(false)
    await expect(session.finish(0)).rejects.toMatchObject({ kind: 'conflict', code: 'BACKUP_TIMELINE_CHANGED' })
    await session[Symbol.asyncDispose]()
  })
})
