import { spawn } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import {
  checkSegmentHeader,
  createSegmentRecordCheck,
  decodeControlFile,
  decodeRecordTime,
  formatLsn,
  lsn,
  parseLsn,
  parseWalFileName,
  segmentNumberFromName,
  segmentNumberOf,
  segmentStart,
  timelineId,
  type RecordTime,
  type SegmentRecordResult,
  type WalRecord,
} from '../../src/index.ts'
import { flip } from '../wal-writer.ts'
import { makeCluster, releases, run, whereTools, type Cluster } from './single-user.ts'

const MIB = 2 ** 20
const found = releases()
if (found.length === 0) console.warn('SKIPPED: no PostgreSQL programs found, WAL is not compared with a server')

const SETTINGS = ['wal_level=logical', 'track_commit_timestamp=on', 'wal_init_zero=off']
const segmentNames = (cluster: Cluster): string[] =>
  readdirSync(join(cluster.data, 'pg_wal'))
    .filter((name) => /^[0-9A-F]{24}$/.test(name))
    .sort()

interface Walked {
  readonly result: SegmentRecordResult
  readonly records: readonly WalRecord[]
  readonly times: readonly RecordTime[]
}

function walk(bytes: Uint8Array, name: string, segmentBytes = MIB): Walked {
  const records: WalRecord[] = []
  const times: RecordTime[] = []
  const check = createSegmentRecordCheck({
    segmentBytes,
    start: segmentStart(segmentNumberFromName(parseWalFileName(name), segmentBytes), segmentBytes),
    timeline: timelineId(Number.parseInt(name.slice(0, 8), 16)),
    onRecord(record) {
      records.push({ ...record, mainData: undefined })
      const time = decodeRecordTime(record)
      if (time !== undefined) times.push(time)
    },
  })
  for (let at = 0; at < bytes.length; at += 300_000) check.push(bytes.subarray(at, at + 300_000))
  return { result: check.finish(), records, times }
}

/** What pg_waldump prints of one segment. It fails where the records end: that is expected. */
function dump(cluster: Cluster, name: string): { lsn: bigint; xid: number; bytes: number; line: string }[] {
  const { release, data } = cluster
  const printed = run({ ...release, bin: '/bin' }, 'sh', ['-c', `'${release.bin}/pg_waldump' '${data}/pg_wal/${name}' 2>/dev/null || true`])
  return [...printed.matchAll(/^rmgr: \S+ +len \(rec\/tot\): +\d+\/ *(\d+), tx: +(\d+), lsn: ([0-9A-F]+\/[0-9A-F]+), prev .*$/gm)].map(
    (match) => ({
      lsn: parseLsn(match[3] ?? ''),
      xid: Number(match[2]),
      bytes: Number(match[1]),
      line: match[0],
    }),
  )
}

