import { assert } from '@waltz/errors'
import type { Crc32c } from './crc32c.ts'
import type { Lsn, TimelineId } from './names.ts'
import { walkPage } from './segment-walk.ts'
import { positionAt, problemAt, type PageBuffer, type SegmentProblem, type SegmentWalk } from './segment-walk-state.ts'
import { isSegmentBytes } from './wal-names.ts'
import { MAX_KEPT_RECORD_BYTES, RECORD_HEADER_BYTES, type WalRecord } from './wal-record.ts'

/** What to check a segment against. */
export interface SegmentRecordCheckOptions {
  /** The segment size, a power of two from 1 MiB to 1 GiB. */
  readonly segmentBytes: number
  /** The WAL block size, in bytes: 8192 unless the server was built otherwise. */
  readonly blockBytes?: number
  /** The position of the segment's first byte; taken from its first page when not given. */
  readonly start?: Lsn
  /** The timeline in the segment's name: no page may carry a newer one. */
  readonly timeline?: TimelineId
  /** A native CRC-32C, used for all but short pieces; the portable one when not given. */
  readonly crc32c?: Crc32c
  /** Called for every whole record, in order, after its checksum was found right. What it throws stops the check. */
  readonly onRecord?: (record: WalRecord) => void
}

/**
 * How a segment's records end:
 * - `full`: they fill it; the last one may go on in the next segment
 * - `switch`: the server switched segments; the rest is empty, as it must be
 * - `zeros`: they stop and zeros follow: a segment that was being written
 * - `recycled`: they stop and pages of an earlier use of the file follow: a segment that was being written
 * - `problem`: see `problem`
 */
export type SegmentEnding = 'full' | 'switch' | 'zeros' | 'recycled' | 'problem'

/** What the check found. */
export interface SegmentRecordResult {
  /** Nothing is wrong and nothing is missing: the ending is `full` or `switch`. False for a segment that ends early. */
  readonly complete: boolean
  readonly ending: SegmentEnding
  /** Whole records whose checksum was computed and right. */
  readonly recordsChecked: number
  /** Behind the last record that this segment completes, aligned. 0/0 when not even the first page could be read. */
  readonly endOfRecords: Lsn
  /**
   * Of a `full` segment, the bytes that its last record still needs: the first page of the next segment must announce
   * as many (`WalPageHeader.remainingBytes`). 0 for other endings.
   */
  readonly remainingBytes: number
  /** Bytes of records that begin or end in other segments: no checksum could be computed over them here. */
  readonly uncheckedBytes: number
  readonly problem: SegmentProblem | undefined
}

/** A segment's pages and records, checked as its bytes come by. */
export interface SegmentRecordCheck {
  /** Takes the next bytes, of any length. They are not kept beyond the call. */
  push(chunk: Uint8Array): void
  /** Says what was found. Call it once, after the last byte. */
  finish(): SegmentRecordResult
}

function bufferOf(bytes: Uint8Array): PageBuffer {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) }
}

function startWalk(options: SegmentRecordCheckOptions): SegmentWalk {
  const { segmentBytes, blockBytes = 8192, start } = options
  assert(isSegmentBytes(segmentBytes), `a WAL segment of ${segmentBytes} bytes: the size must be a power of two from 1 MiB to 1 GiB`)
  const isBlock = blockBytes >= 1024 && blockBytes <= 65_536 && Number.isInteger(Math.log2(blockBytes))
  assert(isBlock, `a WAL block of ${blockBytes} bytes: the size must be a power of two from 1 KiB to 64 KiB`)
  assert(start === undefined || start % BigInt(segmentBytes) === 0n, `no segment of ${segmentBytes} bytes starts at ${start}`)
  return {
    blockBytes,
    segmentBytes,
    newestTimeline: options.timeline,
    nativeCrc: options.crc32c,
    onRecord: options.onRecord,
    header: bufferOf(new Uint8Array(RECORD_HEADER_BYTES)),
    kept: options.onRecord === undefined ? undefined : new Uint8Array(MAX_KEPT_RECORD_BYTES),
    start,
    startHigh: Number((start ?? 0n) >> 32n),
    startLow: Number((start ?? 0n) & 0xffff_ffffn),
    position: 0,
    magic: 0,
    timeline: 0,
    recordOffset: 0,
    recordBytes: 0,
    remaining: 0,
    foreignBytes: 0,
    foreign: false,
    headerUsed: 0,
    keptUsed: 0,
    crc: 0,
    previousOffset: -1,
    recordsChecked: 0,
    endOffset: 0,
    end: undefined,
    endedAt: 0,
    suspect: undefined,
    sawRecycled: false,
    problem: undefined,
  }
}

