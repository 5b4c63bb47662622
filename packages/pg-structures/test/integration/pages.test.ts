import { closeSync, existsSync, openSync, readdirSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { firstBlockOf, lsn, parseRelationPath, verifyPages, type BadPage } from '../../src/index.ts'
import { makeCluster, releases, whereTools, type Cluster } from './single-user.ts'

const PAGE = 8192
const found = releases()
if (found.length === 0) console.warn('SKIPPED: no PostgreSQL programs found, pages are not compared with a server')

const relationPaths = (cluster: Cluster): string[] =>
  readdirSync(cluster.data, { recursive: true, encoding: 'utf8' }).filter((path) => parseRelationPath(path) !== undefined)

/** Bad pages by path, in the whole cluster. */
function verifyAll(cluster: Cluster): { bad: ({ path: string } & BadPage)[]; blocks: number } {
  const bad: ({ path: string } & BadPage)[] = []
  let blocks = 0
  for (const path of relationPaths(cluster)) {
    const bytes = cluster.file(path)
    blocks += bytes.length / PAGE
    const firstBlock = firstBlockOf(parseRelationPath(path)!, 131_072)
    for (const page of verifyPages({ bytes, firstBlock, blockBytes: PAGE })) bad.push({ path, ...page })
  }
  return { bad, blocks }
}

function damage(cluster: Cluster, path: string, offset: number, bytes: Uint8Array): void {
  const file = openSync(join(cluster.data, path), 'r+')
  writeSync(file, bytes, 0, bytes.length, offset)
  closeSync(file)
}

describe.each(found)('pages of PostgreSQL $major in $bin', (release) => {
  let cluster: Cluster
  beforeAll(() => {
    cluster = makeCluster(release)
    cluster.sql(
      'create table t as select g, repeat(md5(g::text), 3) as x from generate_series(1, 30000) g;',
      'create index on t (g);',
      'create index on t using hash (x);',
      'create index on t using brin (g);',
      'create index on t using gin (array_to_tsvector(array[x]));',
      'create index on t using spgist (x);',
      'create table p as select point(g, g) as p from generate_series(1, 3000) g;',
      'create index on p using gist (p);',
      'create unlogged table u as select * from t;',
      'create sequence s;',
      'delete from t where g % 7 = 0;',
      'vacuum t;',
    )
  })
  afterAll(() => cluster.remove())

  it('are all good', () => {
    const { bad, blocks } = verifyAll(cluster)
    expect(bad).toEqual([])
    expect(blocks).toBeGreaterThan(2000)
  })

  it('are found when they are damaged, exactly', () => {
    const path = cluster.row("select pg_relation_filepath('t') as path;")['path'] ?? ''
    const index = cluster.row("select pg_relation_filepath('t_g_idx') as path;")['path'] ?? ''
    const expected = [
      { path, block: 3, reason: 'checksum' },
      { path, block: 5, reason: 'new-not-zero' },
      { path, block: 8, reason: 'header' },
      { path: index, block: 2, reason: 'checksum' },
      { path: `${path}_vm`, block: 0, reason: 'checksum' },
      { path: 'global/1262', block: 0, reason: 'checksum' },
    ]
    damage(cluster, path, 3 * PAGE + 5000, Uint8Array.of(1, 2, 3, 4))
    damage(cluster, path, 5 * PAGE + 14, Uint8Array.of(0, 0))
    damage(cluster, path, 8 * PAGE + 12, Uint8Array.of(0xff, 0xff))
    damage(cluster, index, 2 * PAGE + 8, Uint8Array.of(0, 0))
    damage(cluster, `${path}_vm`, PAGE - 1, Uint8Array.of(0x55))
    damage(cluster, 'global/1262', 4000, Uint8Array.of(0x55))
    const { bad } = verifyAll(cluster)
    const byPlace = (a: { path: string; block: number }, b: { path: string; block: number }): number =>
      a.path.localeCompare(b.path) || a.block - b.block
    expect(bad.map(({ path, block, reason }) => ({ path, block, reason })).sort(byPlace)).toEqual(expected.sort(byPlace))
    // The same pages are not judged by a backup that began before they were written.
    expect(
      verifyPages({ bytes: cluster.file(path), firstBlock: 0, blockBytes: PAGE, startLsn: lsn(1n) }).map(({ reason }) => reason),
    ).toEqual(['new-not-zero', 'header'])
  })

  whereTools(release)('are judged as pg_checksums judges them', () => {
    const { bad } = verifyAll(cluster)
    expect(existsSync(join(release.bin, 'pg_checksums'))).toBe(true)
    const account = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
    const result = spawnSync(join(release.bin, 'pg_checksums'), ['-c', '-D', cluster.data], { ...account, encoding: 'utf8', cwd: '/' })
    const theirs = [...result.stderr.matchAll(/file "([^"]+)", block (\d+): calculated checksum (\w+) but block contains (\w+)/g)]
    const told = theirs.map(([, file = '', block, expected = '', found = '']) => ({
      path: file.slice(file.search(/(?:base|global)\//)),
      block: Number(block),
      expected: Number.parseInt(expected, 16),
      found: Number.parseInt(found, 16),
    }))
    // pg_checksums takes every page with pd_upper 0 for new and does not look further.
    const ours = bad
      .filter(({ reason }) => reason !== 'new-not-zero')
      .map(({ path, block, expected, found }) => ({ path, block, expected, found }))
    expect(told.length).toBe(5)
    expect(ours).toEqual(expect.arrayContaining(told))
    expect(ours).toHaveLength(told.length)
  })
})