describe.each(found)('WAL of PostgreSQL $major in $bin', (release) => {
  let cluster: Cluster
  let current: string
  let commits: bigint[]
  beforeAll(() => {
    cluster = makeCluster(release, 1, SETTINGS)
    const output = cluster.sql(
      'create table t as select g, repeat(md5(g::text), 5) as x from generate_series(1, 20000) g;',
      'create index on t (g);',
      "select pg_logical_emit_message(true, 'test', repeat('long ', 700000));",
      "select pg_create_restore_point('here');",
      'create table c (x int);',
      'insert into c values (1);',
      'delete from t where g % 3 = 0;',
      'select pg_switch_wal();',
      'insert into c values (2);',
      'select pg_switch_wal();',
      'checkpoint;',
      'update t set g = g + 1 where g % 5 = 0;',
      'insert into c values (3);',
      'select (extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000000)::bigint::text as commit from c order by x;',
      'select pg_walfile_name(pg_current_wal_insert_lsn()) as current;',
    )
    commits = [...output.matchAll(/commit = "(\d+)"/g)].map((match) => BigInt(match[1] ?? ''))
    current = /current = "(\w+)"/.exec(output)![1]!
  })
  afterAll(() => cluster.remove())

  it('is checked from the first segment to the last', () => {
    const { systemIdentifier } = decodeControlFile(cluster.file('global/pg_control'))
    const last = segmentNames(cluster)
      .filter((name) => walk(cluster.file(`pg_wal/${name}`), name).result.recordsChecked > 0)
      .at(-1)!
    expect(last >= current).toBe(true)
    const times: RecordTime[] = []
    const endings = new Set<string>()
    let before: SegmentRecordResult | undefined
    for (const name of segmentNames(cluster).filter((name) => name <= last)) {
      const bytes = cluster.file(`pg_wal/${name}`)
      const known = { fileBytes: bytes.length, systemIdentifier, serverVersion: String(release.major) }
      expect(checkSegmentHeader({ bytes, name: parseWalFileName(name), ...known })).toEqual([])
      const walked = walk(bytes, name)
      expect(walked.result.problem, name).toBeUndefined()
      expect(walked.result.complete, name).toBe(name < last)
      endings.add(walked.result.ending)
      if (before !== undefined) expect(new DataView(bytes.buffer).getUint32(16, true), name).toBe(before.remainingBytes)
      before = walked.result
      times.push(...walked.times)
    }
    expect(endings).toContain('full')
    expect(endings).toContain('switch')
    // The shutdown checkpoint is the last record there is.
    const control = decodeControlFile(cluster.file('global/pg_control'))
    expect(control.checkpointLsn).toBeLessThan(before!.endOfRecords)
    expect(before!.endOfRecords - control.checkpointLsn).toBeLessThan(200n)
    expect(commits).toHaveLength(3)
    for (const commit of commits) expect(times.map(({ unixMicroseconds }) => unixMicroseconds)).toContain(commit)
    expect(times.find(({ kind }) => kind === 'restore-point')?.name).toBe('here')
  })

  it('shows every flipped bit of every kind of record', () => {
    const name = segmentNames(cluster)[1] ?? ''
    const bytes = cluster.file(`pg_wal/${name}`)
    const { records } = walk(bytes, name)
    const start = Number(segmentStart(segmentNumberFromName(parseWalFileName(name), MIB), MIB))
    const picked = records.filter((_, index) => index % Math.ceil(records.length / 200) === 0)
    expect(picked.length).toBeGreaterThan(10)
    for (const [n, record] of picked.entries()) {
      const offset = Number(record.lsn) - start
      const reach = Math.min(record.totalBytes, 8192 - (offset % 8192))
      const at = offset + ((n * 7919) % reach)
      flip(bytes, at, 1 << (n % 8))
      const { result } = walk(bytes, name)
      flip(bytes, at, 1 << (n % 8))
      // A length made so long that the record leaves the segment looks like one that goes on in the next.
      if (result.complete) expect(at - offset < 4 && result.remainingBytes > 0, formatLsn(record.lsn)).toBe(true)
      else expect(result.problem?.lsn, formatLsn(record.lsn)).toBe(record.lsn)
    }
  })

  whereTools(release)('has the records that pg_waldump prints', () => {
    for (const name of segmentNames(cluster).filter((name) => name <= current)) {
      const { records } = walk(cluster.file(`pg_wal/${name}`), name)
      const theirs = dump(cluster, name)
      const ours = records.map((record) => ({ lsn: record.lsn as bigint, xid: record.xid, bytes: record.totalBytes }))
      expect(theirs.slice(0, ours.length).map(({ lsn, xid, bytes }) => ({ lsn, xid, bytes }))).toEqual(ours)
      // pg_waldump may print the record that goes on in the next segment.
      expect(theirs.length - ours.length).toBeLessThanOrEqual(1)
    }
  })

  whereTools(release)('has the commit times that pg_waldump prints', () => {
    for (const name of segmentNames(cluster).filter((name) => name <= current)) {
      const { times } = walk(cluster.file(`pg_wal/${name}`), name)
      const theirs = dump(cluster, name).flatMap(({ lsn, line }) => {
        const text = /desc: (?:COMMIT|ABORT)\S* (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}) UTC/.exec(line)?.[1]
        return text === undefined ? [] : [{ lsn, text }]
      })
      const ours = times
        .filter(({ kind }) => kind !== 'restore-point')
        .map(({ lsn, unixMicroseconds, time }) => ({
          lsn: lsn as bigint,
          text: `${time.toISOString().slice(0, 19).replace('T', ' ')}.${String(unixMicroseconds % 1_000_000n).padStart(6, '0')}`,
        }))
      expect(ours).toEqual(theirs.slice(0, ours.length))
      expect(theirs.length - ours.length).toBeLessThanOrEqual(1)
    }
  })
})

