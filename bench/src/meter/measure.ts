/** Runs one command as the ordinary user and measures it. */
import { spawn, type ChildProcess } from 'node:child_process'
import type { Readable } from 'node:stream'
import { baseEnvironment, ordinaryUser } from '@waltz/testkit'
import { parseReport, type DriverReport } from '../driver/job.ts'
import type { Command, Sample } from '../model.ts'
import { busyMs, loadNow, serverCpuMs } from './read-proc.ts'
import { watchTree } from './tree-watch.ts'
import { parseUsageReport, wrapped, type UsageReport } from './wrapper.ts'

/** Below this the figure of getrusage(2) may be that of the wrapper, before it became the command. */
const WRAPPER_RESIDENT_BYTES = 10 * 2 ** 20
const KEPT_OUTPUT = 6000

/** Process groups that run at the moment. */
const running = new Set<number>()
let ended = false

/** Kills whatever is being measured, with all its children, and lets nothing begin any more. */
export function killMeasured(): void {
  ended = true
  for (const group of running) {
    try {
      process.kill(-group, 'SIGKILL')
    } catch {
      // It has ended by itself.
    }
  }
}

/**
 * Runs a command to its end. `postmaster` is the server whose CPU time counts too.
 * @throws Error with its output when it fails.
 */
export async function measure(command: Command, postmaster: number | undefined): Promise<Sample> {
  if (ended) throw new Error('stopped')
  const load = loadNow()
  const server = (): number => (postmaster === undefined ? 0 : serverCpuMs(postmaster))
  const before = { server: server(), busy: busyMs(), own: process.cpuUsage() }
  const { usage, treePeakBytes, report } = await runWatched(command)
  const own = process.cpuUsage(before.own)
  const busy = busyMs() - before.busy
  const serverMs = server() - before.server
  const cpuMs = usage.cpuMs + serverMs
  const largest = usage.maxResidentBytes > WRAPPER_RESIDENT_BYTES ? usage.maxResidentBytes : 0
  const sample = {
    wallMs: usage.wallMs,
    cpuMs,
    serverCpuMs: serverMs,
    peakRssBytes: Math.max(treePeakBytes, largest),
    foreignCpuMs: busy - cpuMs - (own.user + own.system) / 1000,
    load,
  }
  return report === undefined ? sample : { ...sample, ...reported(sample, report) }
}

/** What a program says of its work alone; what others did meanwhile is spread evenly over its life. */
function reported(whole: Sample, { wallMs, cpuMs, peakRssBytes, baseRssBytes }: DriverReport): Partial<Sample> {
  const part = Math.min(1, wallMs / whole.wallMs)
  return { wallMs, cpuMs, foreignCpuMs: whole.foreignCpuMs * part, grownRssBytes: Math.max(0, peakRssBytes - baseRssBytes) }
}

interface Watched {
  readonly usage: UsageReport
  readonly treePeakBytes: number
  readonly report: DriverReport | undefined
}

async function runWatched(command: Command): Promise<Watched> {
  const [program = '', ...args] = wrapped(command.argv)
  const child = spawn(program, args, {
    // Programs are found where the table of peers found them.
    env: { ...baseEnvironment(), PATH: process.env['PATH'] ?? '/usr/bin:/bin', ...command.env },
    cwd: command.cwd ?? '/',
    // A group of its own, so that all of it can be killed.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    ...ordinaryUser(),
  })
  const output = { text: '', report: '' }
  keep(child.stdout, (text) => (output.text = (output.text + text).slice(-KEPT_OUTPUT)))
  keep(child.stderr, (text) => (output.text = (output.text + text).slice(-KEPT_OUTPUT)))
  keep(child.stdio[3] as Readable, (text) => (output.report += text))
  const ended = whenClosed(child)
  const group = child.pid
  if (group === undefined) {
    await ended
    throw new Error(`${program} could not be started`)
  }
  running.add(group)
  const watch = watchTree(group)
  let treePeakBytes = 0
  try {
    await ended
  } finally {
    treePeakBytes = watch.stop()
    running.delete(group)
  }
  const usage = parseUsageReport(output.report === '' ? output.text : output.report)
  if (usage.exitCode === 0 && usage.signal === 0) {
    const report = command.reports === true ? parseReport(output.text) : undefined
    if (command.reports === true && report === undefined) throw new Error(`${command.argv.join(' ')} ended without its report`)
    return { usage, treePeakBytes, report }
  }
  const end = usage.signal === 0 ? `exit ${usage.exitCode}` : `signal ${usage.signal}`
  throw new Error(`${command.argv.join(' ')} ended with ${end}\n${output.text.trim()}`)
}

function keep(stream: Readable | null, take: (text: string) => void): void {
  stream?.setEncoding('utf8').on('data', take)
}

function whenClosed(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => resolve())
  })
}
