import { writeFileSync } from 'node:fs'
import {
  azureEnvironment,
  contentProof,
  giveToOrdinaryUser,
  runAs,
  s3Environment,
  sharedServer,
  sshEnvironment,
  startCluster,
  startGcsFake,
  startRestored,
  swiftEnvironment,
  temporaryFolder,
  waltzCommand,
  type GcsFake,
  type RunResult,
  type StorageEnvironment,
  type TestCluster,
} from '@waltz/testkit'
import { afterAll, describe, expect, it } from 'vitest'

const MAJOR = 15
const work = temporaryFolder()
const radosgw = await sharedServer('radosgw')
const swift = await sharedServer('swift')
const azurite = await sharedServer('azurite')
const sshd = await sharedServer('sshd')
let gcs: GcsFake | undefined

interface Kind {
  readonly name: string
  /** The server, and why it is not there. */
  readonly on: { readonly title: string; readonly missing: string | undefined }
  readonly environment: () => Promise<StorageEnvironment>
}

const here = { title: 'this machine', missing: undefined }
const kinds: readonly Kind[] = [
  { name: 'file', on: here, environment: async () => ({ WALG_FILE_PREFIX: work.makeFolder('repository') }) },
  { name: 's3', on: radosgw, environment: () => s3Environment(radosgw.server) },
  { name: 'oss', on: radosgw, environment: () => ossEnvironment() },
  { name: 'azure', on: azurite, environment: () => azureEnvironment(azurite.server) },
  { name: 'swift', on: swift, environment: () => swiftEnvironment(swift.server) },
  { name: 'swift-v1', on: { ...radosgw, title: `${radosgw.title}, its Swift` }, environment: () => swiftEnvironment(radosgw.server) },
  { name: 'ssh', on: sshd, environment: () => sshEnvironment(sshd.server) },
  { name: 'gcs', on: { ...here, title: 'the FAKE of its JSON API' }, environment: () => gcsEnvironment() },
]

/** What OSS is called for S3: an address without a name has the bucket in the path. */
async function ossEnvironment(): Promise<StorageEnvironment> {
  const { endpoint, region, accessKeyId, secretAccessKey } = radosgw.server
  return {
    WALG_OSS_PREFIX: `oss://${await radosgw.server.createBucket()}/repository`,
    OSS_ENDPOINT: endpoint,
    OSS_REGION: region,
    OSS_ACCESS_KEY_ID: accessKeyId,
    OSS_ACCESS_KEY_SECRET: secretAccessKey,
  }
}

async function gcsEnvironment(): Promise<StorageEnvironment> {
  gcs = await startGcsFake({ auth: true })
  const key = work.join('service-account.json')
  writeFileSync(key, JSON.stringify(gcs.serviceAccountKey), { mode: 0o600 })
  giveToOrdinaryUser(key)
  return { WALG_GS_PREFIX: 'gs://bucket/repository', WALTZ_GCS_ENDPOINT: gcs.endpoint, GOOGLE_APPLICATION_CREDENTIALS: key }
}

async function fill(cluster: TestCluster, round: number): Promise<void> {
  await cluster.query(`
    create table if not exists accounts(id int primary key, owner text, noted timestamptz);
    insert into accounts select ${round} * 100000 + i, md5(i::text), '2026-01-01'::timestamptz + i * interval '1 minute' from generate_series(1, 3000) i;
    update accounts set owner = owner || ${round} where id % 7 = 0`)
}

async function archiveAll(cluster: TestCluster): Promise<void> {
  const [last] = await cluster.query<{ name: string }>('select pg_walfile_name(pg_switch_wal()) as name')
  await cluster.waitForValue(`select (last_archived_wal >= '${last?.name}')::text from pg_stat_archiver`, 'true')
}

afterAll(async () => {
  await gcs?.stop()
  await work.dispose()
})

