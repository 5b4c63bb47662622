import type { Crc32c } from './crc32c.ts'
import { formatLsn } from './identifiers.ts'
import type { Lsn, TimelineId } from './names.ts'
import type { WalRecord } from './wal-record.ts'

/** What a segment's pages or records do wrong. */
export type SegmentProblemKind =
  | 'page' // a page header that cannot be: magic, address, flags
  | 'timeline' // a page of an older timeline than the page before, or of a newer one than the segment
  | 'continuation' // a page does not go on with the record that the page before began
  | 'length' // a record of an impossible length
  | 'link' // a record that does not follow the record before it, or of a kind that does not exist
  | 'checksum' // a record's CRC-32C
  | 'gap' // records ended, yet a later page goes on
  | 'after-switch' // bytes behind a segment switch, where the server leaves zeros
  | 'size' // more or fewer bytes than a segment

/** The first thing that is wrong, and where. */
export interface SegmentProblem {
  readonly kind: SegmentProblemKind
  readonly lsn: Lsn
  readonly message: string
}

/** The bytes being looked at: a chunk, or the page that two chunks share. */
export interface PageBuffer {
  readonly bytes: Uint8Array
  readonly view: DataView
}

/** Everything that is known between two pages. Offsets count from the segment's first byte. */
export interface SegmentWalk {
  readonly blockBytes: number
  readonly segmentBytes: number
  readonly newestTimeline: TimelineId | undefined
  readonly nativeCrc: Crc32c | undefined
  readonly onRecord: ((record: WalRecord) => void) | undefined
  readonly header: PageBuffer
  readonly kept: Uint8Array | undefined
  start: bigint | undefined
  startHigh: number
  startLow: number
  /** Where the page at hand begins. */
  position: number
  magic: number
  timeline: number
  /** Where the record at hand begins; `remaining` is 0 between records. */
  recordOffset: number
  recordBytes: number
  remaining: number
  /** Bytes seen of a record that began in an earlier segment. */
  foreignBytes: number
  /** The record at hand began in an earlier segment: its checksum cannot be computed here. */
  foreign: boolean
  headerUsed: number
  keptUsed: number
  crc: number
  /** The last whole record's offset, -1 before the first. */
  previousOffset: number
  recordsChecked: number
  /** Behind the last whole record. */
  endOffset: number
  end: 'switch' | 'zeros' | 'recycled' | 'suspect' | undefined
  endedAt: number
  /** A problem that would be none if only pages of an earlier use of the file came after it. */
  suspect: SegmentProblem | undefined
  sawRecycled: boolean
  problem: SegmentProblem | undefined
}

/** The position of an offset. */
export function positionAt(walk: SegmentWalk, offset: number): Lsn {
  return ((walk.start ?? 0n) + BigInt(offset)) as Lsn
}

/** A problem at an offset. */
export function problemAt(walk: SegmentWalk, offset: number, kind: SegmentProblemKind, what: string): SegmentProblem {
  const lsn = positionAt(walk, offset)
  return { kind, lsn, message: `${formatLsn(lsn)}: ${what}` }
}

/** Stops the walk. Later pages decide whether this is damage or the ragged end of a segment that was in use before. */
export function suspect(walk: SegmentWalk, offset: number, kind: SegmentProblemKind, what: string): false {
  walk.suspect = problemAt(walk, offset, kind, what)
  return stop(walk, offset, 'suspect')
}

/** Ends the walk at an offset. */
export function stop(walk: SegmentWalk, offset: number, end: NonNullable<SegmentWalk['end']>): false {
  walk.end = end
  walk.endedAt = offset
  return false
}
