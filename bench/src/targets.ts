/** What Waltz is to reach, as data, and the judgement of a run. Ratios are of minima, Waltz over the peer; memory is the most of all rounds. */
import type { StageName } from './driver/job.ts'
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
  /** How many times as much as the peer in the same time, or more. */
  readonly throughput?: number
  /** Peak memory above what the process had before the work began. */
  readonly grownMiB?: number
  /** Medians of peak memory of all sizes differ by no more than this part of the smallest. */
  readonly sizesWithin?: number
  /** The median of peak memory lies within this part of that of the `plain` content. */
  readonly plainWithin?: number
}

const PG = 'pg_basebackup'
const PIPE = 'tar | lz4 -1'
const BR = 'pgBackRest'
const GROWN = 'peak above its own'

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
  ...codecTargets(),
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

/** Throughput on what databases write, and memory whatever the input. */
function codecTargets(): readonly Target[] {
  const contents = ['table', 'WAL'] as const
  const suite = 'codecs'
  const fast = (operation: string, codec: StageName, against: string, throughput: number): readonly Target[] =>
    contents.map((content) => ({ suite, operation, codec, content, against, throughput }))
  const small = (codec: StageName, grownMiB: number): readonly Target[] => [
    ...(codec === 'gzip' || codec === 'lzo' ? [] : [{ suite, operation: `memory, ${verbs(codec)[0]}`, codec, grownMiB }]),
    { suite, operation: `memory, ${verbs(codec)[1]}`, codec, grownMiB },
  ]
  const [LZ4, ZSTD, BROTLI, XZ] = ['lz4 -1', 'zstd -3', 'brotli -q 3', 'xz --format=lzma -1'] as const
  return [
    ...fast('compress', 'lz4', LZ4, 1),
    ...fast('compress', 'zstd', ZSTD, 1),
    ...fast('compress', 'brotli', BROTLI, 1),
    ...fast('decompress', 'lz4', LZ4, 1),
    ...fast('decompress', 'lz4 4 MiB', LZ4, 1),
    ...fast('decompress', 'zstd', ZSTD, 0.65),
    ...fast('decompress', 'brotli', BROTLI, 0.95),
    ...fast('decompress', 'gzip', 'gzip', 1),
    ...fast('compress two at once', 'lz4', LZ4, 1.5),
    ...fast('compress two at once', 'zstd', ZSTD, 1.5),
    ...fast('compress two at once', 'brotli', BROTLI, 1.5),
    ...fast('compress two at once', 'lzma', XZ, 1),
    { suite, operation: 'encrypt', codec: 'libsodium', against: 'sodium-native', throughput: 0.9 },
    { suite, operation: 'decrypt', codec: 'libsodium', against: 'sodium-native', throughput: 0.9 },
    { suite, operation: 'encrypt', codec: 'openpgp', against: 'gpg', throughput: 0.5 },
    { suite, operation: 'decrypt', codec: 'openpgp', against: 'gpg', throughput: 0.4 },
    ...(['lz4', 'lz4 4 MiB', 'zstd', 'brotli', 'brotli-wasm', 'gzip', 'lzo'] as const).flatMap((codec) => small(codec, 64)),
    ...(['lzma', 'lzma-native'] as const).flatMap((codec) => small(codec, 128)),
    ...(['libsodium', 'openpgp', 'aws-kms'] as const).flatMap((codec) => small(codec, 64)),
  ]
}

function verbs(codec: StageName): readonly [string, string] {
  return codec === 'libsodium' || codec === 'openpgp' || codec === 'aws-kms' ? ['encrypt', 'decrypt'] : ['compress', 'decompress']
}

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
const atLeast = (limit: number): string => `≥ ${limit.toFixed(2)}`

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
    ...(target.throughput === undefined ? [] : [verdict('throughput', atLeast(target.throughput), target.against)]),
    ...(target.grownMiB === undefined ? [] : [verdict(GROWN, `≤ ${target.grownMiB} MiB`)]),
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
  const { throughput } = target
  const times = throughput === undefined ? [] : [throughputVerdict(row, { against, limit: throughput, ratio: found?.wall })]
  return [...times, ...timeVerdicts(row, target, found)]
}

function throughputVerdict(
  row: ResultRow,
  { against, limit, ratio }: { readonly against: string; readonly limit: number; readonly ratio: number | undefined },
): Verdict {
  const named = { workload: row.title, measure: 'throughput', against, limit: atLeast(limit) }
  if (ratio === undefined || !Number.isFinite(1 / ratio)) return { ...named, figure: '-', state: 'not measured' }
  return { ...named, figure: (1 / ratio).toFixed(2), state: 1 / ratio >= limit ? 'met' : 'missed' }
}

function timeVerdicts(row: ResultRow, target: Target, found: Partial<ReturnType<typeof ratios>> | undefined): readonly Verdict[] {
  const { against = '' } = target
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
  const { peakRssBytes: peak, grownRssBytes: grown } = summarize(row)
  const verdicts: Verdict[] = []
  if (target.grownMiB !== undefined) {
    const figure = grown.max / 2 ** 20
    const named = { workload: row.title, measure: GROWN, against: '', limit: `≤ ${target.grownMiB} MiB` }
    if (Number.isNaN(figure)) verdicts.push({ ...named, figure: '-', state: 'not measured' })
    else verdicts.push({ ...named, figure: `${figure.toFixed(0)} MiB`, state: figure <= target.grownMiB ? 'met' : 'missed' })
  }
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
