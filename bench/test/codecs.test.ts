import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { parseArguments } from '../src/arguments.ts'
import { formatReport, parseReport, type DriverJob, type StageName } from '../src/driver/job.ts'
import { measure } from '../src/meter/measure.ts'
import { createMachineLock } from '../src/meter/machine-lock.ts'
import type { ResultRow, Sample } from '../src/model.ts'
import { compactTables } from '../src/report/compact-tables.ts'
import { codecsSuite } from '../src/suites/codecs.ts'
import { judge, targets } from '../src/targets.ts'

const folder = mkdtempSync(join(tmpdir(), 'waltz-bench-'))
afterAll(() => rmSync(folder, { recursive: true }))

const MIB = 2 ** 20
const driver = fileURLToPath(new URL('../src/driver/main.ts', import.meta.url))
const plain = join(folder, 'plain')
// Repetitive enough to shrink, longer than a chunk of any stage, and no multiple of one.
writeFileSync(plain, Buffer.alloc(5 * MIB + 321, 'what is written again and again is worth packing, '), { mode: 0o644 })

/** Runs the driver here and now, by the user who runs the tests. */
async function drive(job: Partial<DriverJob> & Pick<DriverJob, 'stage'>): Promise<NonNullable<ReturnType<typeof parseReport>>> {
  const { execFileSync } = await import('node:child_process')
  const given = { direction: 'pack', input: plain, streams: 1, warm: false, ...job }
  const report = parseReport(
    execFileSync(process.execPath, ['--conditions=source', driver, JSON.stringify(given)], { encoding: 'utf8', stdio: 'pipe' }),
  )
  if (report === undefined) throw new Error('no report')
  return report
}

describe('the driver', { timeout: 60_000 }, () => {
  const stages: readonly StageName[] = ['lz4', 'lz4 4 MiB', 'zstd', 'brotli', 'lzma', 'libsodium', 'aws-kms']

  test.each(stages)('%s packs a file and brings it back', async (stage) => {
    const packed = join(folder, 'packed')
    const back = join(folder, 'back')
    const there = await drive({ stage, output: packed })
    const again = await drive({ stage, direction: 'unpack', input: packed, output: back })
    expect(readFileSync(back).equals(readFileSync(plain))).toBe(true)
    expect([there.bytesIn, again.bytesOut]).toEqual([5 * MIB + 321, 5 * MIB + 321])
    expect(there.bytesOut).toBe(again.bytesIn)
    expect(Math.min(there.wallMs, there.cpuMs, again.wallMs, again.cpuMs)).toBeGreaterThan(0)
    expect(there.peakRssBytes).toBeGreaterThanOrEqual(there.baseRssBytes)
  })

  test('the input goes round, and through several streams', async () => {
    const report = await drive({ stage: 'lz4', bytes: 12 * MIB, streams: 2 })
    expect(report.bytesIn).toBe(24 * MIB)
  })

  test('a bare loop opens what it has sealed', async () => {
    const packed = join(folder, 'sealed')
    for (const stage of ['sodium-native', 'node:crypto'] as const) {
      const back = join(folder, 'opened')
      await drive({ stage, output: packed, bytes: 5 * MIB })
      await drive({ stage, direction: 'unpack', input: packed, output: back })
      expect(readFileSync(back).equals(readFileSync(plain).subarray(0, 5 * MIB)), stage).toBe(true)
    }
  })

  test('an empty file is no trouble', async () => {
    const empty = join(folder, 'empty')
    writeFileSync(empty, '')
    expect((await drive({ stage: 'zstd', input: empty, warm: true })).bytesIn).toBe(0)
  })
})

describe('reports of programs', () => {
  const report = { wallMs: 3, cpuMs: 4, baseRssBytes: 5, peakRssBytes: 9, bytesIn: 1, bytesOut: 2 }

  test('are found among other lines, and must be whole', () => {
    expect(parseReport(`a warning\n${formatReport(report)}`)).toEqual(report)
    expect(parseReport('a warning\n')).toBeUndefined()
    expect(parseReport(formatReport({ ...report, cpuMs: Number.NaN }))).toBeUndefined()
  })

  test('replace what was measured from outside', async () => {
    const line = formatReport(report).trim()
    const sample = await measure({ argv: ['/bin/sh', '-c', `sleep 0.1; echo '${line}'`], reports: true }, undefined)
    expect(sample).toMatchObject({ wallMs: 3, cpuMs: 4, grownRssBytes: 4 })
    await expect(measure({ argv: ['/bin/echo', 'nothing'], reports: true }, undefined)).rejects.toThrow(/without its report/)
  })
})