/** A server of each storage's own: it archives with the command as everybody does, and no storage waits for another. */
describe.concurrent.each(kinds)('the journey with $name', ({ name, on, environment }) => {
  it.skipIf(on.missing !== undefined)(`on ${on.title}`, async () => {
    const waltz = await waltzCommand()
    const env = await environment()
    const run = (...args: readonly string[]): Promise<RunResult> => runAs(waltz, args, { env })
    await using source = await startCluster({
      major: MAJOR,
      env,
      settings: { archive_mode: 'on', archive_command: `${waltz} wal-push %p`, wal_level: 'replica', max_wal_senders: 4 },
    })
    await fill(source, 1)
    const push = await runAs(waltz, ['backup-push', source.dataDirectory, '--json'], { env: { ...env, ...source.env } })
    expect(push.code, push.stderr + source.log()).toBe(0)
    const { backup_name: backup } = JSON.parse(push.stdout) as { readonly backup_name: string }
    await fill(source, 2)
    const before = await contentProof(source)
    const [row] = await source.query<{ at: string }>('select clock_timestamp()::text as at')
    await source.query('select pg_sleep(0.05)')
    await source.query('drop table accounts')
    await archiveAll(source)
    expect(await source.query('select failed_count::int as failed from pg_stat_archiver'), source.log()).toEqual([{ failed: 0 }])

    const list = await run('backup-list')
    expect([list.code, list.stdout.match(/base_[0-9A-F]{24}/g)], list.stderr).toEqual([0, [backup]])

    // Stored already.
    const [segment] = /[0-9A-F]{24}(?=\.lz4)/.exec((await run('st', 'ls', 'wal_005')).stdout) ?? ['']
    const fetched = work.join(`${name} segment`, segment)
    work.makeFolder(`${name} segment`)
    const fetch = await run('wal-fetch', segment, fetched)
    expect(fetch.code, fetch.stderr).toBe(0)
    const again = await run('wal-push', fetched)
    expect(again.code, again.stderr).toBe(0)
    const absent = await run('wal-fetch', '0000000100000000000000F0', work.join(`${name} absent`))
    expect(absent.code, absent.stderr).toBe(74)

    await lookAround(run, backup)
    const target = work.join(`${name} restored`)
    const restore = await run('backup-fetch', target, 'LATEST', '--target-time', row?.at ?? '', '--target-action', 'promote')
    expect(restore.code, restore.stderr).toBe(0)
    await using restored = await startRestored(target, source.major, { env })
    await restored.waitForValue('select pg_is_in_recovery()::text', 'false')
    expect(await contentProof(restored)).toEqual(before)
    expect(Object.values(before)).toEqual([{ rows: 6000, hash: expect.stringMatching(/^[0-9a-f]{32}$/) }])

    // Stored with other bytes; last, because a history without those before it stops every recovery.
    const other = work.join(`${name} other`, '00000009.history')
    work.makeFolder(`${name} other`)
    await writeOwn(other, '1\t0/3000000\tno recovery target specified\n')
    const first = await run('wal-push', other)
    await writeOwn(other, '1\t0/4000000\tno recovery target specified\n')
    const second = await run('wal-push', other)
    expect([first.code, second.code], first.stderr + second.stderr).toEqual([0, 21])
    expect(second.stderr).toContain('WAL_CONFLICT')
  })
})

async function lookAround(run: (...args: readonly string[]) => Promise<RunResult>, backup: string): Promise<void> {
  const top = await run('st', 'ls')
  expect([top.code, top.stdout.includes('basebackups_005/'), top.stdout.includes('wal_005/')], top.stderr).toEqual([0, true, true])
  const all = await run('st', 'ls', '-r', 'basebackups_005')
  expect(all.stdout).toContain(`${backup}/tar_partitions/`)
  const sentinel = await run('st', 'cat', `basebackups_005/${backup}_backup_stop_sentinel.json`)
  expect(sentinel.code, sentinel.stderr).toBe(0)
  expect(JSON.parse(sentinel.stdout)).toMatchObject({ PgVersion: expect.any(Number) })
  const nothing = await run('st', 'cat', 'basebackups_005/nothing.json')
  expect([nothing.code, nothing.stdout], nothing.stderr).toEqual([74, ''])
}

async function writeOwn(path: string, text: string): Promise<void> {
  writeFileSync(path, text)
  giveToOrdinaryUser(path)
}