describe.each(found)('a segment in use for the second time, PostgreSQL $major in $bin', (release) => {
  it('ends where the server stopped writing', () => {
    const cluster = makeCluster(release, 1, ['wal_keep_size=0', 'min_wal_size=4MB', 'max_wal_size=4MB', 'wal_recycle=on'])
    onTestFinished(() => cluster.remove())
    const round = ['insert into t select g, repeat(md5(g::text), 5) from generate_series(1, 5000) g;', 'checkpoint;']
    cluster.sql('create table t (g int, x text);', ...Array.from({ length: 10 }, () => round).flat())
    const control = decodeControlFile(cluster.file('global/pg_control'))
    const current = segmentNames(cluster).find(
      (name) => segmentNumberFromName(parseWalFileName(name), MIB) === segmentNumberOf(control.checkpointLsn, MIB),
    )!
    const { result } = walk(cluster.file(`pg_wal/${current}`), current)
    expect(result).toMatchObject({ complete: false, ending: 'recycled', problem: undefined })
    expect(result.endOfRecords > control.checkpointLsn && result.endOfRecords - control.checkpointLsn < 200n).toBe(true)
    // A segment recycled ahead of time belongs to nobody yet.
    const ahead = segmentNames(cluster).at(-1)!
    expect(ahead > current).toBe(true)
    expect(walk(cluster.file(`pg_wal/${ahead}`), ahead).result).toMatchObject({ ending: 'recycled', recordsChecked: 0 })
    expect(checkSegmentHeader({ bytes: cluster.file(`pg_wal/${ahead}`), name: parseWalFileName(ahead) })).toMatchObject([
      { kind: 'page-address' },
    ])
  })
})

/** Runs statements in single-user mode, then kills the server as a power cut would. */
function crashAfter(cluster: Cluster, statement: string): Promise<void> {
  const account = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
  const server = spawn(join(cluster.release.bin, 'postgres'), ['--single', '-D', cluster.data, 'postgres'], {
    ...account,
    cwd: '/',
    env: { LC_ALL: 'C' },
  })
  return new Promise((resolve, reject) => {
    let printed = ''
    server.stdout.on('data', (text: Buffer) => {
      printed += text.toString()
      if (printed.includes('done = "1"')) server.kill('SIGKILL')
    })
    server.on('error', reject)
    server.on('close', () => (printed.includes('done = "1"') ? resolve() : reject(new Error(printed))))
    server.stdin.write(`${statement}\nselect 1 as done;\n`)
  })
}

describe.each(found)('a record that a crash left unfinished, PostgreSQL $major in $bin', (release) => {
  it('is passed over where the server overwrote it', async () => {
    const cluster = makeCluster(release, 16, SETTINGS)
    onTestFinished(() => cluster.remove())
    await crashAfter(cluster, "select pg_logical_emit_message(true, 'test', repeat('x', 60000));")
    const segmentBytes = 16 * MIB
    const control = decodeControlFile(cluster.file('global/pg_control'))
    const name = segmentNames(cluster).find(
      (name) => segmentNumberFromName(parseWalFileName(name), segmentBytes) === segmentNumberOf(control.checkpointLsn, segmentBytes),
    )!
    const path = join(cluster.data, 'pg_wal', name)
    const bytes = cluster.file(`pg_wal/${name}`)
    const long = walk(bytes, name, segmentBytes).records.findLast(({ totalBytes }) => totalBytes > 50_000)!
    const start = segmentStart(segmentNumberFromName(parseWalFileName(name), segmentBytes), segmentBytes)
    // The third page of the record and all after it never reached the disk.
    const lost = (Math.floor(Number(long.lsn - start) / 8192) + 3) * 8192
    bytes.fill(0, lost)
    writeFileSync(path, bytes)
    expect(walk(bytes, name, segmentBytes).result).toMatchObject({ ending: 'zeros', endOfRecords: long.lsn, problem: undefined })
    cluster.sql('create table after_the_crash (x int);', 'select pg_switch_wal();', 'select 1;')
    const after = cluster.file(`pg_wal/${name}`)
    const { result, records } = walk(after, name, segmentBytes)
    expect(result).toMatchObject({ complete: true, ending: 'switch', problem: undefined })
    const overwriting = records.filter(({ resourceManager, info }) => resourceManager === 0 && (info & 0xf0) === 0xd0)
    expect(overwriting.map(({ lsn }) => lsn)).toEqual([lsn(start + BigInt(lost) + 24n)])
    expect((after[lost + 2] ?? 0) & 8).toBe(8)
  })
})
