/** The few figures that many runs come to. Every function here takes at least one number unless it says otherwise. */
import type { ResultRow, Sample } from './model.ts'

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN
  return (upper + lower) / 2
}

export interface Spread {
  readonly min: number
  readonly median: number
  readonly max: number
}

/** Smallest, middle and largest value; all NaN when there is none. */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0) return { min: Number.NaN, median: Number.NaN, max: Number.NaN }
  return { min: Math.min(...values), median: median(values), max: Math.max(...values) }
}

/** What a table shows of one cell. */
export interface Summary {
  readonly wallMs: Spread
  readonly cpuMs: Spread
  readonly serverCpuMs: Spread
  readonly peakRssBytes: Spread
  /** NaN unless the program reports. */
  readonly grownRssBytes: Spread
  readonly load: Spread
  /** How many cores others kept busy while this ran, over all rounds. */
  readonly foreignCores: number
  /** Others took so much of the machine that it can be seen in the figures. */
  readonly noisy: boolean
}

/** Sums one cell up. */
export function summarize({ samples }: Pick<ResultRow, 'samples'>): Summary {
  const of = (key: keyof (typeof samples)[number]): Spread => spread(samples.map((sample) => sample[key] ?? Number.NaN))
  const total = (key: 'wallMs' | 'foreignCpuMs'): number => samples.reduce((sum, sample) => sum + sample[key], 0)
  const [foreignMs, wallMs] = [total('foreignCpuMs'), total('wallMs')]
  return {
    wallMs: of('wallMs'),
    cpuMs: of('cpuMs'),
    serverCpuMs: of('serverCpuMs'),
    peakRssBytes: of('peakRssBytes'),
    grownRssBytes: spread(samples.flatMap(({ grownRssBytes }) => grownRssBytes ?? [])),
    load: of('load'),
    foreignCores: samples.length === 0 ? Number.NaN : Math.max(0, foreignMs / wallMs),
    noisy: foreignMs > NOISY_CORES * wallMs + ROUGHNESS_MS * samples.length,
  }
}

/** Ratios of minima, `row` over `base`. */
export function ratios(row: Summary, base: Summary): { readonly wall: number; readonly cpu: number } {
  return { wall: row.wallMs.min / base.wallMs.min, cpu: row.cpuMs.min / base.cpuMs.min }
}

/** Whether others took so much of the machine while one run lasted that it can be seen in its figures. */
export function isDisturbed({ wallMs, foreignCpuMs }: Pick<Sample, 'wallMs' | 'foreignCpuMs'>): boolean {
  return foreignCpuMs > NOISY_CORES * wallMs + ROUGHNESS_MS
}

/** The run of two that others disturbed less, by how many cores they took. */
export function lessDisturbed(a: Sample, b: Sample): Sample {
  return b.foreignCpuMs / b.wallMs < a.foreignCpuMs / a.wallMs ? b : a
}

/** Cores that others may take. */
export const NOISY_CORES = 0.2
/** The machine counts in hundredths of a second, so that a run may be wrong by half of one. */
const ROUGHNESS_MS = 5

/** The cells in the order of one round: every round begins one further. */
export function rotated<Item>(items: readonly Item[], round: number): readonly Item[] {
  const start = items.length === 0 ? 0 : round % items.length
  return [...items.slice(start), ...items.slice(0, start)]
}

/** One row for each peer of each workload, with the samples of all that there are, in the order of first appearance. */
export function mergeRows(rows: readonly ResultRow[]): readonly ResultRow[] {
  const merged = new Map<string, ResultRow>()
  for (const row of rows) {
    const key = JSON.stringify([row.suite, row.title, row.peer])
    const known = merged.get(key)
    merged.set(key, known === undefined ? row : { ...known, samples: [...known.samples, ...row.samples] })
  }
  return [...merged.values()]
}
