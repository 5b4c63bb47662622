import type { TimelineId } from '@waltz/pg-structures'
import { endOfSegments, type KeyClass } from '@waltz/repository/removal'
import type { LogRun } from '@waltz/retention-policy'

/** WAL and what was noted beside it. */
export type WalClass = Extract<KeyClass, { readonly kind: 'wal' }>

/** What is archived of one timeline: segments as runs without gaps, and where anything at all lies. */
export interface WalTimelineSum {
  readonly timeline: TimelineId
  readonly runs: readonly LogRun[]
}

/** Adds up WAL as it is listed: in memory there is one run for each gap, and for each place where runs must be cut. */
export interface WalSummer {
  add(wal: WalClass, size: number, modifiedMs: number): void
  /** The timelines seen, ascending. */
  timelines(): readonly WalTimelineSum[]
}

interface OpenRun {
  from: bigint
  to: bigint
  bytes: number
  lastMs: number
}

/** A walk through the names of one timeline in one storage. */
interface Pass {
  readonly timeline: TimelineId
  readonly runs: OpenRun[]
  readonly cuts: ReadonlySet<bigint>
  last: bigint
}

/**
 * Sums runs for a planner. `cuts` are positions where runs end in any case, so that what each part of a run weighs is known exactly.
 * Objects may come in any order of storages, in order of name within each.
 */
export function createWalSummer(cuts: ReadonlyMap<TimelineId, readonly bigint[]>, segmentBytes: number | undefined): WalSummer {
  const byTimeline = new Map<TimelineId, OpenRun[][]>()
  let pass: Pass | undefined
  const enter = (timeline: TimelineId): OpenRun[] => {
    const runs: OpenRun[] = []
    const passes = byTimeline.get(timeline)
    if (passes === undefined) byTimeline.set(timeline, [runs])
    else passes.push(runs)
    return runs
  }
  const passFor = ({ timeline, first }: WalClass): Pass => {
    if (pass === undefined || pass.timeline !== timeline || first < pass.last)
      pass = { timeline, runs: enter(timeline), cuts: new Set(cuts.get(timeline)), last: first }
    pass.last = first
    return pass
  }
  return {
    add(wal, size, modifiedMs) {
      const { runs, cuts: limits } = passFor(wal)
      const { first } = wal
      const run = runs.at(-1)
      const isInside = run !== undefined && first >= run.from && first < run.to
      if (wal.form !== 'segment') {
        // It lies beside a segment and weighs something; it fills no gap.
        if (isInside) run.bytes += size
        return
      }
      const to = endOfSegments(first, 1, segmentBytes)
      if (isInside) add(run, size, modifiedMs)
      else if (run?.to === first && !limits.has(first)) add(Object.assign(run, { to }), size, modifiedMs)
      else runs.push({ from: first, to, bytes: size, lastMs: modifiedMs })
    },
    timelines: () =>
      [...byTimeline]
        .map(([timeline, passes]) => ({ timeline, runs: merged(passes) }))
        .toSorted((left, right) => left.timeline - right.timeline),
  }
}

function add(run: OpenRun, size: number, modifiedMs: number): void {
  run.bytes += size
  run.lastMs = Math.max(run.lastMs, modifiedMs)
}

/** The runs of several storages as one ascending list without overlaps. Where they overlap, the bytes of both count for the whole. */
function merged(passes: readonly (readonly OpenRun[])[]): readonly LogRun[] {
  const runs: OpenRun[] = []
  for (const run of passes.flat().toSorted((left, right) => Number(left.from > right.from) - Number(left.from < right.from))) {
    const before = runs.at(-1)
    if (before === undefined || run.from >= before.to) {
      runs.push({ ...run })
      continue
    }
    before.bytes += run.bytes
    before.lastMs = Math.max(before.lastMs, run.lastMs)
    if (run.to > before.to) before.to = run.to
  }
  return runs.map(({ from, to, bytes, lastMs }) => ({ from, to, bytes, lastAt: new Date(lastMs) }))
}
