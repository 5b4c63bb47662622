import {
  mustRun,
  runAs,
  startCluster,
  startRestored,
  temporaryFolder,
  waltzCommand,
  type TemporaryFolder,
  type TestCluster,
} from '@waltz/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const MAJOR = 15
const BACKUPS = 12
/** The number of the permanent backup. */
const PERMANENT = 4
const RESTORES_AT_ONCE = 2

/** What `backup-list --detail --json` tells, as far as this needs it. */
interface Listed {
  readonly backup_name: string
  readonly is_permanent: boolean
}

let work: TemporaryFolder
let waltz: string
let source: TestCluster
let env: Readonly<Record<string, string>>
/** Names of the backups, and the times behind them; the first is number 1. */
const names: string[] = []
const times: string[] = []
let restores = 0

beforeAll(async () => {
  work = temporaryFolder()
  waltz = await waltzCommand()
  env = { WALG_FILE_PREFIX: work.makeFolder('repository') }
  source = await startCluster({
    major: MAJOR,
    initdbArgs: ['--wal-segsize=1'],
    settings: {
      archive_mode: 'on',
      archive_timeout: 0,
      archive_command: `WALG_FILE_PREFIX=${env['WALG_FILE_PREFIX']} ${waltz} wal-push %p`,
    },
  })
  await source.query('create table rounds(round int, filler text)')
  for (let round = 1; round <= BACKUPS; round += 1) {
    await fill(round)
    const words = round === PERMANENT ? ['--permanent'] : []
    await mustRun(waltz, ['backup-push', source.dataDirectory, ...words], { env: { ...env, ...source.env } })
    names.push((await list()).at(-1)?.backup_name ?? '')
    // Moments that `delete before` is given lie between backups, to the second.
    times.push(`${new Date(Date.now() + 1000).toISOString().slice(0, 19)}Z`)
    if (round === 3) await source.query('select pg_sleep(2)')
  }
  await fill(BACKUPS + 1)
  const [last] = await source.query<{ name: string }>('select pg_walfile_name(pg_switch_wal()) as name')
  await source.waitForValue(`select (last_archived_wal >= '${last?.name}')::text from pg_stat_archiver`, 'true')
})
afterAll(async () => {
  await source?.dispose()
  await work?.dispose()
})

async function fill(round: number): Promise<void> {
  await source.query(`insert into rounds select ${round}, repeat(md5(i::text), 10) from generate_series(1, 300) i`)
}

async function list(): Promise<readonly Listed[]> {
  return JSON.parse(await mustRun(waltz, ['backup-list', '--detail', '--json'], { env })) as Listed[]
}

/** Numbers of the backups that are there. */
async function present(): Promise<readonly number[]> {
  return (await list()).map((backup) => names.indexOf(backup.backup_name) + 1)
}

/** Restores with these words, starts the server, and gives the newest round and how many there are. */
async function restored(...words: readonly string[]): Promise<string> {
  const target = work.join(`restored-${(restores += 1)}`)
  await mustRun(waltz, ['backup-fetch', target, ...words, '--target-action', 'promote'], { env })
  await using copy = await startRestored(target, MAJOR, { env })
  await copy.waitForValue('select pg_is_in_recovery()::text', 'false')
  const [row] = await copy.query<{ found: string }>(`select max(round) || ' of ' || count(distinct round) as found from rounds`)
  return row?.found ?? ''
}

/** Every backup that is left comes up with what it held, the newest one also with all that came later. */
async function expectAllRestore(): Promise<void> {
  const backups = await list()
  const waiting = backups.values()
  const found: [number, string][] = []
  const lane = async (): Promise<void> => {
    for (const backup of waiting) {
      found.push([names.indexOf(backup.backup_name) + 1, await restored(backup.backup_name, '--target-immediate')])
    }
  }
  await Promise.all(Array.from({ length: RESTORES_AT_ONCE }, lane))
  const rounds = backups.map((backup) => names.indexOf(backup.backup_name) + 1)
  expect(found.toSorted(([left], [right]) => left - right)).toEqual(rounds.map((round) => [round, `${round} of ${round}`]))
  const end = BACKUPS + 1
  expect(await restored(backups.at(-1)?.backup_name ?? '', '--target-timeline', 'latest')).toBe(`${end} of ${end}`)
}

/** Deletes what was looked at before. */
async function remove(...words: readonly string[]): Promise<void> {
  const before = await present()
  const { plan } = JSON.parse(await mustRun(waltz, ['delete', ...words, '--json'], { env })) as { readonly plan: string }
  expect(await present()).toEqual(before)
  await mustRun(waltz, ['delete', ...words, '--plan', plan], { env })
}

describe(`a dozen backups on PostgreSQL ${MAJOR}`, () => {
  it('all come up before anything is deleted', async () => {
    expect(await present()).toEqual(names.map((_, index) => index + 1))
    expect((await list()).map((backup) => backup.is_permanent).indexOf(true)).toBe(PERMANENT - 1)
  })

  it('delete target: the others come up', async () => {
    await remove('target', names[8] ?? '')
    expect(await present()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12])
    await expectAllRestore()
  })

  it('delete before a time, and of a permanent backup by its name', async () => {
    await remove('before', times[2] ?? '')
    expect(await present()).toEqual([4, 5, 6, 7, 8, 10, 11, 12])
    expect((await runAs(waltz, ['delete', 'target', names[PERMANENT - 1] ?? '', '--confirm'], { env })).code).not.toBe(0)
    await expectAllRestore()
  })

  it('delete before a name, and garbage', async () => {
    await remove('before', names[6] ?? '')
    await remove('garbage')
    expect(await present()).toEqual([4, 7, 8, 10, 11, 12])
    await expectAllRestore()
  })

  it('delete retain', async () => {
    await remove('retain', 'FULL', '2')
    expect(await present()).toEqual([4, 11, 12])
    await expectAllRestore()
  })

  it('delete everything stops at a permanent backup, and with FORCE leaves nothing', async () => {
    expect((await runAs(waltz, ['delete', 'everything', '--confirm'], { env })).code).not.toBe(0)
    expect(await present()).toEqual([4, 11, 12])
    await mustRun(waltz, ['delete', 'everything', 'FORCE', '--confirm'], { env })
    expect(await mustRun(waltz, ['st', 'ls', '-r'], { env })).not.toMatch(/basebackups_005\/.|wal_005\/./)
    await mustRun(waltz, ['backup-list'], { env })
  })
})
