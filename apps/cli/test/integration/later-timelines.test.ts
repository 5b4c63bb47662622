import {
  directoryListing,
  mustRun,
  runAs,
  startCluster,
  startRestored,
  temporaryFolder,
  waltzCommand,
  type PostgresMajor,
  type TemporaryFolder,
  type TestCluster,
} from '@waltz/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/** An archive with three timelines: 2 left 1 early and went on, 3 left 1 at its end. Rows say where they were written. */
const major: PostgresMajor = 15

let work: TemporaryFolder
let waltz: string
let repository: string
let fork: string
const env = (): Record<string, string> => ({ WALG_FILE_PREFIX: repository })

async function archived(server: TestCluster): Promise<void> {
  const [last] = await server.query<{ name: string }>('select pg_walfile_name(pg_switch_wal()) as name')
  await server.waitForValue(`select (last_archived_wal >= '${last?.name}')::text from pg_stat_archiver`, 'true')
}

const note = (server: TestCluster, text: string): Promise<unknown> => server.query(`insert into notes(text) values ('${text}')`)

async function notesOf(server: TestCluster): Promise<string> {
  const [row] = await server.query<{ notes: string }>(`select coalesce(string_agg(text, ', ' order by id), '') as notes from notes`)
  return row?.notes ?? ''
}

/** Restores, recovers as the flags say, and lets `run` have the promoted server. */
async function withRestored<Result>(
  name: string,
  flags: readonly string[],
  run: (server: TestCluster) => Promise<Result>,
): Promise<Result> {
  const target = work.join(name)
  await mustRun(waltz, ['backup-fetch', target, 'LATEST', ...flags, '--target-action', 'promote'], { env: env() })
  await using server = await startRestored(target, major, { env: env() })
  await server.waitForValue('select pg_is_in_recovery()', 'false')
  const result = await run(server)
  await server.stop('fast')
  return result
}

beforeAll(async () => {
  waltz = await waltzCommand()
  work = temporaryFolder()
  repository = work.makeFolder('repository')
  await using server = await startCluster({
    major,
    initdbArgs: ['--wal-segsize=1'],
    env: env(),
    settings: { wal_level: 'replica', archive_mode: true, archive_command: `${waltz} wal-push %p`, max_wal_senders: 2 },
  })
  await server.query('create table notes(id serial primary key, text text)')
  await mustRun(waltz, ['backup-push', server.dataDirectory], { env: { ...env(), ...server.env } })
  await note(server, 'one')
  await server.query('select pg_sleep(0.1)')
  const [moment] = await server.query<{ at: string }>('select clock_timestamp()::text as at')
  fork = moment?.at ?? ''
  await server.query('select pg_sleep(0.1)')
  await note(server, 'one, later')
  await archived(server)
  await server.stop('fast')
  await withRestored('second', ['--target-time', fork, '--keep-archiving'], async (second) => {
    await note(second, 'two')
    await archived(second)
  })
  await withRestored('third', ['--target-timeline', '1', '--keep-archiving'], async (third) => {
    await note(third, 'three')
    await archived(third)
  })
})
afterAll(() => work.dispose())

describe('an archive with two later timelines', () => {
  it.each([
    { flags: ['--target-timeline', 'latest'], notes: 'one, one, later, three' },
    { flags: ['--target-timeline', '3'], notes: 'one, one, later, three' },
    { flags: ['--target-timeline', '0x2'], notes: 'one, two' },
    { flags: ['--target-timeline', 'current'], notes: 'one, one, later' },
  ])('is recovered along the right one: $flags', async ({ flags, notes }) => {
    const before = await directoryListing(repository)
    await withRestored(`copy ${flags.join(' ')}`, flags, async (server) => {
      expect(await notesOf(server)).toBe(notes)
      await server.query('checkpoint')
      // A copy that does not archive still keeps clear of the timelines that the archive knows.
      expect((await server.query('select timeline_id as timeline from pg_control_checkpoint()'))[0]).toEqual({ timeline: 4 })
    })
    expect(await directoryListing(repository)).toEqual(before)
  })
})

describe('a copy that is taken to a moment and promoted', () => {
  it("writes nothing into production's archive, and says so", async () => {
    const target = work.join("it's 100% \\ copy")
    const before = await directoryListing(repository)
    const fetched = await runAs(waltz, ['backup-fetch', target, '--target-time', fork, '--target-timeline', '1'], { env: env() })
    expect(fetched.code, fetched.stderr).toBe(0)
    expect(fetched.stderr).toContain('Archiving is off in this copy (archive_mode = off')
    await using server = await startRestored(target, major, { env: env() })
    await server.waitForValue('select pg_get_wal_replay_pause_state()', 'paused')
    expect(await notesOf(server)).toBe('one')
    await server.query('select pg_promote()')
    await server.waitForValue('select pg_is_in_recovery()', 'false')
    await note(server, 'mine')
    await server.query('select pg_switch_wal()')
    await note(server, 'mine too')
    await server.query('select pg_switch_wal()')
    await server.query('checkpoint')
    expect((await server.query('show archive_mode'))[0]).toEqual({ archive_mode: 'off' })
    await server.stop('fast')
    expect(await directoryListing(repository)).toEqual(before)
  })
})
