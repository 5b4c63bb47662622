/** Real WAL of three kinds: a segment that ended early, one of pgbench's transactions, one full of bytes that do not compress. */
import type { TestCluster } from '@waltz/testkit'
import type { WalContent } from '../model.ts'
import { pgbenchTables } from './fill.ts'

const TRANSACTIONS = `
  do $$ declare a int; t int; d int; begin
    for n in 1..2000 loop
      a := 1 + floor(random() * 1000000); t := 1 + floor(random() * 100); d := floor(random() * 10000) - 5000;
      update pgbench_accounts set abalance = abalance + d where aid = a;
      perform abalance from pgbench_accounts where aid = a;
      update pgbench_tellers set tbalance = tbalance + d where tid = t;
      update pgbench_branches set bbalance = bbalance + d where bid = (t - 1) / 10 + 1;
      insert into pgbench_history (tid, bid, aid, delta, mtime) values (t, (t - 1) / 10 + 1, a, d, current_timestamp);
      commit;
    end loop;
  end $$`

const INCOMPRESSIBLE = `
  insert into noise select string_agg(sha512((n || ' ' || random())::bytea), ''::bytea)
  from generate_series(1, 400) n, generate_series(1, 60) part group by part`

/** Fills the cluster, writes the three segments and stops the server. Names of the segments in its pg_wal. */
export async function makeSegments(server: TestCluster): Promise<Readonly<Record<WalContent, string>>> {
  const current = async (): Promise<string> => {
    const [row] = await server.query<{ name: string }>('select pg_walfile_name(pg_current_wal_lsn()) as name')
    return row?.name ?? ''
  }
  const session = await server.connect()
  try {
    await session.query(pgbenchTables(1_000_000))
    await session.query('create table noise (bytes bytea); alter table noise alter bytes set storage external; create table one (i int)')
    await session.query('select setseed(0.25)')
    // Without a checkpoint before, records stand for themselves: no pages in full, as in most WAL of a busy server.
    const pgbench = await fullSegment(2, current, () => session.query(TRANSACTIONS))
    const random = await fullSegment(2, current, () => session.query(INCOMPRESSIBLE))
    await session.query('select pg_switch_wal()')
    await session.query('insert into one values (1)')
    const mostlyZero = await current()
    await session.query('select pg_switch_wal()')
    await session.query('insert into one values (2)')
    return { 'mostly zero': mostlyZero, pgbench, random }
  } finally {
    await session.end()
  }
}

/** Works until `count` segments have been begun, and names the last of them that is full. */
async function fullSegment(count: number, current: () => Promise<string>, work: () => Promise<unknown>): Promise<string> {
  let latest = await current()
  let before = latest
  for (let changes = 0; changes <= count;) {
    await work()
    const now = await current()
    if (now === latest) continue
    const steps = Number.parseInt(now.slice(16), 16) - Number.parseInt(latest.slice(16), 16)
    changes += Math.max(1, steps)
    before = previous(now)
    latest = now
  }
  return before
}

/** The name of the segment before, within one file of the high number. */
function previous(name: string): string {
  const low = Number.parseInt(name.slice(16), 16) - 1
  if (low < 0) throw new Error(`no segment before ${name}`)
  return name.slice(0, 16) + low.toString(16).toUpperCase().padStart(8, '0')
}
