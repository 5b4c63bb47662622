import {
  DEFAULT_SEGMENT_BYTES,
  MAX_SEGMENT_BYTES,
  MIN_SEGMENT_BYTES,
  segmentName,
  segmentNumberBefore,
  segmentNumberOf,
  type Lsn,
  type TimelineId,
} from '@waltz/pg-structures'
import { walFileNameOf } from '@waltz/repository'
import type { ChosenBackup } from './choose-backups.ts'

/** Segments of one timeline by number, both ends included. */
export interface WalSpan {
  readonly timeline: TimelineId
  readonly first: number
  readonly last: number
  readonly segmentBytes: number
}

/** What backups need of the archive. */
export interface WalSpans {
  /** By timeline and number; what overlaps or adjoins is one. */
  readonly spans: readonly WalSpan[]
  /** Backups whose place in the WAL is not known. */
  readonly unplaced: readonly string[]
}

/**
 * The WAL between start and finish of each backup: from the segment of the byte before its start to that of its finish (CMD 3.5).
 * The size of segments is what the names of the backups tell, else what was given, else 16 MiB.
 */
export function walSpansOf(backups: readonly ChosenBackup[], given: number | undefined): WalSpans {
  const told = backups.map((backup) => segmentSizesOf(backup))
  const certain = told.find((sizes) => sizes.length === 1)?.[0]
  const spans: WalSpan[] = []
  const unplaced: string[] = []
  for (const [index, backup] of backups.entries()) {
    const sizes = told[index] ?? []
    const wished = given ?? certain ?? DEFAULT_SEGMENT_BYTES
    const segmentBytes = sizes.length === 0 || sizes.includes(wished) ? wished : (sizes[0] ?? wished)
    const span = spanOf(backup, segmentBytes)
    if (span === undefined) unplaced.push(backup.name)
    else spans.push(span)
  }
  return { spans: joined(spans), unplaced }
}

function spanOf({ name, startLsn, finishLsn }: ChosenBackup, segmentBytes: number): WalSpan | undefined {
  const timeline = timelineOf(name)
  if (timeline === undefined || startLsn === undefined) return undefined
  const first = segmentNumberBefore(startLsn, segmentBytes)
  return { timeline, first, last: Math.max(first, segmentNumberOf(finishLsn ?? startLsn, segmentBytes)), segmentBytes }
}

/** The sizes with which the backup would have its name: that of the segment of its start, on standbys of the byte before (RF 1.3). */
function segmentSizesOf({ name, startLsn }: ChosenBackup): readonly number[] {
  const timeline = timelineOf(name)
  if (timeline === undefined || startLsn === undefined) return []
  const wanted = walFileNameOf(name)
  const sizes: number[] = []
  for (let size = MIN_SEGMENT_BYTES; size <= MAX_SEGMENT_BYTES; size *= 2)
    if (isNamed(wanted, { timeline, startLsn, size })) sizes.push(size)
  return sizes
}

function isNamed(
  wanted: string,
  { timeline, startLsn, size }: { readonly timeline: TimelineId; readonly startLsn: Lsn; readonly size: number },
): boolean {
  return [segmentNumberOf(startLsn, size), segmentNumberBefore(startLsn, size)].some(
    (number) => segmentName(timeline, number, size) === wanted,
  )
}

function timelineOf(name: string): TimelineId | undefined {
  const timeline = Number.parseInt(walFileNameOf(name).slice(0, 8), 16)
  return Number.isNaN(timeline) || timeline === 0 ? undefined : (timeline as TimelineId)
}

function joined(spans: readonly WalSpan[]): readonly WalSpan[] {
  const sorted = spans.toSorted((one, other) => one.timeline - other.timeline || one.first - other.first)
  const result: WalSpan[] = []
  for (const span of sorted) {
    const before = result.at(-1)
    if (before?.timeline === span.timeline && before.segmentBytes === span.segmentBytes && span.first <= before.last + 1)
      result[result.length - 1] = { ...before, last: Math.max(before.last, span.last) }
    else result.push(span)
  }
  return result
}
