import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatBytes, formatCount, type Narration } from './narration.ts'
import { folderBytes, type Playground } from './playground.ts'
import type { DemoStorage } from './storage.ts'
import { startServer, type DemoServer } from './server.ts'

/** What the journey came to. */
export interface Outcome {
  /** Whether every table is what it was at the chosen moment. */
  readonly proven: boolean
}

interface TableProof {
  readonly name: string
  readonly rows: number
  readonly hash: string
}

const SEGMENT_BYTES = 16 * 2 ** 20
const TABLES = ['customers', 'orders'] as const

/** Plays the whole journey in `playground`, with the repository in `storage`. @throws Error when a step fails. */
export async function playJourney(playground: Playground, storage: DemoStorage, narration: Narration): Promise<Outcome> {
  const { waltz } = playground
  const { environment } = storage
  const stored = (): string => storage.progress()
  playground.makeFolder('programs')
  await narration.during('building waltz', playground.buildWaltz())
  if (storage.kind !== 'file') narration.step(`The repository is ${storage.title}, a real server that was started for this.`)

  const server = await narration.during('creating a database', createServer(playground, environment))
  narration.step(`A database: PostgreSQL ${await server.value('show server_version')}, new and empty, in ${server.dataDirectory}`)
  narration.step("Its archive_command is 'waltz wal-push %p': every change is archived as soon as a 16 MiB file of WAL is full.")

  await narration.during('filling the tables', fillTables(server))
  narration.step(`Two tables are filled: ${(await proofs(server)).map(({ name, rows }) => `${formatCount(rows)} ${name}`).join(', ')}.`)

  const dataBytes = folderBytes(server.dataDirectory) - folderBytes(join(server.dataDirectory, 'pg_wal'))
  const push = await timed(
    narration.during(
      'backing up',
      playground.run(waltz, ['backup-push', server.dataDirectory], { ...environment, ...server.environment }),
      stored,
    ),
  )
  const backup = { bytes: (await storage.measure()).backupBytes }
  narration.step(`waltz backup-push: the running server is backed up, ${formatBytes(backup.bytes)} in ${push.seconds.toFixed(1)} s.`)

  await narration.during('the shop goes on', server.query(`insert into orders ${ordersFrom(400_001, 450_000)}`))
  const before = await proofs(server)
  const moment = await nextFullSecond(server)
  narration.step(
    `The shop goes on: now ${before.map(({ name, rows }) => `${formatCount(rows)} ${name}`).join(', ')}. The time is ${moment}.`,
  )

  await server.query("insert into orders (id, remark) values (0, 'after the moment')")
  await server.query('drop table orders')
  narration.step('One more order comes in, and then somebody types: DROP TABLE orders;')
  await narration.during('the shop goes on', goOnUntilArchived(server), stored)
  narration.step('Nobody notices at once: more changes come in, and WAL goes on being archived.')

  const target = ['backup-fetch', join(playground.path, 'restored'), 'LATEST', '--target-time', moment]
  const fetch = await timed(narration.during('restoring', playground.run(waltz, target, environment)))
  narration.step(`waltz backup-fetch … --target-time '${moment}': the backup is restored in ${fetch.seconds.toFixed(1)} s.`)

  const recovery = await timed(narration.during('replaying WAL', recoverToPause(playground, environment)))
  const restored = recovery.result
  narration.step(`PostgreSQL replays WAL, which it gets by 'waltz wal-fetch', and pauses at that moment: ${recovery.seconds.toFixed(1)} s.`)

  const after = await proofs(restored)
  await promote(restored)
  const promoted = await proofs(restored)
  const proven = sameProofs(before, after) && sameProofs(before, promoted)
  narration.step(
    `The orders are back. Promoted with pg_wal_replay_resume(), the restored database takes writes on timeline ${await timeline(restored)}.`,
  )

  const { walSegments, walBytes } = await storage.measure()
  await server.stop()
  await restored.stop()
  narration.say('')
  narration.table(
    ['', 'size', 'stored', 'ratio', 'seconds'],
    [
      ['backup', formatBytes(dataBytes), formatBytes(backup.bytes), ratio(dataBytes, backup.bytes), push.seconds.toFixed(1)],
      [
        `WAL (${walSegments} segments)`,
        formatBytes(walSegments * SEGMENT_BYTES),
        formatBytes(walBytes),
        ratio(walSegments * SEGMENT_BYTES, walBytes),
        '',
      ],
      ['restore', formatBytes(dataBytes), '', '', fetch.seconds.toFixed(1)],
      ['recovery', '', '', '', recovery.seconds.toFixed(1)],
    ],
  )
  narration.say('')
  narration.table(['proof', 'rows before', 'rows after', 'md5 before', 'md5 after', ''], proofRows(before, promoted))
  return { proven }
}