function problemOf(walk: SegmentWalk, pushedBytes: number): SegmentProblem | undefined {
  if (walk.problem !== undefined) return walk.problem
  // A bad record with nothing but old pages behind it is where a recycled file stopped being overwritten.
  if (walk.suspect !== undefined && !walk.sawRecycled) return walk.suspect
  if (pushedBytes === walk.segmentBytes) return undefined
  const what = `the segment has ${pushedBytes} bytes instead of ${walk.segmentBytes}`
  return problemAt(walk, Math.min(pushedBytes, walk.segmentBytes), 'size', what)
}

function endingOf(walk: SegmentWalk): SegmentEnding {
  if (walk.end === undefined) return 'full'
  if (walk.end === 'switch') return 'switch'
  return walk.sawRecycled ? 'recycled' : 'zeros'
}

function resultOf(walk: SegmentWalk, pushedBytes: number): SegmentRecordResult {
  const problem = problemOf(walk, pushedBytes)
  const ending = problem === undefined ? endingOf(walk) : 'problem'
  const remainingBytes = ending === 'full' ? walk.remaining : 0
  return {
    complete: ending === 'full' || ending === 'switch',
    ending,
    recordsChecked: walk.recordsChecked,
    endOfRecords: positionAt(walk, walk.endOffset),
    remainingBytes,
    uncheckedBytes: walk.foreignBytes + (remainingBytes > 0 && !walk.foreign ? walk.recordBytes - remainingBytes : 0),
    problem,
  }
}

/**
 * Checks a WAL segment while its bytes pass: every page header (magic, address, flags, timeline, what it says about a
 * record that goes on) and the link and CRC-32C of every record that lies wholly within the segment. Synchronous; keeps
 * one page. The part of a record that belongs to the segment before or after cannot be checked here and is passed over.
 * Formats: xlog_internal.h and xlogrecord.h of PostgreSQL 9.5 to 18, little-endian.
 *
 * A segment that was still being written (a `.partial` one, or the last) is no problem: it ends early, with zeros or
 * with pages of the file's earlier use, and `complete` is false. The caller decides whether that is allowed.
 * @throws Fault `internal` `ASSERTION_FAILED` for sizes or a start that cannot be. Damage is never thrown.
 */
export function createSegmentRecordCheck(options: SegmentRecordCheckOptions): SegmentRecordCheck {
  const walk = startWalk(options)
  const { blockBytes, segmentBytes } = walk
  const carry = bufferOf(new Uint8Array(blockBytes))
  let carried = 0
  let pushedBytes = 0

  const carryOver = (chunk: Uint8Array): void => {
    carry.bytes.set(chunk, carried)
    carried += chunk.length
    if (carried < blockBytes) return
    carried = 0
    walkPage(walk, carry, 0)
  }

  return {
    push(chunk) {
      const room = Math.max(0, segmentBytes - pushedBytes)
      pushedBytes += chunk.length
      const usable = Math.min(chunk.length, room)
      let at = carried === 0 ? 0 : Math.min(blockBytes - carried, usable)
      if (at > 0) carryOver(chunk.subarray(0, at))
      const buffer = bufferOf(chunk)
      for (; at + blockBytes <= usable; at += blockBytes) walkPage(walk, buffer, at)
      if (at < usable) carryOver(chunk.subarray(at, usable))
    },
    finish: () => resultOf(walk, pushedBytes),
  }
}
