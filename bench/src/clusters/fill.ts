/** What the clusters hold. Everything follows from row numbers: the same rows in every run. */
import type { TestCluster } from '@waltz/testkit'

/** Of one GiB: two thirds as pgbench makes it, the rest of hashes and keys that hardly compress. */
const ACCOUNTS_PER_GIB = 4_500_000
const HASHES_PER_GIB = 1_600_000

/** The tables of pgbench with `accounts` rows in the large one. */
export function pgbenchTables(accounts: number): string {
  return `
    create table pgbench_branches (bid int not null primary key, bbalance int, filler char(88));
    insert into pgbench_branches select i, 0 from generate_series(1, ${Math.ceil(accounts / 100_000)}) i;
    create table pgbench_tellers (tid int not null primary key, bid int, tbalance int, filler char(84));
    insert into pgbench_tellers select i, (i - 1) / 10 + 1, 0 from generate_series(1, ${Math.ceil(accounts / 10_000)}) i;
    create table pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
    create table pgbench_accounts (aid int not null, bid int, abalance int, filler char(84));
    insert into pgbench_accounts select i, (i - 1) / 100000 + 1, 0, '' from generate_series(1, ${accounts}) i;
    alter table pgbench_accounts add primary key (aid)`
}

/** Fills a cluster until its data directory holds about `bytes`. */
export async function fillSized(server: TestCluster, bytes: number): Promise<void> {
  const share = bytes / 2 ** 30
  const hashes = `
    create table hashes as
      select i, md5(i::text)::uuid as key, md5('text ' || i) as text, sha512(('bytes ' || i)::bytea) as bytes
      from generate_series(1, ${Math.round(HASHES_PER_GIB * share)}) i;
    create index on hashes (key)`
  // Each text is one transaction, whose new tables need no WAL.
  await Promise.all([server.query(pgbenchTables(Math.round(ACCOUNTS_PER_GIB * share))), server.query(hashes)])
  await server.query('checkpoint')
}

/** Makes `count` tables of a hundred rows. */
export async function fillRelations(server: TestCluster, count: number): Promise<void> {
  const perTransaction = 1000
  for (let first = 1; first <= count; first += perTransaction) {
    const last = Math.min(count, first + perTransaction - 1)
    await server.query(`do $$ begin
      for n in ${first}..${last} loop execute format('create table t%s as select i from generate_series(1, 100) i', n); end loop;
    end $$`)
  }
  await server.query('checkpoint')
}
