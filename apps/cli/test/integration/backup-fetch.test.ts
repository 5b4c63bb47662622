import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  fixturePath,
  mustRun,
  runAs,
  startRestored,
  temporaryFolder,
  waltzCommand,
  type PostgresMajor,
  type TestCluster,
} from '@waltz/testkit'

interface Expected {
  readonly postgres: { readonly major: PostgresMajor }
  readonly moments: readonly { readonly id: string; readonly queries: Readonly<Record<string, string>> }[]
}

interface Case {
  readonly fixture: string
  readonly moment: string
  readonly flags: readonly string[]
  readonly backup?: string
  /** Tablespaces that go elsewhere. */
  readonly tablespaces?: readonly string[]
}

/** Backups that WAL-G made, taken to moments of which it is recorded what was in the database. */
const cases: readonly Case[] = [
  { fixture: 'versions/pg13', moment: 'rp2', flags: ['--target-name', 'rp2'] },
  { fixture: 'versions/pg17', moment: 'rp1', flags: ['--target-name', 'rp1'] },
  { fixture: 'versions/pg18-16mb', moment: 'rp3', flags: ['--target-name=rp3'] },
  { fixture: 'codecs/lz4', moment: 'time', flags: ['--target-time', '2026-11-20 22:35:41.296856+00'] },
  { fixture: 'codecs/zstd', moment: 'latest', flags: ['--target-timeline', 'latest'] },
  { fixture: 'codecs/brotli', moment: 'rp1', flags: ['--target-name', 'rp1'] },
  { fixture: 'codecs/gzip-read-only', moment: 'latest', flags: ['--target-timeline', 'current'] },
  {
    fixture: 'timelines/main',
    moment: 'fork1',
    backup: 'base_000000010000000000000013',
    flags: ['--target-name', 'fork1', '--target-timeline', '1'],
  },
  { fixture: 'timelines/main', moment: 'end-of-timeline-1', flags: ['--target-timeline', '1'] },
  { fixture: 'timelines/main', moment: 'fork2', backup: 'base_000000020000000000000019', flags: ['--target-name', 'fork2'] },
  { fixture: 'timelines/main', moment: 'latest', flags: ['--target-timeline', 'latest'] },
  { fixture: 'standby', moment: 'latest', flags: ['--target-timeline', 'latest'] },
  { fixture: 'remote/pg14-plain', moment: 'rp1', flags: ['--target-name', 'rp1'] },
  { fixture: 'remote/pg15-tablespaces', moment: 'latest', flags: ['--target-timeline', 'latest'], tablespaces: ['16771', '16772'] },
]

/** These clusters have one database, `app`. */
async function waitFor(cluster: TestCluster, sql: string, value: string): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt++) {
    const [row] = await cluster.query<Record<string, unknown>>(sql, [], 'app')
    if (Object.values(row ?? {})[0] === value) return
    await new Promise((wake) => setTimeout(wake, 100))
  }
  throw new Error(`${sql} never became ${value}\n${cluster.log()}`)
}

describe.each(cases)('$fixture at $moment', ({ fixture, moment, flags, backup, tablespaces }) => {
  const folder = fixturePath(fixture)
  it.skipIf(folder === undefined)('has the rows that were there', async () => {
    await using work = temporaryFolder()
    const { postgres, moments } = JSON.parse(readFileSync(join(folder ?? '', 'expected.json'), 'utf8')) as Expected
    const env = { WALG_FILE_PREFIX: join(folder ?? '', 'repo') }
    const target = work.join('restored data')
    const spec = tablespaces === undefined ? [] : ['--restore-spec', work.join('spec.json')]
    if (tablespaces !== undefined) {
      const entries = tablespaces.map((name) => [name, { loc: work.join(`ts ${name}`), link: `pg_tblspc/${name}` }] as const)
      writeFileSync(work.join('spec.json'), JSON.stringify({ base_prefix: target, tablespaces, ...Object.fromEntries(entries) }))
    }
    const waltz = await waltzCommand()
    const named = backup === undefined ? [] : [backup]
    const output = await mustRun(waltz, ['backup-fetch', target, ...named, ...flags, ...spec, '--target-action', 'promote', '--json'], {
      env,
    })
    expect(JSON.parse(output)).toMatchObject({
      destination: target,
      skipped: { count: 0 },
      recovery: { required_variables: ['WALG_FILE_PREFIX'] },
    })
    expect(existsSync(join(target, 'recovery.signal'))).toBe(true)

    await using restored = await startRestored(target, postgres.major, { env })
    await waitFor(restored, 'select pg_is_in_recovery()::text', 'false')
    const expected = moments.find((one) => one.id === moment)?.queries ?? {}
    expect(Object.keys(expected).length).toBeGreaterThan(0)
    const found: Record<string, string> = {}
    for (const query of Object.keys(expected)) {
      const [row] = await restored.query<Record<string, string | null>>(query, [], 'app')
      found[query] = Object.values(row ?? {})
        .map((value) => value ?? '')
        .join('|')
    }
    expect(found).toEqual(expected)
    expect((await restored.query('show archive_mode', [], 'app'))[0]).toEqual({ archive_mode: 'off' })
  })
})

