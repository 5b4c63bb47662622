import { Fault } from '@waltz/errors'
import {
  classifyWalFileName,
  segmentName,
  segmentNumberFromName,
  segmentNumberOf,
  type TimelineId,
  type WalFileName,
} from '@waltz/pg-structures'
import type { ArchiveContext } from './context.ts'
import { segmentBytesOf } from './segment-size.ts'
import { readHistory } from './timeline-files.ts'
import { first, hex8, listWal } from './wal-listing.ts'

/** Whether all segments of a range are archived. */
export interface WalContinuity {
  readonly complete: boolean
  /** In order; adjacent missing segments of one timeline make one gap. */
  readonly gaps: readonly WalGap[]
}

/** Missing segments, both ends included. */
export interface WalGap {
  readonly timeline: TimelineId
  readonly first: WalFileName
  readonly last: WalFileName
  readonly segments: number
  /** `lost` when later segments are there, so that nobody can expect it to come; else `not-yet-archived`. */
  readonly reason: 'lost' | 'not-yet-archived'
}

/** Segments of one timeline by number, both ends included. */
export interface SegmentRange {
  readonly timeline: TimelineId
  readonly first: number
  readonly last: number
}

/**
 * The runs of missing segments within a range of one timeline, from one listing, without holding the names.
 * @throws Fault of the store.
 */
export async function* missingRuns(
  context: ArchiveContext,
  range: SegmentRange & { readonly segmentBytes: number },
  signal?: AbortSignal,
): AsyncGenerator<SegmentRange, void, undefined> {
  const { timeline, segmentBytes } = range
  let expected = range.first
  // The name before the range sorts before every object of it, whatever its extension.
  const after = range.first === 0 ? hex8(timeline) : `${segmentName(timeline, range.first - 1, segmentBytes)}~`
  for await (const { name, parts } of listWal(context, { prefix: hex8(timeline), after, signal })) {
    if (parts.kind !== 'segment') continue
    const number = segmentNumberFromName(name as WalFileName, segmentBytes)
    if (number > range.last) break
    if (number > expected) yield { timeline, first: expected, last: number - 1 }
    expected = Math.max(expected, number + 1)
  }
  if (expected <= range.last) yield { timeline, first: expected, last: range.last }
}

/** Checks that the segments from one to another are there, along the history of the latter. See `WalArchive.verify`. */
export async function verifyContinuity(context: ArchiveContext, from: string, to: string, signal?: AbortSignal): Promise<WalContinuity> {
  const segmentBytes = await segmentBytesOf(context, signal)
  const ranges = await rangesBetween(context, { from: segmentOf(from), to: segmentOf(to), segmentBytes }, signal)
  const runs: SegmentRange[] = []
  for (const range of ranges) for await (const run of missingRuns(context, { ...range, segmentBytes }, signal)) runs.push(run)
  const end = ranges.at(-1)!
  const beyond = await first(laterSegments(context, segmentName(end.timeline, end.last, segmentBytes), signal))
  const reachesEnd = (run: SegmentRange): boolean => run.timeline === end.timeline && run.last === end.last
  const gaps = runs.map((run): WalGap => {
    const expected = beyond === undefined && reachesEnd(run)
    return {
      timeline: run.timeline,
      first: segmentName(run.timeline, run.first, segmentBytes),
      last: segmentName(run.timeline, run.last, segmentBytes),
      segments: run.last - run.first + 1,
      reason: expected ? 'not-yet-archived' : 'lost',
    }
  })
  return { complete: gaps.length === 0, gaps }
}

async function* laterSegments(context: ArchiveContext, name: string, signal?: AbortSignal): AsyncGenerator<string, void, undefined> {
  for await (const listed of listWal(context, { prefix: name.slice(0, 8), after: `${name}~`, signal })) {
    if (listed.parts.kind === 'segment') yield listed.name
  }
}

function segmentOf(name: string): WalFileName {
  if (classifyWalFileName(name)?.kind === 'segment') return name as WalFileName
  throw new Fault('invalid', 'WAL_NAME_INVALID', `"${name}" is not the name of a WAL segment`, { hint: 'give 24 hex digits' })
}

/** Which timeline must hold which segments: the newest one that has begun by then, as recovery asks for them. */
async function rangesBetween(
  context: ArchiveContext,
  asked: { readonly from: WalFileName; readonly to: WalFileName; readonly segmentBytes: number },
  signal?: AbortSignal,
): Promise<readonly SegmentRange[]> {
  const { segmentBytes } = asked
  const timeline = classifyWalFileName(asked.to)!.timeline
  const first = segmentNumberFromName(asked.from, segmentBytes)
  const last = segmentNumberFromName(asked.to, segmentBytes)
  if (first > last) throw new Fault('invalid', 'WAL_NAME_INVALID', `${asked.from} lies behind ${asked.to}`, { hint: 'exchange them' })
  const startTimeline = classifyWalFileName(asked.from)!.timeline
  if (startTimeline === timeline) return [{ timeline, first, last }]
  const history = await readHistory(context, timeline, signal)
  const switches = history?.switches ?? []
  if (!switches.some((entry) => entry.timeline === startTimeline)) {
    throw new Fault(
      'invalid',
      'WAL_NAME_INVALID',
      `timeline ${timeline} does not come from timeline ${startTimeline}, as far as the archive knows`,
      {
        hint: 'check both names, and whether the history file of the later timeline is archived',
      },
    )
  }
  const ranges: SegmentRange[] = []
  let begin = 0
  for (const entry of switches) {
    const end = segmentNumberOf(entry.switchLsn, segmentBytes)
    ranges.push({ timeline: entry.timeline, first: Math.max(begin, first), last: Math.min(end - 1, last) })
    begin = end
  }
  ranges.push({ timeline, first: Math.max(begin, first), last })
  return ranges.filter((range) => range.first <= range.last)
}
