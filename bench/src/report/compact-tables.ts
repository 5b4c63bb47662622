/** Workloads that are one line each: throughput beside the reference, or the peak of memory. */
import type { ResultRow } from '../model.ts'
import { ratios, summarize } from '../statistics.ts'
import type { TitledTable } from './report.ts'
import type { TextTable } from './table.ts'
import { formatBytes, formatMiB, formatMs, formatRatio } from './units.ts'

/** One table for each operation. A workload that has no peer but Waltz is about memory. */
export function compactTables(rows: readonly ResultRow[]): readonly TitledTable[] {
  const operations = [...new Set(rows.map(({ operation }) => operation))]
  return operations.map((operation) => {
    const own = rows.filter((row) => row.operation === operation)
    return own.every(({ against }) => against === 'waltz')
      ? { title: operation, note: 'peaks above what was resident before the work began, the most of all rounds', table: memoryTable(own) }
      : {
          title: operation,
          note: 'throughput: minimum of the peer over the minimum of waltz, so more is better; CPU likewise',
          table: speedTable(own),
        }
  })
}

function speedTable(rows: readonly ResultRow[]): TextTable {
  const head = ['what', 'against', 'wall', 'its wall', 'MiB/s', 'its MiB/s', 'throughput', 'CPU', 'its CPU', 'CPU ratio', 'load', 'foreign']
  const lines = rows
    .filter(({ peer }) => peer === 'waltz')
    .map((row) => {
      const summary = summarize(row)
      const peer = rows.find((other) => other.title === row.title && other.peer === row.against)
      const base = peer === undefined ? undefined : summarize(peer)
      const found = base === undefined ? undefined : ratios(base, summary)
      return [
        whatOf(row),
        row.against,
        formatMs(summary.wallMs.min),
        formatMs(base?.wallMs.min ?? Number.NaN),
        pace(row, summary.wallMs.min),
        pace(row, base?.wallMs.min),
        formatRatio(found?.wall),
        formatMs(summary.cpuMs.min),
        formatMs(base?.cpuMs.min ?? Number.NaN),
        formatRatio(found?.cpu),
        summary.load.median.toFixed(1),
        `${summary.foreignCores.toFixed(2)}${summary.noisy ? ' !' : ''}`,
      ]
    })
  return { head, rows: lines, left: [0, 1] }
}

function memoryTable(rows: readonly ResultRow[]): TextTable {
  const sizes = [...new Set(rows.map(({ bytes }) => bytes ?? 0))].sort((a, b) => a - b)
  const head = ['what', ...sizes.flatMap((size) => [formatBytes(size), 'process'])]
  const lines = [...new Set(rows.map(whatOf))].map((what) => [
    what,
    ...sizes.flatMap((size) => {
      const row = rows.find((candidate) => whatOf(candidate) === what && candidate.bytes === size)
      if (row === undefined) return ['-', '-']
      const { grownRssBytes, peakRssBytes } = summarize(row)
      return [formatMiB(grownRssBytes.max), formatMiB(peakRssBytes.max)]
    }),
  ])
  return { head, rows: lines, left: [0] }
}

function whatOf({ codec, content }: ResultRow): string {
  return [codec, content].filter((word) => word !== undefined).join(', ')
}

function pace({ bytes = 0 }: ResultRow, wallMs = Number.NaN): string {
  return Number.isFinite(wallMs) ? (bytes / 2 ** 20 / (wallMs / 1000)).toFixed(0) : '-'
}
