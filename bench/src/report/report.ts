/** Everything a run found out, as tables. */
import type { Environment } from '../environment.ts'
import type { Remark, ResultRow, SeenPeer } from '../model.ts'
import { installLine } from '../peers/index.ts'
import { NOISY_CORES, ratios, summarize } from '../statistics.ts'
import type { Verdict } from '../targets.ts'
import { compactTables } from './compact-tables.ts'
import type { TextTable } from './table.ts'
import { formatBytes, formatMiB, formatMs, formatRatio } from './units.ts'

export interface Report {
  /** ISO 8601. */
  readonly startedAt: string
  readonly seconds: number
  readonly command: string
  readonly quick: boolean
  /** False when it was stopped before its end. */
  readonly complete: boolean
  readonly environment: Environment
  readonly server: string
  readonly peers: readonly SeenPeer[]
  readonly rows: readonly ResultRow[]
  readonly remarks: readonly Remark[]
  readonly verdicts: readonly Verdict[]
}

/** A table with what to know of it. */
export interface TitledTable {
  readonly title: string
  readonly note: string
  readonly table: TextTable
}

/** One table for each workload, in the order of the run; compact ones share the table of their operation, at the end. */
export function workloadTables(rows: readonly ResultRow[]): readonly TitledTable[] {
  const titles = [...new Set(rows.filter(({ compact }) => compact !== true).map(({ title }) => title))]
  const single = titles.map((title) => ({
    title,
    note: ratioNote(rows, title),
    table: workloadTable(rows.filter((row) => row.title === title)),
  }))
  return [...single, ...compactTables(rows.filter(({ compact }) => compact === true))]
}

function workloadTable(rows: readonly ResultRow[]): TextTable {
  const base = rows.find((row) => row.peer === row.against)
  const head = [
    'peer',
    'wall min',
    'median',
    'CPU min',
    'median',
    'of it server',
    'peak RSS',
    'stored',
    'wall ratio',
    'CPU ratio',
    'load',
    'foreign',
    ...(rows.some(({ requests }) => requests !== undefined) ? ['requests'] : []),
  ]
  const lines = rows.map((row) => {
    const summary = summarize(row)
    const ratio = base === undefined ? undefined : ratios(summary, summarize(base))
    return [
      row.peer,
      formatMs(summary.wallMs.min),
      formatMs(summary.wallMs.median),
      formatMs(summary.cpuMs.min),
      formatMs(summary.cpuMs.median),
      summary.serverCpuMs.median === 0 ? '' : formatMs(summary.serverCpuMs.median),
      formatMiB(summary.peakRssBytes.max),
      row.storedBytes === undefined ? '' : formatBytes(row.storedBytes),
      formatRatio(ratio?.wall),
      formatRatio(ratio?.cpu),
      summary.load.median.toFixed(1),
      `${summary.foreignCores.toFixed(2)}${summary.noisy ? ' !' : ''}`,
      ...(row.requests === undefined ? [] : [row.requests]),
    ]
  })
  return { head, rows: lines, left: [0] }
}

/** What the columns mean; the peer that ratios divide by differs between tables. */
export function ratioNote(rows: readonly ResultRow[], title: string): string {
  const against = rows.find((row) => row.title === title)?.against ?? ''
  const there = rows.some((row) => row.title === title && row.peer === against)
  return there ? `ratios: minimum over the minimum of ${against}` : `no ratios: ${against} was not measured`
}

export function verdictTable(verdicts: readonly Verdict[]): TextTable {
  const head = ['workload', 'measure', 'against', 'target', 'figure', '']
  return { head, rows: verdicts.map((v) => [v.workload, v.measure, v.against, v.limit, v.figure, v.state]), left: [0, 1, 2, 5] }
}

export function peerTable(peers: readonly SeenPeer[]): TextTable {
  const rows = peers.map(({ peer, found }) => [peer.name, found?.version ?? `absent: ${installLine(peer)}`, peer.durability])
  return { head: ['peer', 'version', 'durability'], rows, left: [0, 1, 2] }
}

/** One line for each absent peer. */
export function absentLines(peers: readonly SeenPeer[]): readonly string[] {
  return peers
    .filter(({ found }) => found === undefined)
    .map(({ peer }) => `${peer.name} is absent and its rows are left out (${installLine(peer)})`)
}

/** Says how quiet the machine was. */
export function noiseLine(rows: readonly ResultRow[]): string {
  const noisy = rows.filter((row) => summarize(row).noisy)
  if (noisy.length === 0) return `The machine was quiet: no row has more than ${NOISY_CORES} cores of foreign CPU.`
  return `NOISY: in ${noisy.length} of ${rows.length} rows others, or the disk's own work, kept more than ${NOISY_CORES} cores busy (marked !). Repeat those.`
}

/** `2 cores of ..., 24 GiB, ext4, Linux 6.1`. */
export function environmentLine({ environment, server }: Pick<Report, 'environment' | 'server'>): string {
  const { cores, processor, memoryBytes, fileSystem, kernel } = environment
  return `${cores} cores (${processor}), ${formatBytes(memoryBytes)} of memory, ${fileSystem}, Linux ${kernel}, ${server}`
}

/** How many targets were met. */
export function verdictLine(verdicts: readonly Verdict[]): string {
  const count = (state: Verdict['state']): number => verdicts.filter((verdict) => verdict.state === state).length
  return `${count('met')} met, ${count('missed')} missed, ${count('not measured')} not measured`
}
