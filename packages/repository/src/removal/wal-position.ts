import {
  isSegmentBytes,
  MAX_SEGMENT_BYTES,
  MIN_SEGMENT_BYTES,
  segmentNumberBefore,
  segmentNumberOf,
  segmentsPerHigh,
  type Lsn,
} from '@waltz/pg-structures'

/** Where a segment stands among those of its timeline, as two numbers: digits 9 to 16 of its name, and the last eight. */
export interface SegmentPlace {
  readonly high: number
  readonly low: number
}

/** The same as one number: see `positionOfName`. */
export function positionOf({ high, low }: SegmentPlace): bigint {
  return (BigInt(high) << 32n) | BigInt(low)
}

/**
 * Where a segment stands among those of its timeline: the last 16 of the 24 digits of its name as a number. It orders segments whatever
 * their size, so that nothing depends on a size that may be set wrongly. `name` may go on behind the 24 digits.
 */
export function positionOfName(name: string): bigint {
  return BigInt(`0x${name.slice(8, 24)}`)
}

/**
 * Where `segments` segments that begin at position `first` end: the position right behind the last of them. The digits of a name have
 * unused values behind the last segment of each 4 GiB; with a known size they are skipped, so that neighbours touch.
 */
export function endOfSegments(first: bigint, segments: number, segmentBytes: number | undefined): bigint {
  // Of unknown size no more than four may fit into 4 GiB.
  if (segmentBytes === undefined) return first + (segments === 1 ? 1n : BigInt(segments) << 30n)
  const perHigh = BigInt(segmentsPerHigh(segmentBytes))
  const low = (first & 0xffff_ffffn) + BigInt(segments)
  return ((first >> 32n) << 32n) + ((low / perHigh) << 32n) + (low % perHigh)
}

/** The name of the segment at a position, 24 digits. The inverse of `positionOfName`. */
export function formatPosition(timeline: number, position: bigint): string {
  return timeline.toString(16).toUpperCase().padStart(8, '0') + position.toString(16).toUpperCase().padStart(16, '0')
}

/** A backup's name and the position that it says it begins at. */
export interface SegmentClaim {
  /** The 24 digits in the backup's name. */
  readonly walFileName: string
  readonly startLsn: Lsn
}

/**
 * The size of WAL segments that all of these agree with: a backup is named after the segment of its start, or, on a standby, of the byte
 * before (RF 1.3). Undefined when none says, or when they contradict each other. A setting is not asked: a wrong one removed WAL of
 * permanent backups (CMD 13). Where several sizes fit, as when all backups begin in the first segment of a file, it is undefined too.
 */
export function segmentBytesOf(claims: Iterable<SegmentClaim>): number | undefined {
  let sizes = allSizes()
  for (const { walFileName, startLsn } of claims) {
    const fitting = sizes.filter((size) => fits(walFileName, startLsn, size))
    if (fitting.length === 0) return undefined
    sizes = fitting
  }
  return sizes.length === 1 ? sizes[0] : undefined
}

function allSizes(): readonly number[] {
  const sizes: number[] = []
  for (let size = MIN_SEGMENT_BYTES; size <= MAX_SEGMENT_BYTES; size *= 2) if (isSegmentBytes(size)) sizes.push(size)
  return sizes
}

function fits(walFileName: string, start: Lsn, size: number): boolean {
  if (!/^[0-9A-F]{24}$/.test(walFileName)) return true
  const position = positionOfName(walFileName)
  return [segmentNumberOf(start, size), segmentNumberBefore(start, size)].some((number) => positionOfNumber(number, size) === position)
}

/** The position of a segment by its number and size. */
export function positionOfNumber(number: number, segmentBytes: number): bigint {
  const perHigh = segmentsPerHigh(segmentBytes)
  return (BigInt(Math.floor(number / perHigh)) << 32n) + BigInt(number % perHigh)
}
