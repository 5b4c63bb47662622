import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import {
  copyRunningCluster,
  giveToOrdinaryUser,
  mustRun,
  startCluster,
  startRestored,
  temporaryFolder,
  waltzCommand,
  writeServerFile,
  type PostgresMajor,
  type ServerSettings,
  type TemporaryFolder,
} from '@waltz/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/**
 * PostgreSQL takes a failing restore_command for the end of the WAL and promotes. Here every kind of failure happens in
 * the middle of an archive, to real servers: whatever it is, the server stops or waits, and never becomes writable with
 * rows missing.
 */

type Codec = 'lz4' | 'none' | 'brotli'
const EXTENSION: Record<Codec, string> = { lz4: '.lz4', none: '', brotli: '.br' }
/** How recovery is asked for. */
type Mode = 'no target' | 'target time' | 'target lsn' | 'standby'
/** What became of a server: it ended, it stayed in recovery, or it became writable, with so many rows. */
type Outcome = { readonly kind: 'stopped' | 'waiting' } | { readonly kind: 'writable'; readonly rows: number }

interface Scene {
  /** A base backup without any WAL. */
  readonly base: string
  /** The archive, by codec. */
  readonly repositories: Readonly<Record<Codec, string>>
  /** In the middle: recovery is consistent before it, and rows lie in it and behind it. */
  readonly victim: string
  /** The segment before the victim, and the one behind it. */
  readonly before: string
  readonly behind: string
  readonly rows: number
  /** Just behind the last row. */
  readonly endLsn: string
}

interface Failure {
  readonly name: string
  readonly codec?: Codec
  /** Damages the copy of the repository at `root`, where the victim is `object`. */
  readonly damage?: (at: { readonly root: string; readonly object: string; readonly scene: Scene; readonly extension: string }) => void
  /** Shell text run just before the victim is fetched. */
  readonly just?: (at: { readonly root: string; readonly other: string }) => string
  /** What a standby does; everything else stops. */
  readonly standby: 'stopped' | 'waiting'
  /** Also with a target that the archive would reach later. */
  readonly everyMode?: boolean
}

const change = (path: string, edit: (bytes: Buffer) => Uint8Array): void => writeFileSync(path, edit(readFileSync(path)))
const flip = (at: (length: number) => number) => (bytes: Buffer) => {
  const index = at(bytes.length)
  bytes[index] = (bytes[index] ?? 0) ^ 0xff
  return bytes
}
const half = (length: number): number => length >> 1
const sh = (command: string, ...args: string[]): Promise<string> => mustRun(command, args, { user: 'self' })

