/** What Waltz is to reach, as data, and the judgement of a run. Ratios are of minima, Waltz over the peer; memory is the most of all rounds. */
import type { ResultRow, WorkloadFacts } from './model.ts'
import { ratios, summarize } from './statistics.ts'

export interface Target extends Partial<WorkloadFacts> {
  readonly suite: string
  readonly operation: string
  /** Peer for the ratios. */
  readonly against?: string
  readonly wall?: number
  readonly cpu?: number
  readonly peakMiB?: number
  /** Medians of peak memory of all sizes differ by no more than this part of the smallest. */
  readonly sizesWithin?: number
  /** The median of peak memory lies within this part of that of the `plain` content. */
  readonly plainWithin?: number
}

const PG = 'pg_basebackup'
const PIPE = 'tar | lz4 -1'
const BR = 'pgBackRest'

export const targets: readonly Target[] = [
  { suite: 'backup', operation: 'backup', codec: 'lz4', against: PG, wall: 0.5, cpu: 0.8, peakMiB: 160, sizesWithin: 0.15 },
  { suite: 'backup', operation: 'backup', codec: 'lz4', against: BR, wall: 0.3, cpu: 0.4 },
  { suite: 'backup', operation: 'backup', codec: 'zstd', against: 'tar | zstd -3', wall: 0.65, cpu: 1, peakMiB: 160 },
  { suite: 'restore', operation: 'restore', codec: 'lz4', against: PIPE, wall: 0.6, cpu: 0.7, peakMiB: 200 },
  { suite: 'restore', operation: 'restore', codec: 'lz4', against: BR, wall: 0.5, cpu: 0.5 },
  { suite: 'restore', operation: 'restore', codec: 'zstd', against: BR, wall: 0.5, cpu: 0.5 },
  { suite: 'relations', operation: 'backup', against: PG, wall: 1, cpu: 1.2, peakMiB: 160 },
  { suite: 'relations', operation: 'restore', against: PIPE, wall: 1.2, cpu: 1.2, peakMiB: 200 },
  { suite: 'wal', operation: 'push', content: 'pgbench', codec: 'lz4', against: BR, wall: 1, cpu: 1.2, peakMiB: 90 },
  { suite: 'wal', operation: 'fetch', content: 'pgbench', codec: 'lz4', against: BR, wall: 1.4, cpu: 1.6, peakMiB: 90 },
  { suite: 'wal', operation: 'again', against: 'node -e 0', wall: 3, cpu: 3.5 },
  { suite: 'storage', operation: 'upload', content: 'one file', against: 'rclone', wall: 1, cpu: 1.2 },
  { suite: 'storage', operation: 'upload', content: 'many files', against: 'rclone', wall: 1, cpu: 1.2 },
  { suite: 'storage', operation: 'download', content: 'one file', against: 'rclone', wall: 1, cpu: 1.2 },
  { suite: 'storage', operation: 'download', content: 'many files', against: 'rclone', wall: 1, cpu: 1.2 },
  ...['list', 'retain', 'before', 'garbage'].map((operation) => ({
    suite: 'catalogue',
    operation,
    against: 'bare listing',
    wall: 1.2,
    peakMiB: 150,
  })),
  { suite: 'catalogue', operation: 'list detail', against: 'listing, documents', wall: 1.2, peakMiB: 150 },
  { suite: 'memory', operation: 'backup', content: 'ten times the bytes', plainWithin: 0.15 },
  { suite: 'memory', operation: 'backup', content: 'many files', plainWithin: 0.15 },
  { suite: 'memory', operation: 'restore', content: 'ten times the bytes', plainWithin: 0.15 },
  { suite: 'memory', operation: 'restore', content: 'many files', plainWithin: 0.15 },
]

export interface Verdict {
  /** Title of the workload, or what the target asks for when there was none. */
  readonly workload: string
  readonly measure: string
  readonly against: string
  /** As text, such as `≤ 0.50`. */
  readonly limit: string
  readonly figure: string
  readonly state: 'met' | 'missed' | 'not measured'
}

/** One verdict for each figure that a target names, for each workload that it fits. */
export function judge(rows: readonly ResultRow[], table: readonly Target[] = targets): readonly Verdict[] {
  return table.flatMap((target) => {
    const fitting = rows.filter((row) => row.peer === 'waltz' && row.samples.length > 0 && fits(row, target))
    if (fitting.length === 0) return unmeasured(target)
    const verdicts = fitting.flatMap((row) => [...ratioVerdicts(row, target, rows), ...memoryVerdicts(row, target, rows)])
    return target.sizesWithin === undefined ? verdicts : [...verdicts, sizeVerdict(fitting, target.sizesWithin)]
  })
}