describe('waltz backup-fetch', () => {
  // The project has a copy of its own, so this runs everywhere.
  const env = { WALG_FILE_PREFIX: join(fixturePath('codecs/zstd') ?? '', 'repo') }

  it('pauses at the target until it is promoted with the printed command', async () => {
    await using work = temporaryFolder()
    const waltz = await waltzCommand()
    const target = work.join('data')
    const fetched = await runAs(waltz, ['backup-fetch', target, '--target-name', 'rp1'], { env })
    expect(fetched).toMatchObject({ code: 0, stdout: '' })
    expect(fetched.stderr).toContain(`promote it with: pg_ctl -D ${target} promote`)
    await using restored = await startRestored(target, 15, { env })
    await waitFor(restored, 'select pg_get_wal_replay_pause_state()', 'paused')
    expect((await restored.query('select count(*)::int as rows from acct', [], 'app'))[0]).toEqual({ rows: 2100 })
    await restored.query('select pg_promote()', [], 'app')
    await waitFor(restored, 'select pg_is_in_recovery()::text', 'false')
  })

  it('makes a standby that goes on waiting for WAL', async () => {
    await using work = temporaryFolder()
    const waltz = await waltzCommand()
    const target = work.join('data')
    await mustRun(waltz, ['backup-fetch', target, 'LATEST', '--standby'], { env })
    await using standby = await startRestored(target, 15, { env })
    await waitFor(standby, `select (pg_last_wal_replay_lsn() >= '0/9000000')::text`, 'true')
    expect((await standby.query('select pg_is_in_recovery()::text as recovering', [], 'app'))[0]).toEqual({ recovering: 'true' })
  })

  it('plans without a trace, and says what was wrong with its exit code', async () => {
    await using work = temporaryFolder()
    const waltz = await waltzCommand()
    const target = work.join('data')
    const run = (...args: readonly string[]): ReturnType<typeof runAs> => runAs(waltz, ['backup-fetch', ...args], { env })
    const plan = await run(target, '--target-time=2026-11-20T22:35:41Z', '--plan')
    expect(plan.code).toBe(0)
    expect(plan.stdout).toMatch(
      /^backup +base_000000010000000000000005\nwhy +the newest full backup that ended before time 2026-11-20 22:35:41\+00:00/,
    )
    expect(plan.stdout).toContain("recovery_target_time = '2026-11-20 22:35:41.000000+00'\n")
    expect(existsSync(target)).toBe(false)
    expect(await run(target)).toMatchObject({ code: 2, stdout: '' })
    expect(await run(target, 'LATEST', '--target-user-data', '{}')).toMatchObject({ code: 2 })
    expect(await run(target, 'base_0000000100000000000000EE')).toMatchObject({ code: 74 })
    expect(await run(target, '--target-time', 'yesterday')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('RECOVERY_TARGET_INVALID'),
    })
    expect(await run(target, '--target-time', '2020-01-01')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('What can be reached goes from 2026-11-20 22:35:35'),
    })
    expect(await run(target, 'LATEST', '--mask', 'x')).toMatchObject({ code: 2, stderr: expect.stringContaining('not available yet') })
    expect(existsSync(target)).toBe(false)
    writeFileSync(work.join('file'), '')
    expect(await run(work.path, 'LATEST')).toMatchObject({ code: 20 })
    expect(await run(work.path, 'LATEST', '--plan')).toMatchObject({ code: 20, stdout: expect.stringContaining('REFUSED') })
  })
})
