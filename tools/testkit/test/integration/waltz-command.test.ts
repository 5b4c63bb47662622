import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  checkRepositoryStrictly,
  contentProof,
  directoryHash,
  directoryListing,
  formatListing,
  mustRun,
  parseListing,
  runAs,
  startCluster,
  temporaryFolder,
  waltzCommand,
} from '../../src/index.ts'

test('waltz runs as the ordinary user from anywhere', async () => {
  const waltz = await waltzCommand()
  expect(statSync(waltz).mode & 0o777).toBe(0o755)
  const { code, stdout } = await runAs(waltz, ['--version'])
  expect(code).toBe(0)
  expect(stdout).toMatch(/waltz/i)
  expect(await waltzCommand()).toBe(waltz)
})

test('waltz can be run from copied sources too', async () => {
  process.env['WALTZ_TEST_COMMAND'] = 'source'
  try {
    const waltz = await waltzCommand()
    expect(existsSync(`${waltz.slice(0, -'waltz'.length)}apps/cli/src/bin.ts`)).toBe(true)
    expect((await runAs(waltz, ['--version'])).code).toBe(0)
  } finally {
    delete process.env['WALTZ_TEST_COMMAND']
  }
})

test('a backup of a real server passes the strict reader', async () => {
  await using folder = temporaryFolder()
  const waltz = await waltzCommand()
  const env = { WALG_FILE_PREFIX: folder.makeFolder('repository') }
  await using cluster = await startCluster({
    major: 16,
    env,
    settings: { archive_mode: 'on', archive_command: `${waltz} wal-push "%p"` },
    tablespaces: { 'a space': folder.join('a space') },
  })
  await cluster.query('create table t tablespace "a space" as select g, md5(g::text) from generate_series(1, 10000) g')
  await mustRun(waltz, ['backup-push', cluster.dataDirectory], { env: { ...env, ...cluster.env } })
  const report = await checkRepositoryStrictly(folder.join('repository'))
  expect(report.problems).toEqual([])
  expect(report.backups).toHaveLength(1)
})

describe('proofs of content', () => {
  test('tables of all databases, by rows and hash', async () => {
    await using cluster = await startCluster({ major: 14 })
    await cluster.query('create database other')
    await cluster.query('create table "T x" as select g from generate_series(1, 5) g; create table empty (a int)', undefined, 'other')
    const before = await contentProof(cluster)
    expect(Object.keys(before)).toEqual(['other.public.T x', 'other.public.empty'])
    expect(before['other.public.T x']).toEqual({ rows: 5, hash: expect.stringMatching(/^[0-9a-f]{32}$/) as string })
    expect(before['other.public.empty']).toEqual({ rows: 0, hash: '' })
    await cluster.query('update "T x" set g = 6 where g = 5', undefined, 'other')
    expect(await contentProof(cluster)).not.toEqual(before)
  })

  test('directories, in the form of the recorded restores', async () => {
    await using folder = temporaryFolder()
    const root = folder.makeFolder('root')
    await mustRun('sh', [
      '-c',
      `cd ${root}; mkdir -p -m 700 pg_tblspc b; mkdir ../space; echo x > ../space/in; ln -s ../../space pg_tblspc/1; ln -s b c; printf hi > b/f; chmod 640 b/f`,
    ])
    const listing = await directoryListing(root)
    const text = formatListing(listing)
    expect(text.split('\n')).toEqual([
      'path\ttype\tmode\tsize\tsha256_or_target',
      'b\td\t0700\t-\t-',
      'b/f\tf\t0640\t2\t8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4',
      'c\tl\t0777\t-\tb',
      'pg_tblspc\td\t0700\t-\t-',
      'pg_tblspc/1\tl\t0777\t-\t../../space',
      'pg_tblspc/1/in\tf\t0644\t2\t73cb3858a687a8494ca3323053016282f3dad39d42cf62ca4e79dda2aac7d9ac',
      '',
    ])
    expect(parseListing(text)).toEqual(listing)
    const hash = await directoryHash(root)
    await mustRun('chmod', ['600', `${root}/b/f`])
    expect(await directoryHash(root)).not.toBe(hash)
    accessSync(root, constants.R_OK)
  })
})