function fits(row: ResultRow, target: Target): boolean {
  return (['suite', 'operation', 'codec', 'content'] as const).every((key) => target[key] === undefined || target[key] === row[key])
}

const atMost = (limit: number): string => `≤ ${limit.toFixed(2)}`

function unmeasured(target: Target): readonly Verdict[] {
  const workload = [target.suite, target.operation === target.suite ? undefined : target.operation, target.content, target.codec]
    .filter((word) => word !== undefined)
    .join(' ')
  const verdict = (measure: string, limit: string, against = ''): Verdict => ({
    workload,
    measure,
    limit,
    against,
    figure: '-',
    state: 'not measured',
  })
  return [
    ...(['wall', 'cpu'] as const).flatMap((measure) => {
      const limit = target[measure]
      return limit === undefined ? [] : [verdict(measure === 'cpu' ? 'CPU' : measure, atMost(limit), target.against)]
    }),
    ...(target.peakMiB === undefined ? [] : [verdict('peak RSS', `≤ ${target.peakMiB} MiB`)]),
    ...(target.sizesWithin === undefined ? [] : [verdict('peak RSS of all sizes', `± ${percent(target.sizesWithin)}`)]),
    ...(target.plainWithin === undefined ? [] : [verdict('peak RSS', `± ${percent(target.plainWithin)}`, 'the cluster alone')]),
  ]
}

function ratioVerdicts(row: ResultRow, target: Target, rows: readonly ResultRow[]): readonly Verdict[] {
  const { against } = target
  if (against === undefined) return []
  const peer = rows.find((other) => other.title === row.title && other.peer === against && other.samples.length > 0)
  const found = peer === undefined ? undefined : ratios(summarize(row), summarize(peer))
  return (['wall', 'cpu'] as const).flatMap((measure): readonly Verdict[] => {
    const limit = target[measure]
    if (limit === undefined) return []
    const ratio = found?.[measure]
    const named = { workload: row.title, measure: measure === 'cpu' ? 'CPU' : measure, against, limit: atMost(limit) }
    if (ratio === undefined || !Number.isFinite(ratio)) return [{ ...named, figure: '-', state: 'not measured' }]
    return [{ ...named, figure: ratio.toFixed(2), state: ratio <= limit ? 'met' : 'missed' }]
  })
}

function memoryVerdicts(row: ResultRow, target: Target, rows: readonly ResultRow[]): readonly Verdict[] {
  const peak = summarize(row).peakRssBytes
  const verdicts: Verdict[] = []
  if (target.peakMiB !== undefined) {
    const figure = peak.max / 2 ** 20
    verdicts.push({
      workload: row.title,
      measure: 'peak RSS',
      against: '',
      limit: `≤ ${target.peakMiB} MiB`,
      figure: `${figure.toFixed(0)} MiB`,
      state: figure <= target.peakMiB ? 'met' : 'missed',
    })
  }
  if (target.plainWithin !== undefined) {
    const plain = rows.find(
      (other) => other.peer === 'waltz' && other.suite === row.suite && other.operation === row.operation && other.content === 'plain',
    )
    const base = plain === undefined ? Number.NaN : summarize(plain).peakRssBytes.median
    verdicts.push(growth(row.title, 'peak RSS', 'the cluster alone', { change: peak.median / base - 1, within: target.plainWithin }))
  }
  return verdicts
}

function sizeVerdict(fitting: readonly ResultRow[], within: number): Verdict {
  const medians = fitting.map((row) => summarize(row).peakRssBytes.median)
  const change = new Set(fitting.map((row) => row.bytes)).size < 2 ? Number.NaN : Math.max(...medians) / Math.min(...medians) - 1
  const [row] = fitting
  return growth(`${row?.operation} ${row?.codec}`, 'peak RSS of all sizes', 'the smallest', { change, within })
}

function growth(
  workload: string,
  measure: string,
  against: string,
  { change, within }: { readonly change: number; readonly within: number },
): Verdict {
  const named = { workload, measure, against, limit: `± ${percent(within)}` }
  if (!Number.isFinite(change)) return { ...named, figure: '-', state: 'not measured' }
  const figure = `${change < 0 ? '' : '+'}${percent(change)}`
  return { ...named, figure, state: Math.abs(change) <= within ? 'met' : 'missed' }
}

function percent(part: number): string {
  return `${(part * 100).toFixed(0)} %`
}
