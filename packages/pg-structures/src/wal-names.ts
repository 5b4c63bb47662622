import { assert, Fault } from '@waltz/errors'
import type { Lsn, TimelineId, WalFileName } from './names.ts'

/** What a WAL file name says. `high` and `low` are the second and third group of eight hex digits of a segment name. */
export type WalFileKind =
  | { readonly kind: 'segment'; readonly timeline: TimelineId; readonly high: number; readonly low: number }
  | {
      readonly kind: 'partial'
      readonly segment: WalFileName
      readonly timeline: TimelineId
      readonly high: number
      readonly low: number
    }
  | {
      readonly kind: 'backup-history'
      readonly segment: WalFileName
      readonly timeline: TimelineId
      readonly high: number
      readonly low: number
      /** Where in the segment the backup starts, in bytes. */
      readonly offset: number
    }
  | { readonly kind: 'timeline-history'; readonly timeline: TimelineId }

/** The smallest and the largest segment that PostgreSQL can be initialised with, in bytes. */
export const MIN_SEGMENT_BYTES: number = 2 ** 20
export const MAX_SEGMENT_BYTES: number = 2 ** 30
/** The segment size that initdb chooses unless told otherwise, in bytes. */
export const DEFAULT_SEGMENT_BYTES: number = 16 * 2 ** 20

const SEGMENT = /^([0-9a-fA-F]{24})(?:(\.partial)|\.([0-9a-fA-F]{8})\.backup)?$/
const HISTORY = /^([0-9a-fA-F]{8})\.history$/
const hex8 = (value: number): string => value.toString(16).toUpperCase().padStart(8, '0')

/** Whether PostgreSQL can have segments of this many bytes: a power of two from 1 MiB to 1 GiB (xlog_internal.h). */
export function isSegmentBytes(value: number): boolean {
  return Number.isInteger(value) && value >= MIN_SEGMENT_BYTES && value <= MAX_SEGMENT_BYTES && Number.isInteger(Math.log2(value))
}

function assertSegmentBytes(value: number): void {
  assert(isSegmentBytes(value), `a WAL segment of ${value} bytes: the size must be a power of two from 1 MiB to 1 GiB`)
}

function classifySegmentName(match: RegExpExecArray): WalFileKind | undefined {
  const [, segment = '', partial, offset] = match
  const timeline = Number.parseInt(segment.slice(0, 8), 16) as TimelineId
  if (timeline === 0) return undefined
  const place = { timeline, high: Number.parseInt(segment.slice(8, 16), 16), low: Number.parseInt(segment.slice(16), 16) }
  if (offset !== undefined) {
    return { kind: 'backup-history', segment: segment.toUpperCase() as WalFileName, ...place, offset: Number.parseInt(offset, 16) }
  }
  if (partial !== undefined) return { kind: 'partial', segment: segment.toUpperCase() as WalFileName, ...place }
  return { kind: 'segment', ...place }
}

/**
 * Says what a name is: a segment, a `.partial`, a `.backup` or a `.history` file. Hex digits of either case are taken
 * (RF 1.2), the suffix in lower case only. Undefined for every other text, and for timeline zero, which does not exist.
 */
export function classifyWalFileName(name: string): WalFileKind | undefined {
  const segment = SEGMENT.exec(name)
  if (segment !== null) return classifySegmentName(segment)
  const history = HISTORY.exec(name)
  const timeline = Number.parseInt(history?.[1] ?? '0', 16) as TimelineId
  return timeline === 0 ? undefined : { kind: 'timeline-history', timeline }
}

/**
 * Reads a WAL file name at the edge of the program. The result has upper-case hex digits whatever was given.
 * @throws Fault `invalid` `WAL_NAME_INVALID` when `classifyWalFileName` does not know the text.
 */
export function parseWalFileName(text: string): WalFileName {
  if (classifyWalFileName(text) === undefined) {
    throw new Fault('invalid', 'WAL_NAME_INVALID', `"${text}" is not the name of a WAL file`, {
      hint: 'Expected 24 hex digits, optionally .partial or .<8 hex digits>.backup, or <8 hex digits>.history.',
    })
  }
  return text.replace(/^[0-9a-f]+(?:\.[0-9a-f]{8}\b)?/i, (digits) => digits.toUpperCase()) as WalFileName
}