const failures: readonly Failure[] = [
  { name: 'a hole', damage: ({ object }) => writeFileSync(`${object}.gone`, ''), just: () => '', standby: 'waiting', everyMode: true },
  { name: 'flipped bytes', damage: ({ object }) => change(object, flip(half)), standby: 'stopped', everyMode: true },
  { name: 'a cut object', damage: ({ object }) => change(object, (bytes) => bytes.subarray(0, half(bytes.length))), standby: 'stopped' },
  { name: 'an empty object', damage: ({ object }) => writeFileSync(object, ''), standby: 'stopped', everyMode: true },
  { name: 'an unreadable object', just: ({ root }) => `chmod 000 ${root}/wal_005/$1.*`, standby: 'stopped', everyMode: true },
  { name: 'an unreadable folder', just: ({ root }) => `chmod 000 ${root}/wal_005`, standby: 'stopped' },
  { name: 'an unknown extension', just: ({ root }) => `mv ${root}/wal_005/$1.lz4 ${root}/wal_005/$1.xz 2>/dev/null`, standby: 'stopped' },
  {
    name: "another segment's content",
    damage: ({ root, object, scene, extension }) => copyFileSync(join(root, 'wal_005', scene.before + extension), object),
    standby: 'stopped',
  },
  { name: 'a prefix that holds nothing', just: ({ other }) => `export WALG_FILE_PREFIX=${other}`, standby: 'waiting' },
  {
    name: "another cluster's archive",
    just: ({ root, other }) =>
      `mkdir -p ${other}/wal_005 ${other}/waltz && cp ${root}/wal_005/*7.lz4 ${other}/wal_005/ && ` +
      `sed 's/"[0-9]\\{15,\\}"/"7000000000000000001"/' ${root}/waltz/cluster.json > ${other}/waltz/cluster.json; export WALG_FILE_PREFIX=${other}`,
    standby: 'waiting',
  },
  { name: 'a missing setting', just: () => 'unset WALG_FILE_PREFIX', standby: 'stopped', everyMode: true },
  { name: 'a malformed setting', just: () => 'export WALG_COMPRESSION_METHOD=lz5', standby: 'stopped' },
  {
    name: 'a storage that is gone',
    just: ({ root }) => `[ ! -e ${root} ] || mv ${root} ${root}.away`,
    standby: 'waiting',
    everyMode: true,
  },
  { name: 'flipped bytes, none', codec: 'none', damage: ({ object }) => change(object, flip(half)), standby: 'stopped' },
  {
    name: 'a flipped byte in the record that comes over, none',
    codec: 'none',
    damage: ({ object }) =>
      change(
        object,
        flip(() => 47),
      ),
    standby: 'stopped',
  },
  {
    name: 'a flipped byte in the record that goes on in the next segment, none',
    codec: 'none',
    // The last bytes of the segment before: it is whole as far as it goes, so only the victim's fetch can tell.
    damage: ({ root, scene }) =>
      change(
        join(root, 'wal_005', scene.before),
        flip((length) => length - 2),
      ),
    standby: 'stopped',
  },
  {
    name: 'cut at a page, none',
    codec: 'none',
    damage: ({ object }) => change(object, (bytes) => bytes.subarray(0, 65_536)),
    standby: 'stopped',
  },
  {
    name: 'zeros from a page on, none',
    codec: 'none',
    damage: ({ object }) => change(object, (bytes) => bytes.fill(0, 65_536)),
    standby: 'stopped',
  },
  {
    name: "another segment's content, none",
    codec: 'none',
    damage: ({ root, object, scene }) => copyFileSync(join(root, 'wal_005', scene.before), object),
    standby: 'stopped',
  },
  { name: 'flipped bytes, brotli', codec: 'brotli', damage: ({ object }) => change(object, flip(half)), standby: 'stopped' },
  {
    name: 'a cut object, brotli',
    codec: 'brotli',
    damage: ({ object }) => change(object, (bytes) => bytes.subarray(0, half(bytes.length))),
    standby: 'stopped',
  },
]

/** So many servers at once: they share two cores. */
const AT_ONCE = 3
let running = 0
const queue: (() => void)[] = []
async function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
  if (running >= AT_ONCE) await new Promise<void>((resolve) => queue.push(resolve))
  running += 1
  try {
    return await work()
  } finally {
    running -= 1
    queue.shift()?.()
  }
}

let waltz: string
let work: TemporaryFolder
beforeAll(async () => {
  waltz = await waltzCommand()
  work = temporaryFolder()
})
afterAll(() => work.dispose())

const environment = (root: string, codec: Codec): Record<string, string> => ({
  WALG_FILE_PREFIX: root,
  WALG_COMPRESSION_METHOD: codec,
  WALTZ_WAL_FETCH_DEADLINE: '0s',
})

async function makeScene(major: PostgresMajor, folder: string): Promise<Scene> {
  const root = work.makeFolder(`${major}`, 'repository')
  const base = join(work.makeFolder(`${major}`, 'base'), 'data')
  await using server = await startCluster({
    major,
    initdbArgs: ['--wal-segsize=1'],
    settings: { wal_level: 'replica', archive_mode: true, archive_command: `${waltz} wal-push %p`, autovacuum: false, max_wal_senders: 2 },
    env: environment(root, 'lz4'),
  })
  await server.query('create table t as select i, repeat(md5(i::text), 20) as filler from generate_series(1, 99) i')
  await copyRunningCluster(server, base, work.makeFolder(`${major}`, 'tablespaces'))
  await server.query("insert into t values (100, 'first behind the base')")
  const [start] = await server.query<{ name: string }>('select pg_walfile_name(pg_current_wal_lsn()) as name')
  // Segments that fill up by themselves, so that records cross from one into the next.
  await server.query('insert into t select i, repeat(md5(i::text), 20) from generate_series(101, 5000) i')
  await server.query('select pg_switch_wal()')
  await server.query("insert into t values (5001, 'last')")
  const [end] = await server.query<{ lsn: string }>('select pg_current_wal_lsn() as lsn')
  await server.query('select pg_switch_wal()')
  // A fast stop archives everything first.
  await server.stop('fast')
  await sh('find', join(base, 'pg_wal'), '-type', 'f', '-delete')
  await sh('rm', '-f', join(base, 'postmaster.pid'), join(base, 'postmaster.opts'))
  const segments = readdirSync(join(root, 'wal_005'))
    .filter((name) => /^[0-9A-F]{24}\.lz4$/.test(name))
    .map((name) => name.slice(0, 24))
    .sort()
  const first = segments.indexOf(start.name)
  const [before, victim, behind] = segments.slice(first, first + 3) as [string, string, string]
  expect(first, server.log()).toBeGreaterThan(0)
  expect(segments.length).toBeGreaterThan(first + 4)
  const repositories = { lz4: root, none: await recoded(root, 'none', folder), brotli: await recoded(root, 'brotli', folder) }
  return { base, repositories, victim, before, behind, rows: 5001, endLsn: end.lsn }
}

