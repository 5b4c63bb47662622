import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DatabaseRecord, TableRecord } from '@waltz/repository'
import { startCluster, temporaryFolder, type TemporaryFolder, type TestCluster } from '@waltz/testkit'
import { readDatabaseNames } from '../../src/push/database-names.ts'
import { databaseRecords } from '../../src/push/database-records.ts'
import { createSpool } from '../../src/push/spool.ts'
import { connectTo } from './sql.ts'

const ODD = `odd "name" with ' and \\ and ünïcode`

describe.each([13, 18] as const)('names in the databases of PostgreSQL %i', (major) => {
  let cluster: TestCluster
  let work: TemporaryFolder
  const found = new Map<string, Map<string, TableRecord>>()
  let warnings: readonly string[] = []

  beforeAll(async () => {
    work = temporaryFolder()
    cluster = await startCluster({ major })
    await cluster.query(`create database "${ODD.replaceAll('"', '""')}"`)
    await cluster.query('create database closed')
    await cluster.query('alter database closed allow_connections false')
    await cluster.query('create database full_up')
    await cluster.query(`
      create schema elsewhere;
      create table plain(id int primary key, long text);
      create table "Odd ""table"" \\ name"(id int);
      create table parts(id int, at date) partition by range (at);
      create table elsewhere.parts_old partition of parts for values from ('2020-01-01') to ('2021-01-01') partition by range (id);
      create table parts_old_low partition of elsewhere.parts_old for values from (0) to (10);
      create index on parts(id);
      create table ancestor(id int);
      create table heir(extra int) inherits (ancestor);
      create view seen as select * from plain;
      create materialized view kept as select * from plain;
      create sequence numbers;
      create unlogged table fast(id int);
      create foreign data wrapper nowhere;
      create server nobody foreign data wrapper nowhere;
      create foreign table distant(id int) server nobody;
      create table near(extra int) inherits (distant);
    `)
    await cluster.query('vacuum full pg_class')
    await cluster.query('create table many_0(id int)')
    await cluster.query(`do $$ begin for i in 1..6000 loop execute format('create table many_%s()', i); end loop; end $$`)
    const spool = createSpool(work.path)
    const connect = connectTo(cluster)
    const refusing = (database?: string): ReturnType<typeof connect> =>
      database === 'full_up' ? Promise.reject(new Error('too many connections for database')) : connect(database)
    const names = await readDatabaseNames(refusing, spool, new AbortController().signal)
    warnings = names.warnings
    for (const { name, tables } of databaseRecords(names) as Iterable<DatabaseRecord>) {
      const byName = new Map<string, TableRecord>()
      for (const table of tables as Iterable<TableRecord>) byName.set(table.name, table)
      found.set(name, byName)
    }
    names.list.close()
  })
  afterAll(async () => {
    await cluster?.dispose()
    await work?.dispose()
  })

  const here = (): Map<string, TableRecord> => found.get('postgres') ?? new Map()
  async function catalogue(relation: string): Promise<{ oid: number; relFileNode: number }> {
    const [row] = await cluster.query<{ oid: number; node: string | null }>(
      `select oid::int8::int as oid, substring(pg_relation_filepath(oid) from '[0-9]+$') as node from pg_class where oid = '${relation}'::regclass`,
    )
    return { oid: row?.oid ?? 0, relFileNode: Number(row?.node ?? 0) }
  }

  it('has every database that takes connections, and a warning for the one that does not', () => {
    expect([...found.keys()].sort()).toEqual(['postgres', ODD, 'template1'].sort())
    expect(warnings).toEqual([expect.stringContaining('full_up')])
  })

  it('has oids and file nodes as the server has them', async () => {
    for (const [name, relation] of [
      ['public.plain', 'plain'],
      ['public.plain_pkey', 'plain_pkey'],
      ['public.Odd "table" \\ name', '"Odd ""table"" \\ name"'],
      ['public.numbers', 'numbers'],
      ['public.kept', 'kept'],
      ['public.fast', 'fast'],
    ] as const) {
      expect(here().get(name), name).toMatchObject(await catalogue(relation))
    }
    const [toast] = await cluster.query<{ name: string }>(
      `select reltoastrelid::regclass::text as name from pg_class where oid = 'plain'::regclass`,
    )
    expect(here().get(toast?.name ?? ''), 'TOAST').toMatchObject(await catalogue(toast?.name ?? ''))
  })

  it('has the file node of a mapped catalogue from its path, also after it changed', async () => {
    const expected = await catalogue('pg_catalog.pg_class')
    expect(expected.relFileNode).not.toBe(expected.oid)
    expect(here().get('pg_catalog.pg_class')).toMatchObject(expected)
    expect(here().get('pg_catalog.pg_database')).toMatchObject(await catalogue('pg_catalog.pg_database'))
  })

  it('has partitions and heirs below their root, by their own schema, and nowhere else', async () => {
    expect(here().get('public.parts')).toEqual({
      name: 'public.parts',
      oid: (await catalogue('parts')).oid,
      relFileNode: 0,
      subtables: [
        { name: 'elsewhere.parts_old', ...(await catalogue('elsewhere.parts_old')) },
        { name: 'public.parts_old_low', ...(await catalogue('parts_old_low')) },
      ],
    })
    expect(here().get('public.ancestor')?.subtables).toEqual([{ name: 'public.heir', ...(await catalogue('heir')) }])
    expect(here().get('public.parts_id_idx')?.subtables).toHaveLength(2)
    for (const name of ['elsewhere.parts_old', 'public.parts_old_low', 'public.heir']) expect(here().has(name), name).toBe(false)
  })

  it('has what inherits from a relation without storage as itself', async () => {
    expect(here().get('public.near')).toEqual({ name: 'public.near', ...(await catalogue('near')) })
    expect(here().has('public.seen')).toBe(false)
    expect(here().has('public.distant')).toBe(false)
  })

  it('has all of many relations', () => {
    expect([...here().keys()].filter((name) => name.startsWith('public.many_'))).toHaveLength(6001)
  })
})
