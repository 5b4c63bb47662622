import { segmentsPerHigh, type TimelineId } from '@waltz/pg-structures'
import { positionOf, type KeyClass, type SegmentPlace } from '@waltz/repository/removal'
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
  readonly from: SegmentPlace
  to: SegmentPlace
  bytes: number
  lastMs: number
}

/** A walk through the names of one timeline in one storage. */
interface Pass {
  readonly timeline: TimelineId
  readonly runs: OpenRun[]
  /** Ascending; those before the next one were gone past. */
  readonly cuts: readonly SegmentPlace[]
  nextCut: number
  last: SegmentPlace
}

/**
 * Sums runs for a planner. `cuts` are positions where runs end in any case, so that what each part of a run weighs is known exactly.
 * Objects may come in any order of storages, in order of name within each.
 */
export function createWalSummer(cuts: ReadonlyMap<TimelineId, readonly bigint[]>, segmentBytes: number | undefined): WalSummer {
  const perHigh = segmentBytes === undefined ? 2 ** 32 : segmentsPerHigh(segmentBytes)
  const byTimeline = new Map<TimelineId, OpenRun[][]>()
  let pass: Pass | undefined
  const enter = (timeline: TimelineId, last: SegmentPlace): Pass => {
    const runs: OpenRun[] = []
    const passes = byTimeline.get(timeline)
    if (passes === undefined) byTimeline.set(timeline, [runs])
    else passes.push(runs)
    return { timeline, runs, cuts: (cuts.get(timeline) ?? []).map(placeOf).toSorted(comparePlaces), nextCut: 0, last }
  }
  return {
    add(wal, size, modifiedMs) {
      if (pass?.timeline !== wal.timeline || comparePlaces(wal, pass.last) < 0) pass = enter(wal.timeline, wal)
      pass.last = wal
      const run = pass.runs.at(-1)
      const isInside = run !== undefined && comparePlaces(wal, run.from) >= 0 && comparePlaces(wal, run.to) < 0
      if (wal.form !== 'segment') {
        // It lies beside a segment and weighs something; it fills no gap.
        if (isInside) run.bytes += size
        return
      }
      if (isInside) add(run, size, modifiedMs)
      else if (run !== undefined && comparePlaces(run.to, wal) === 0 && !isCut(pass, wal)) {
        run.to = placeBehind(wal, perHigh)
        add(run, size, modifiedMs)
      } else pass.runs.push({ from: wal, to: placeBehind(wal, perHigh), bytes: size, lastMs: modifiedMs })
    },
    timelines: () =>
      [...byTimeline]
        .map(([timeline, passes]) => ({ timeline, runs: merged(passes) }))
        .toSorted((left, right) => left.timeline - right.timeline),
  }
}

function isCut(pass: Pass, at: SegmentPlace): boolean {
  let cut = pass.cuts[pass.nextCut]
  while (cut !== undefined && comparePlaces(cut, at) < 0) cut = pass.cuts[(pass.nextCut += 1)]
  return cut !== undefined && comparePlaces(cut, at) === 0
}

/** Negative when the left one comes first. */
export function comparePlaces(left: SegmentPlace, right: SegmentPlace): number {
  return left.high - right.high || left.low - right.low
}

function placeOf(position: bigint): SegmentPlace {
  return { high: Number(position >> 32n), low: Number(position & 0xffff_ffffn) }
}

/** As `endOfSegments` of one segment. */
function placeBehind({ high, low }: SegmentPlace, perHigh: number): SegmentPlace {
  const next = low + 1
  return next < perHigh ? { high, low: next } : { high: high + Math.floor(next / perHigh), low: next % perHigh }
}

function add(run: OpenRun, size: number, modifiedMs: number): void {
  run.bytes += size
  if (modifiedMs > run.lastMs) run.lastMs = modifiedMs
}

/** The runs of several storages as one ascending list without overlaps. Where they overlap, the bytes of both count for the whole. */
function merged(passes: readonly (readonly OpenRun[])[]): readonly LogRun[] {
  const runs: OpenRun[] = []
  for (const run of passes.flat().toSorted((left, right) => comparePlaces(left.from, right.from))) {
    const before = runs.at(-1)
    if (before === undefined || comparePlaces(run.from, before.to) >= 0) {
      runs.push({ ...run })
      continue
    }
    before.bytes += run.bytes
    before.lastMs = Math.max(before.lastMs, run.lastMs)
    if (comparePlaces(run.to, before.to) > 0) before.to = run.to
  }
  return runs.map(({ from, to, bytes, lastMs }) => ({ from: positionOf(from), to: positionOf(to), bytes, lastAt: new Date(lastMs) }))
}