describe('the lock of a machine', () => {
  const file = join(folder, 'lock')

  test('keeps others out until it is released', async () => {
    const [ours, theirs] = [createMachineLock(file), createMachineLock(file)]
    await ours.turn()
    let had = false
    const waiting = theirs.turn().then(() => (had = true))
    await ours.turn()
    while (!somebodyWaitsFor(file)) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(had).toBe(false)
    await ours.release()
    await waiting
    await theirs.release()
  })

  test('is offered to others when its time is over', async () => {
    const [ours, theirs] = [createMachineLock(file, 0), createMachineLock(file)]
    await ours.turn()
    const waiting = theirs.turn()
    while (!somebodyWaitsFor(file)) await new Promise((resolve) => setTimeout(resolve, 5))
    let again = false
    const next = ours.turn().then(() => (again = true))
    await waiting
    expect(again).toBe(false)
    await theirs.release()
    await next
    await ours.release()
  })

  test('is not waited for any longer when the run is to end', async () => {
    const [ours, theirs] = [createMachineLock(file), createMachineLock(file)]
    await ours.turn()
    const ending = new AbortController()
    const waiting = theirs.turn(ending.signal)
    setTimeout(() => ending.abort(), 50)
    await expect(waiting).rejects.toThrow(/cannot be locked/)
    await ours.release()
  })

  test('is none without a file, and an error where the file cannot be', async () => {
    await createMachineLock(undefined).turn()
    await expect(createMachineLock(join(folder, 'no', 'such', 'folder')).turn()).rejects.toThrow(/cannot be locked/)
  })
})

/** Whether the kernel knows of somebody who waits for the lock of a file. */
function somebodyWaitsFor(file: string): boolean {
  const place = new RegExp(`-> FLOCK .*:${statSync(file).ino} `)
  return place.test(readFileSync('/proc/locks', 'utf8'))
}

function row(peer: string, change: Partial<ResultRow>, sample: Partial<Sample>): ResultRow {
  const samples = [{ wallMs: 100, cpuMs: 100, serverCpuMs: 0, peakRssBytes: 100 * MIB, foreignCpuMs: 0, load: 1, ...sample }]
  const facts = { suite: 'codecs', operation: 'compress', codec: 'zstd', content: 'WAL', bytes: 10 * MIB, compact: true } as const
  return { ...facts, title: 'compress, zstd, WAL', against: 'zstd -3', peer, samples, storedBytes: undefined, ...change }
}

describe('the figures', () => {
  const speed = [row('waltz', {}, { wallMs: 80, cpuMs: 125 }), row('zstd -3', {}, {})]
  const memory = (bytes: number, grown: number): ResultRow =>
    row('waltz', { operation: 'memory, compress', title: `memory ${bytes}`, bytes, against: 'waltz' }, { grownRssBytes: grown * MIB })

  test('throughput is more when Waltz is faster', () => {
    const target = targets.filter(({ operation, codec, content }) => operation === 'compress' && codec === 'zstd' && content === 'WAL')
    expect(judge(speed, target)).toMatchObject([{ measure: 'throughput', limit: '≥ 1.00', figure: '1.25', state: 'met' }])
    expect(judge([row('waltz', {}, { wallMs: 125 }), row('zstd -3', {}, {})], target)).toMatchObject([{ figure: '0.80', state: 'missed' }])
    expect(judge([row('waltz', {}, {})], target)).toMatchObject([{ state: 'not measured' }])
  })

  test('memory is judged by the most that was added', () => {
    const target = targets.filter(({ operation, codec }) => operation === 'memory, compress' && codec === 'zstd')
    expect(judge([memory(1, 64), memory(2, 65)], target)).toMatchObject([
      { figure: '64 MiB', state: 'met' },
      { figure: '65 MiB', state: 'missed' },
    ])
    expect(judge(speed, target)).toMatchObject([{ state: 'not measured', limit: '≤ 64 MiB' }])
  })

  test('one table for each operation, one line for each codec and content', () => {
    const [compress, peaks] = compactTables([...speed, memory(64 * MIB, 10), memory(1024 * MIB, 20)])
    expect(compress?.table.rows).toEqual([
      ['zstd, WAL', 'zstd -3', '80.0 ms', '100 ms', '125', '100', '1.25', '125 ms', '100 ms', '0.80', '1.0', '0.00'],
    ])
    expect(peaks?.table.head).toEqual(['what', '64 MiB', 'process', '1 GiB', 'process'])
    expect(peaks?.table.rows).toEqual([['zstd, WAL', '10 MiB', '100 MiB', '20 MiB', '100 MiB']])
  })
})

test('the suite packs with everything that can be written, and unpacks all', () => {
  const workloads = codecsSuite.workloads(parseArguments(['codecs'], ['codecs']))
  const of = (operation: string): readonly unknown[] => [
    ...new Set(workloads.filter((workload) => workload.operation === operation).map(({ codec }) => codec)),
  ]
  expect(of('compress')).toEqual(['lz4', 'zstd', 'brotli', 'lzma'])
  expect(of('decompress')).toEqual(['lz4', 'lz4 4 MiB', 'zstd', 'brotli', 'gzip', 'lzma', 'lzo'])
  expect(of('encrypt')).toEqual(of('decrypt'))
  expect(of('memory, compress')).not.toContain('gzip')
  expect(of('memory, decompress')).toContain('lzo')
})
