import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  checkRepositoryStrictly,
  contentProof,
  giveToOrdinaryUser,
  makeTablespaceFolder,
  mustRun,
  postgresMajors,
  runAs,
  startCluster,
  startRestored,
  temporaryFolder,
  waltzCommand,
  type TestCluster,
} from '@waltz/testkit'

/** A codec for each version, so that every one of them plays the whole journey. */
const CODECS: Readonly<Record<number, string>> = { 13: 'lz4', 14: 'zstd', 15: 'brotli', 16: 'none', 17: 'zstd', 18: 'lz4' }

describe.each(postgresMajors.map((major) => ({ major, codec: CODECS[major] ?? 'lz4' })))(
  'the journey on PostgreSQL $major with $codec',
  ({ major, codec }) => {
    it('brings a database back to the moment before a mistake', async () => {
      await using work = temporaryFolder()
      const waltz = await waltzCommand()
      const repository = work.makeFolder('repository')
      const settings = { WALG_FILE_PREFIX: repository, WALG_COMPRESSION_METHOD: codec, WALG_TAR_SIZE_THRESHOLD: '4000000' }
      await using source = await startCluster({
        major,
        env: settings,
        initdbArgs: ['--data-checksums'],
        walDirectory: work.join('wal of source'),
        tablespaces: { outside: work.join('space with blanks') },
        settings: {
          archive_mode: 'on',
          archive_command: `${waltz} wal-push %p`,
          archive_timeout: 0,
          wal_level: 'replica',
          max_wal_senders: 4,
        },
      })
      await linkConfiguration(source, work.join('etc'))
      await fill(source, 1)

      const env = { ...settings, ...source.env }
      const pushed = await mustRun(waltz, ['backup-push', source.dataDirectory, '--verify', '--json'], { env })
      expect(JSON.parse(pushed)).toMatchObject({
        backup_name: expect.stringMatching(/^base_[0-9A-F]{24}$/),
        corrupt_blocks: 0,
        skipped: [],
      })
      expect((await source.query(`select count(*)::int as slots from pg_replication_slots`))[0]).toEqual({ slots: 0 })

      await fill(source, 2)
      const before = await contentProof(source)
      const [moment] = await source.query<{ at: string }>(`select clock_timestamp()::text as at`)
      await source.query('select pg_sleep(0.05)')
      await source.query('drop table accounts')
      await fill(source, 3)
      await archiveAll(source)

      expect(await checkRepositoryStrictly(repository)).toMatchObject({ problems: [] })
      const list = await mustRun(waltz, ['backup-list'], { env })
      expect(list.trim().split('\n')).toHaveLength(2)

      const target = work.join('restored')
      const spec = work.join('spec.json')
      writeFileSync(spec, JSON.stringify(await restoreSpec(source, target, work.join('restored space'))))
      const fetched = await runAs(
        waltz,
        ['backup-fetch', target, 'LATEST', '--restore-spec', spec, '--target-time', moment?.at ?? '', '--target-action', 'promote'],
        { env: settings },
      )
      expect(fetched.stderr).toMatch(/LATEST|base_/)
      expect(`${fetched.code} ${fetched.stderr}`).toMatch(/^0 /)
      expect(existsSync(join(target, 'recovery.signal'))).toBe(true)
      expect(readFileSync(join(target, 'postgresql.conf'), 'utf8')).toContain('# kept elsewhere')

      await using restored = await startRestored(target, major, { env: settings })
      await restored.waitForValue('select pg_is_in_recovery()::text', 'false')
      // The content of unlogged tables is not part of a backup.
      expect(await contentProof(restored)).toEqual({ ...before, 'postgres.public.scratch': { rows: 0, hash: '' } })
      expect(restored.log()).toContain('archive recovery complete')
      expect((await restored.query(`show archive_mode`))[0]).toEqual({ archive_mode: 'off' })
    })
  },
)

async function fill(cluster: TestCluster, round: number): Promise<void> {
  await cluster.query(`
    create table if not exists accounts(id int primary key, owner text, balance numeric, noted timestamptz);
    create table if not exists elsewhere(id int, filler text) tablespace outside;
    create unlogged table if not exists scratch(id int);
    insert into accounts select ${round} * 100000 + i, md5(i::text), i * 1.5, '2026-01-01'::timestamptz + i * interval '1 minute' from generate_series(1, 5000) i;
    insert into elsewhere select i, repeat(md5(i::text), 20) from generate_series(1, 2000) i;
    insert into scratch select generate_series(1, 1000);
    update accounts set balance = balance + ${round} where id % 7 = 0`)
}

/** As packages of distributions do: the configuration lies elsewhere, and the data directory has a link to it. */
async function linkConfiguration(cluster: TestCluster, folder: string): Promise<void> {
  mkdirSync(folder)
  giveToOrdinaryUser(folder)
  const inside = join(cluster.dataDirectory, 'postgresql.conf')
  await rename(inside, join(folder, 'postgresql.conf'))
  symlinkSync(join(folder, 'postgresql.conf'), inside)
  await cluster.configure({ cluster_name: 'journey' })
  await mustRun('sh', ['-c', `echo '# kept elsewhere' >> '${join(folder, 'postgresql.conf')}'`])
}

async function archiveAll(cluster: TestCluster): Promise<void> {
  const [last] = await cluster.query<{ name: string }>('select pg_walfile_name(pg_switch_wal()) as name')
  await cluster.waitForValue(`select (last_archived_wal >= '${last?.name}')::text from pg_stat_archiver`, 'true')
}

async function restoreSpec(source: TestCluster, basePrefix: string, location: string): Promise<unknown> {
  makeTablespaceFolder(location)
  const [row] = await source.query<{ oid: string }>(`select oid::text as oid from pg_tablespace where spcname = 'outside'`)
  const name = row?.oid ?? ''
  return { base_prefix: basePrefix, tablespaces: [name], [name]: { loc: location, link: `pg_tblspc/${name}` } }
}