async function createServer(playground: Playground, environment: Readonly<Record<string, string>>): Promise<DemoServer> {
  const data = join(playground.path, 'database')
  const args = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync']
  await playground.run(join(playground.postgresBin, 'initdb'), args)
  const settings = [
    'wal_level = replica',
    'archive_mode = on',
    `archive_command = '"${playground.waltz}" wal-push "%p"'`,
    'max_wal_size = 1GB',
  ]
  appendFileSync(join(data, 'postgresql.conf'), `\n${settings.join('\n')}\n`)
  return startServer(playground, 'database', environment)
}

async function fillTables(server: DemoServer): Promise<void> {
  await server.query(`create table customers as
    select id, md5(id::text) as name, now() - id * interval '1 minute' as since from generate_series(1, 20000) id`)
  await server.query(`create table orders as ${ordersFrom(1, 400_000)}`)
  await server.query('create index on orders (customer)')
  await server.query('checkpoint')
}

/** Orders that look like orders: some columns repeat, some do not. */
function ordersFrom(first: number, last: number): string {
  return `select id, id % 20000 + 1 as customer, (random() * 1000)::numeric(8, 2) as amount, now() + id * interval '1 second' as placed,
      (array['new', 'paid', 'packed', 'sent', 'delivered'])[1 + id % 5] as state, 'ORD-' || to_char(id, 'FM00000000') as reference,
      'leave it with the neighbours, floor ' || id % 7 as remark
    from generate_series(${first}, ${last}) id`
}

async function proofs(server: DemoServer): Promise<readonly TableProof[]> {
  const found: TableProof[] = []
  for (const name of TABLES) {
    const [row] = await server.query<{ rows: number; hash: string }>(
      `select count(*)::int as rows, md5(string_agg(t::text, ',' order by id)) as hash from ${name} t`,
    )
    found.push({ name, rows: row?.rows ?? 0, hash: row?.hash ?? '' })
  }
  return found
}

/** Lets a full second pass after everything committed so far and before what follows; returns it with its offset. */
async function nextFullSecond(server: DemoServer): Promise<string> {
  const moment = await server.value(
    `select to_char(date_trunc('second', clock_timestamp() + interval '1 second') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`,
  )
  await server.query(`select pg_sleep(extract(epoch from timestamptz '${moment}' - clock_timestamp()) + 0.3)`)
  return moment
}

/** More changes, until the segment that holds the mistake and the one behind it are in the archive. */
async function goOnUntilArchived(server: DemoServer): Promise<void> {
  await server.query(`insert into customers select id, 'new', now() from generate_series(20001, 30000) id`)
  const segment = await server.value('select pg_walfile_name(pg_switch_wal())')
  await until(
    async () => (await server.value(`select coalesce(last_archived_wal >= '${segment}', false) from pg_stat_archiver`)) === 'true',
    () => new Error(`the segment ${segment} was not archived:\n${server.log().split('\n').slice(-20).join('\n')}`),
  )
}

async function recoverToPause(playground: Playground, environment: Readonly<Record<string, string>>): Promise<DemoServer> {
  const server = await startServer(playground, 'restored', environment)
  await until(
    async () => (await server.value('select pg_get_wal_replay_pause_state()')) === 'paused',
    () => new Error(`recovery did not reach the moment:\n${server.log()}`),
  )
  return server
}

async function promote(server: DemoServer): Promise<void> {
  await server.query('select pg_wal_replay_resume()')
  await until(
    async () => (await server.value('select pg_is_in_recovery()')) === 'false',
    () => new Error(`the restored database was not promoted:\n${server.log()}`),
  )
  await server.query('create table written_after_the_restore as select 1 as id')
}

async function until(holds: () => Promise<boolean>, failure: () => Error): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt += 1) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw failure()
}

function timeline(server: DemoServer): Promise<string> {
  return server.value("select ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int")
}

async function timed<Result>(work: Promise<Result>): Promise<{ readonly result: Result; readonly seconds: number }> {
  const startedAt = performance.now()
  const result = await work
  return { result, seconds: (performance.now() - startedAt) / 1000 }
}

function ratio(plain: number, stored: number): string {
  return `${(plain / stored).toFixed(1)} x`
}

function sameProofs(one: readonly TableProof[], other: readonly TableProof[]): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

function proofRows(before: readonly TableProof[], after: readonly TableProof[]): readonly (readonly string[])[] {
  return before.map((proof, index) => {
    const other = after[index]
    const same = other !== undefined && sameProofs([proof], [other])
    return [
      proof.name,
      formatCount(proof.rows),
      formatCount(other?.rows ?? 0),
      proof.hash.slice(0, 12),
      other?.hash.slice(0, 12) ?? '',
      same ? 'the same' : 'DIFFERENT',
    ]
  })
}
