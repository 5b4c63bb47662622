/** One run from the first cluster to the report. */
import { readFileSync } from 'node:fs'
import type { TemporaryFolder } from '@waltz/testkit'
import type { BenchOptions } from './arguments.ts'
import { createClusters } from './clusters/clusters.ts'
import { describeEnvironment, expectRoom } from './environment.ts'
import { createMachineLock } from './meter/machine-lock.ts'
import { killMeasured } from './meter/measure.ts'
import { createObjectServer } from './object-server.ts'
import type { Bench, Remark, ResultRow, SeenPeer, Tools, Workload } from './model.ts'
import { formatDuration, secondsLeft, type Progress } from './progress.ts'
import type { Report } from './report/report.ts'
import { runWorkload, shortLine } from './run-workload.ts'
import { suites } from './suites/index.ts'
import { mergeRows } from './statistics.ts'
import { judge, targets } from './targets.ts'

export interface RunOptions {
  readonly options: BenchOptions
  readonly folder: TemporaryFolder
  readonly tools: Tools
  readonly peers: readonly SeenPeer[]
  readonly progress: Progress
  readonly command: string
  readonly now: () => Date
}

export interface BenchRun {
  /** Settles when all servers are stopped. */
  readonly report: Promise<Report>
  /** Ends it early: what is measured is killed, servers are stopped. */
  stop(): Promise<void>
}

/** Begins a run. */
export function startBench(run: RunOptions): BenchRun {
  const clusters = createClusters(run.folder, run.progress)
  const ending = new AbortController()
  const objectServer = createObjectServer(run.progress)
  const bench: Bench = { ...run, clusters, objectServer, signal: ending.signal }
  return {
    report: measureAndStop(bench, run),
    stop: async () => {
      ending.abort()
      killMeasured()
      await Promise.all([clusters.stop(), objectServer.stop()])
    },
  }
}

async function measureAndStop(bench: Bench, run: RunOptions): Promise<Report> {
  try {
    return await measureAll(bench, run)
  } finally {
    await Promise.all([bench.clusters.stop(), bench.objectServer.stop()])
  }
}

async function measureAll(bench: Bench, run: RunOptions): Promise<Report> {
  const { options, progress } = bench
  expectRoom(bench.folder.path, options)
  const startedAt = run.now()
  const workloads = suites
    .filter(({ name }) => options.suites.includes(name))
    .flatMap((suite) => suite.workloads(options))
    .filter(({ title }) => options.only.length === 0 || options.only.some((text) => title.includes(text)))
  const measured: ResultRow[] = []
  const earlier = options.earlier.flatMap((path) => (JSON.parse(readFileSync(path, 'utf8')) as Pick<Report, 'rows'>).rows)
  const remarks: Remark[] = []
  const lock = createMachineLock(options.lock)
  const elapsed = (): number => (run.now().getTime() - startedAt.getTime()) / 1000
  let done = 0
  for (const [index, workload] of workloads.entries()) {
    const left = sumOf(workloads.slice(index))
    const advance = (part: number, text: string): void => {
      const finished = workload.expectedSeconds * part
      const rest = secondsLeft({ elapsed: elapsed(), expectedDone: done + finished, expectedLeft: left - finished })
      progress.now(`[${index + 1}/${workloads.length}, about ${formatDuration(rest)} left] ${workload.title}, ${text}`)
    }
    advance(0, 'preparing')
    try {
      await lock.turn(bench.signal)
      const result = await runWorkload(bench, workload, advance)
      measured.push(...result.rows)
      remarks.push(...result.remarks)
      progress.say(`[${index + 1}/${workloads.length}] ${workload.title}`)
      for (const row of result.rows) progress.say(shortLine(row))
    } catch (error) {
      if (bench.signal.aborted) break
      const text = error instanceof Error ? error.message : String(error)
      progress.say(`FAILED: ${workload.title}: ${text}`)
      remarks.push({ workload: workload.title, peer: 'preparation', text, failure: true })
    }
    done += workload.expectedSeconds
  }
  await lock.release()
  const rows = mergeRows([...earlier, ...measured])
  return {
    startedAt: startedAt.toISOString(),
    seconds: elapsed(),
    command: run.command,
    quick: options.quick,
    complete: !bench.signal.aborted,
    environment: describeEnvironment(bench.folder.path),
    server: 'PostgreSQL 15 from npm',
    peers: bench.peers.filter(({ peer, found }) => found === undefined || rows.some((row) => row.peer === peer.name)),
    rows,
    remarks,
    verdicts: judge(
      rows,
      targets.filter(({ suite }) => options.suites.includes(suite)),
    ),
  }
}

function sumOf(workloads: readonly Workload[]): number {
  return workloads.reduce((sum, workload) => sum + workload.expectedSeconds, 0)
}