/** The same archive with another codec, made by the commands. */
async function recoded(root: string, codec: Codec, folder: string): Promise<string> {
  const target = work.makeFolder(folder, `repository-${codec}`)
  const plain = work.makeFolder(folder, `plain-${codec}`)
  for (const object of readdirSync(join(root, 'wal_005'))) {
    const name = object.replace(/\.lz4$/, '')
    await mustRun(waltz, ['wal-fetch', name, join(plain, name)], { env: environment(root, 'lz4') })
    await mustRun(waltz, ['wal-push', join(plain, name)], { env: environment(target, codec) })
  }
  return target
}

interface Run {
  readonly scene: Scene
  readonly major: PostgresMajor
  readonly mode: Mode
  readonly failure?: Failure
  readonly codec?: Codec
  /** Another archive than the scene's. */
  readonly repository?: string
  readonly env?: Readonly<Record<string, string>>
  readonly settings?: ServerSettings
}

/** Adds timeline 2 to an archive: a copy of the base recovers, is promoted, gets a row more, and archives it. */
async function addTimeline(scene: Scene, major: PostgresMajor): Promise<string> {
  const folder = work.makeFolder(String(major), 'promoted')
  const data = join(folder, 'data')
  const root = join(folder, 'repository')
  await sh('cp', '-a', scene.base, data)
  await sh('cp', '-a', scene.repositories.lz4, root)
  writeServerFile(join(data, 'recovery.signal'), '')
  const settings = { restore_command: `${waltz} wal-fetch %f %p`, archive_mode: true, archive_command: `${waltz} wal-push %p` }
  await using server = await startRestored(data, major, { env: environment(root, 'lz4'), settings })
  await server.waitForValue('select pg_is_in_recovery()', 'false')
  await server.query("insert into t values (5002, 'on timeline 2')")
  await server.query('select pg_switch_wal()')
  // A server that stops gives its archiver no second chance.
  await server.waitForValue("select count(*) from pg_ls_archive_statusdir() where name like '%.ready'", '0')
  await server.stop('fast')
  expect(readdirSync(join(root, 'wal_005'))).toContain('00000002.history.lz4')
  return root
}

/** Restores the base with a copy of the archive, lets the failure happen, and sees what the server does. */
async function play({
  scene,
  major,
  mode,
  failure,
  codec = failure?.codec ?? 'lz4',
  repository,
  env = {},
  settings = {},
}: Run): Promise<Outcome & { readonly log: string }> {
  await using folder = temporaryFolder()
  const data = folder.join('data')
  const root = folder.join('repository')
  await sh('cp', '-a', scene.base, data)
  await sh('cp', '-a', repository ?? scene.repositories[codec], root)
  const extension = EXTENSION[codec]
  const object = join(root, 'wal_005', scene.victim + extension)
  failure?.damage?.({ root, object, scene, extension })
  if (readdirSync(join(root, 'wal_005')).includes(`${basename(object)}.gone`)) await sh('rm', object, `${object}.gone`)
  const other = folder.makeFolder('other')
  const script = folder.join('restore')
  const just = failure?.just?.({ root, other }) ?? ''
  writeFileSync(script, `echo "asked for $1" >&2\nif [ "$1" = ${scene.victim} ]; then :; ${just}\nfi\nexec ${waltz} wal-fetch "$1" "$2"\n`)
  giveToOrdinaryUser(script)
  writeServerFile(join(data, mode === 'standby' ? 'standby.signal' : 'recovery.signal'), '')
  const server = await startRestored(data, major, {
    stopped: true,
    env: { ...environment(root, codec), ...env },
    settings: {
      archive_mode: false,
      hot_standby: true,
      primary_conninfo: '',
      restore_command: `sh ${script} %f %p`,
      wal_retrieve_retry_interval: '200ms',
      recovery_target_action: 'promote',
      ...(mode === 'target time' && { recovery_target_time: '2099-01-01 00:00:00+00' }),
      ...(mode === 'target lsn' && { recovery_target_lsn: scene.endLsn }),
      ...settings,
    },
  })
  try {
    return { ...(await observe(server, scene)), log: server.log() }
  } finally {
    await server.dispose()
  }
}

