import { assert } from '@waltz/errors'
import { formatLsn } from './identifiers.ts'
import type { SystemIdentifier, WalFileName } from './names.ts'
import { classifyWalFileName, isSegmentBytes, segmentNumberFromName, segmentsPerHigh, segmentStart } from './wal-names.ts'
import { decodeWalPageHeader, LONG_HEADER_BYTES, WAL_PAGE_FLAGS, type WalPageHeader } from './wal-page.ts'

/** What is wrong at the start of a segment. */
export type SegmentHeaderProblemKind =
  | 'too-short' // fewer than 40 bytes
  | 'empty' // zeros: the file was allocated, never written
  | 'magic' // not WAL, or of an unknown server version
  | 'version' // WAL of another server version than expected
  | 'flags' // flag bits that do not exist
  | 'not-long' // a page from inside some segment
  | 'block-size' // WAL blocks of a size that no server has, or not the expected one
  | 'segment-size' // a segment size that no server has
  | 'file-size' // the file is longer or shorter than a segment
  | 'system-identifier' // the WAL of another cluster
  | 'page-address' // the content belongs under another name
  | 'timeline' // written on a timeline newer than the name's

/** One finding, with a sentence for people. */
export interface SegmentHeaderProblem {
  readonly kind: SegmentHeaderProblemKind
  readonly message: string
}

/** What is known about a segment file before its records are looked at. */
export interface SegmentHeaderClaim {
  /** The first bytes of the file: 40 are enough, more are ignored. */
  readonly bytes: Uint8Array
  /** The name of the segment, or its `.partial` name. */
  readonly name: WalFileName
  /** The size of the whole file, in bytes, when it is known. */
  readonly fileBytes?: number
  readonly systemIdentifier?: SystemIdentifier
  /** `13` ... `18`, as `serverVersionOfWalMagic` spells it. */
  readonly serverVersion?: string
  /** The WAL block size, in bytes, when it is known (nearly always 8192). */
  readonly blockBytes?: number
}

type Report = (kind: SegmentHeaderProblemKind, message: string) => void

function checkIdentity(claim: SegmentHeaderClaim, header: WalPageHeader, report: Report): void {
  if (claim.serverVersion !== undefined && header.serverVersion !== claim.serverVersion) {
    report('version', `written by PostgreSQL ${header.serverVersion}, expected ${claim.serverVersion}`)
  }
  if ((header.flags & ~WAL_PAGE_FLAGS.all) !== 0) report('flags', `the page flags are 0x${header.flags.toString(16)}`)
  const found = header.long?.systemIdentifier
  if (found !== undefined && claim.systemIdentifier !== undefined && found !== claim.systemIdentifier) {
    report('system-identifier', `written by the cluster ${found}, expected ${claim.systemIdentifier}`)
  }
}

function checkSizes(claim: SegmentHeaderClaim, long: NonNullable<WalPageHeader['long']>, report: Report): void {
  const { segmentBytes, blockBytes } = long
  const isBlock = blockBytes >= 1024 && blockBytes <= 65_536 && Number.isInteger(Math.log2(blockBytes))
  if (!isBlock || (claim.blockBytes !== undefined && blockBytes !== claim.blockBytes)) {
    report('block-size', `says WAL blocks of ${blockBytes} bytes${claim.blockBytes === undefined ? '' : `, expected ${claim.blockBytes}`}`)
  }
  if (!isSegmentBytes(segmentBytes)) report('segment-size', `says segments of ${segmentBytes} bytes`)
  if (claim.fileBytes !== undefined && claim.fileBytes !== segmentBytes) {
    report('file-size', `the file has ${claim.fileBytes} bytes, its header says segments of ${segmentBytes}`)
  }
}

function checkPlace(claim: SegmentHeaderClaim, header: WalPageHeader, report: Report): void {
  const parts = classifyWalFileName(claim.name)
  assert(parts?.kind === 'segment' || parts?.kind === 'partial', `"${claim.name}" does not name a WAL segment`)
  // Not an equality: the segment in which a timeline begins is copied from its parent, so that its first pages carry
  // the parent's number. A number above the name's can never be right.
  if (header.timeline === 0 || header.timeline > parts.timeline) {
    report('timeline', `the first page is of timeline ${header.timeline}, the name says ${parts.timeline}`)
  }
  const segmentBytes = [header.long?.segmentBytes ?? 0, claim.fileBytes ?? 0].find(isSegmentBytes)
  if (segmentBytes === undefined) return
  if (parts.low >= segmentsPerHigh(segmentBytes)) {
    report('page-address', `the name cannot exist with segments of ${segmentBytes} bytes`)
    return
  }
  const expected = segmentStart(segmentNumberFromName(claim.name, segmentBytes), segmentBytes)
  if (header.pageAddress !== expected) {
    report('page-address', `the first page is ${formatLsn(header.pageAddress)}, the name says ${formatLsn(expected)}`)
  }
}

/**
 * Judges whether the first page of a file fits its WAL name: magic, long header, page address, timeline, and, where the
 * caller knows them, system identifier, server version, file and block size. Returns every problem found; an empty list
 * means that nothing speaks against the file. Records are not looked at: `createSegmentRecordCheck` does that.
 * @throws Fault `internal` `ASSERTION_FAILED` when `name` is not a segment or `.partial` name.
 */
export function checkSegmentHeader(claim: SegmentHeaderClaim): readonly SegmentHeaderProblem[] {
  const problems: SegmentHeaderProblem[] = []
  const report: Report = (kind, message) => problems.push({ kind, message: `${claim.name}: ${message}` })
  if (claim.bytes.length < LONG_HEADER_BYTES) {
    report('too-short', `a segment begins with a header of ${LONG_HEADER_BYTES} bytes, here are ${claim.bytes.length}`)
    return problems
  }
  const head = claim.bytes.subarray(0, LONG_HEADER_BYTES)
  if (head.every((byte) => byte === 0)) {
    report('empty', 'the first page is zero: the file was never written')
    return problems
  }
  const header = decodeWalPageHeader(head)
  if (header.serverVersion === undefined) {
    // Without the right magic the other fields mean nothing.
    report('magic', `the page magic is 0x${header.magic.toString(16)}, which no known PostgreSQL version writes`)
    return problems
  }
  checkIdentity(claim, header, report)
  if (header.long === undefined) report('not-long', 'the first page has a short header: it comes from inside a segment')
  else checkSizes(claim, header.long, report)
  checkPlace(claim, header, report)
  return problems
}