/** How many segments share one value of the middle group of a name: 2^32 / `segmentBytes`. */
export function segmentsPerHigh(segmentBytes: number): number {
  assertSegmentBytes(segmentBytes)
  return 2 ** 32 / segmentBytes
}

/** The number of the segment that holds the byte at `position`. */
export function segmentNumberOf(position: Lsn, segmentBytes: number): number {
  assertSegmentBytes(segmentBytes)
  return Number(position / BigInt(segmentBytes))
}

/**
 * The number of the segment that holds the last byte before `position`: where WAL that ends at `position` ends. Differs
 * from `segmentNumberOf` on a segment border only. Position 0 has no byte before it and gives 0.
 */
export function segmentNumberBefore(position: Lsn, segmentBytes: number): number {
  return segmentNumberOf((position === 0n ? 0n : position - 1n) as Lsn, segmentBytes)
}

/** The position of a segment's first byte. `segmentNumber` must be whole and its segment below 2^64. */
export function segmentStart(segmentNumber: number, segmentBytes: number): Lsn {
  assertSegmentBytes(segmentBytes)
  assert(
    Number.isSafeInteger(segmentNumber) && segmentNumber >= 0 && segmentNumber < 2 ** 64 / segmentBytes,
    `segment number ${segmentNumber} does not exist`,
  )
  return (BigInt(segmentNumber) * BigInt(segmentBytes)) as Lsn
}

/** The name of a segment: timeline, number div n, number mod n, with n = 2^32 / `segmentBytes` (RF 1.2). */
export function segmentName(timeline: TimelineId, segmentNumber: number, segmentBytes: number): WalFileName {
  const perHigh = segmentsPerHigh(segmentBytes)
  assert(
    Number.isSafeInteger(segmentNumber) && segmentNumber >= 0 && segmentNumber < perHigh * 2 ** 32,
    `segment number ${segmentNumber} does not exist`,
  )
  return `${hex8(timeline)}${hex8(Math.floor(segmentNumber / perHigh))}${hex8(segmentNumber % perHigh)}` as WalFileName
}

/**
 * The number of the segment that a segment, `.partial` or `.backup` name belongs to.
 * @throws Fault `invalid` `WAL_NAME_INVALID` for a `.history` name or an unknown text, `WAL_SEGMENT_SIZE_MISMATCH` when
 * the last group is too large for segments of this size.
 */
export function segmentNumberFromName(name: WalFileName, segmentBytes: number): number {
  const perHigh = segmentsPerHigh(segmentBytes)
  const parts = classifyWalFileName(name)
  if (parts === undefined || parts.kind === 'timeline-history') {
    throw new Fault('invalid', 'WAL_NAME_INVALID', `"${name}" does not name a WAL segment`)
  }
  if (parts.low >= perHigh) {
    throw new Fault('invalid', 'WAL_SEGMENT_SIZE_MISMATCH', `"${name}" cannot exist with WAL segments of ${segmentBytes} bytes`, {
      hint: 'Set the WAL segment size of the server.',
      context: { segmentBytes },
    })
  }
  return parts.high * perHigh + parts.low
}

/**
 * The name of the segment `count` segments after `name` (before it when negative), on the same timeline.
 * @throws Fault as `segmentNumberFromName`.
 */
export function addSegments(name: WalFileName, count: number, segmentBytes: number): WalFileName {
  const number = segmentNumberFromName(name, segmentBytes) + count
  return segmentName(Number.parseInt(name.slice(0, 8), 16) as TimelineId, number, segmentBytes)
}

/** `<segment>.partial`: the last, unfinished segment of a timeline that ended. */
export function partialName(segment: WalFileName): WalFileName {
  return `${segment}.partial` as WalFileName
}

/** `<timeline>.history`: how a timeline came to be. */
export function timelineHistoryName(timeline: TimelineId): WalFileName {
  return `${hex8(timeline)}.history` as WalFileName
}

/** `<segment>.<offset>.backup`: the note that the server leaves about a backup which started at `start`. */
export function backupHistoryName(timeline: TimelineId, start: Lsn, segmentBytes: number): WalFileName {
  const segment = segmentName(timeline, segmentNumberOf(start, segmentBytes), segmentBytes)
  return `${segment}.${hex8(Number(start % BigInt(segmentBytes)))}.backup` as WalFileName
}