async function observe(server: Awaited<ReturnType<typeof startRestored>>, scene: Scene): Promise<Outcome> {
  await server.start({ mayFail: true, timeoutMs: 30_000 })
  // A server that stays is watched until it has asked for the victim a few times, and a moment longer.
  const deadline = Date.now() + 20_000
  for (let quietSince = 0; Date.now() < deadline;) {
    if (!server.isRunning()) return { kind: 'stopped' }
    const [state] = await server.query<{ standby: boolean }>('select pg_is_in_recovery() as standby').catch(() => [])
    if (state !== undefined && !state.standby) {
      const [count] = await server.query<{ rows: number }>('select count(*)::int as rows from t')
      return { kind: 'writable', rows: count?.rows ?? -1 }
    }
    const asked = server.log().split(`asked for ${scene.victim}`).length - 1
    if (asked >= 3 && quietSince === 0) quietSince = Date.now()
    if (quietSince !== 0 && Date.now() - quietSince > 700) return { kind: 'waiting' }
    await new Promise((resolve) => setTimeout(resolve, 60))
  }
  return { kind: 'waiting' }
}

for (const major of [13, 15, 18] as const) {
  describe(`PostgreSQL ${major}`, { concurrent: true }, () => {
    let scene: Scene
    beforeAll(async () => {
      scene = await makeScene(major, String(major))
    })

    for (const codec of ['lz4', 'none', 'brotli'] as const) {
      it(`promotes with every row when nothing is wrong (${codec})`, () =>
        inTurn(async () => {
          const { log, ...outcome } = await play({ scene, major, mode: codec === 'lz4' ? 'target lsn' : 'no target', codec })
          expect(outcome, log).toEqual({ kind: 'writable', rows: scene.rows })
        }))
    }

    it("shows what is at stake: with WAL-G's exit codes a hole ends recovery and rows are gone", () =>
      inTurn(async () => {
        const env = { WALTZ_WAL_FETCH_EXIT_CODES: 'wal-g' }
        const { log, ...outcome } = await play({ scene, major, mode: 'no target', failure: failures[0], env })
        expect(outcome.kind, log).toBe('writable')
        expect(outcome.kind === 'writable' && outcome.rows, log).toBeLessThan(scene.rows)
      }))

    it('follows a newer timeline, and stops when its history is lost', () =>
      inTurn(async () => {
        const repository = await addTimeline(scene, major)
        const whole = await play({ scene, major, mode: 'no target', repository })
        expect(whole, whole.log).toMatchObject({ kind: 'writable', rows: scene.rows + 1 })
        // Without the history the server would recover timeline 1, promote, and the row of timeline 2 would be gone.
        const damage: Failure['damage'] = ({ root }) => rmSync(join(root, 'wal_005/00000002.history.lz4'))
        const lost = await play({
          scene,
          major,
          mode: 'no target',
          repository,
          failure: { name: 'no history', damage, standby: 'waiting' },
        })
        expect(lost, lost.log).toMatchObject({ kind: 'stopped' })
        expect(lost.log).toContain('WAL_HISTORY_HOLE')
      }))

    for (const failure of failures) {
      const modes: readonly Mode[] =
        failure.everyMode === true ? ['no target', 'target time', 'target lsn', 'standby'] : ['no target', 'standby']
      for (const mode of modes) {
        it(`${failure.name}: ${mode === 'standby' ? failure.standby : 'stopped'} (${mode})`, () =>
          inTurn(async () => {
            const { log, ...outcome } = await play({ scene, major, mode, failure })
            expect(outcome, log).toEqual({ kind: mode === 'standby' ? failure.standby : 'stopped' })
            expect(log).toContain(`asked for ${scene.victim}`)
          }))
      }
    }
  })
}
