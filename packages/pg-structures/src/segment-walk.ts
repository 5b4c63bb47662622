import { crc32cRange } from './crc32c.ts'
import { positionAt, problemAt, suspect, stop, type PageBuffer, type SegmentWalk } from './segment-walk-state.ts'
import { serverVersionOfWalMagic, WAL_PAGE_FLAGS, LONG_HEADER_BYTES, SHORT_HEADER_BYTES } from './wal-page.ts'
import { isResourceManager, isSwitch, mainDataOf, MAX_KEPT_RECORD_BYTES, MAX_RECORD_BYTES, RECORD_HEADER_BYTES } from './wal-record.ts'

type PageKind = 'expected' | 'zero' | 'recycled' | 'foreign'

/** Below this many bytes a call into native code costs more than it saves. */
const NATIVE_CRC_BYTES = 512

function isZero({ view }: PageBuffer, from: number, to: number): boolean {
  for (let at = from; at < to; at += 4) if (view.getInt32(at, true) !== 0) return false
  return true
}

/** Takes the magic, and the start when nobody said it, from the first page that looks like one. */
function learn(walk: SegmentWalk, view: DataView, at: number): void {
  const magic = view.getUint16(at, true)
  if (walk.magic !== 0 || serverVersionOfWalMagic(magic) === undefined) return
  walk.magic = magic
  const start = view.getBigUint64(at + 8, true)
  if (walk.start !== undefined || start % BigInt(walk.segmentBytes) !== 0n) return
  walk.start = start
  walk.startHigh = Number(start >> 32n)
  walk.startLow = Number(start & 0xffff_ffffn)
}

/** Sorts a page by its magic and address alone. */
function pageKind(walk: SegmentWalk, buffer: PageBuffer, at: number): PageKind {
  const { view } = buffer
  const magic = view.getUint16(at, true)
  if (magic === 0 && isZero(buffer, at, at + walk.blockBytes)) return 'zero'
  learn(walk, view, at)
  if (magic !== walk.magic || walk.start === undefined) return 'foreign'
  const low = view.getUint32(at + 8, true)
  const high = view.getUint32(at + 12, true)
  const expectedLow = walk.startLow + walk.position
  if (high === walk.startHigh && low === expectedLow) return 'expected'
  const isLower = high < walk.startHigh || (high === walk.startHigh && low < expectedLow)
  return isLower && low % walk.blockBytes === 0 ? 'recycled' : 'foreign'
}

/** Checks the header of the page at hand and returns whether the page's content may be walked. */
function enterPage(walk: SegmentWalk, buffer: PageBuffer, at: number): boolean {
  const kind = pageKind(walk, buffer, at)
  if (kind === 'expected') return checkFlags(walk, buffer.view, at)
  if (kind === 'zero') return stop(walk, walk.position, 'zeros')
  if (kind === 'foreign') return suspect(walk, walk.position, 'page', 'not the WAL page that belongs here (magic or address)')
  walk.sawRecycled = true
  return stop(walk, walk.position, 'recycled')
}

function checkFlags(walk: SegmentWalk, view: DataView, at: number): boolean {
  const flags = view.getUint16(at + 2, true)
  const isLong = (flags & WAL_PAGE_FLAGS.longHeader) !== 0
  if ((flags & ~WAL_PAGE_FLAGS.all) !== 0 || isLong !== (walk.position === 0)) {
    return suspect(walk, walk.position, 'page', `impossible page flags 0x${flags.toString(16)}`)
  }
  if (isLong && (view.getUint32(at + 32, true) !== walk.segmentBytes || view.getUint32(at + 36, true) !== walk.blockBytes)) {
    return suspect(walk, walk.position, 'page', 'the header says another segment or block size')
  }
  const timeline = view.getUint32(at + 4, true)
  if (timeline < walk.timeline || timeline === 0 || timeline > (walk.newestTimeline ?? timeline)) {
    return suspect(walk, walk.position, 'timeline', `timeline ${timeline} after ${walk.timeline}`)
  }
  walk.timeline = timeline
  return enterContinuation(walk, flags, view.getUint32(at + 16, true))
}

/** Settles what the page says about a record begun earlier against what is known of it. */
function enterContinuation(walk: SegmentWalk, flags: number, remaining: number): boolean {
  const continues = (flags & WAL_PAGE_FLAGS.firstIsContinuation) !== 0
  if (continues !== remaining > 0) return suspect(walk, walk.position, 'continuation', 'the continuation flag and length disagree')
  if (walk.position === 0) {
    walk.foreign = continues
    walk.remaining = remaining
    return true
  }
  if (walk.remaining === 0) {
    return continues ? suspect(walk, walk.position, 'continuation', 'continues a record that nobody began') : true
  }
  if ((flags & WAL_PAGE_FLAGS.firstIsOverwrite) !== 0 && !continues) {
    // After a crash the server gave the unfinished record up and wrote on at this page.
    walk.remaining = 0
    walk.foreign = false
    return true
  }
  if (remaining === walk.remaining) return true
  const offset = walk.foreign ? walk.position : walk.recordOffset
  return suspect(walk, offset, 'continuation', `the record needs ${walk.remaining} bytes more, the next page says ${remaining}`)
}

function beginRecord(walk: SegmentWalk, buffer: PageBuffer, at: number, pageAt: number): boolean {
  const offset = walk.position + at - pageAt
  const total = buffer.view.getUint32(at, true)
  if (total === 0 && isZero(buffer, at, pageAt + walk.blockBytes)) return stop(walk, offset, 'zeros')
  if (total < RECORD_HEADER_BYTES || total > MAX_RECORD_BYTES) return suspect(walk, offset, 'length', `a record of ${total} bytes`)
  walk.recordOffset = offset
  walk.recordBytes = total
  walk.remaining = total
  walk.headerUsed = 0
  walk.keptUsed = 0
  walk.crc = 0
  return true
}

/** Judges the fixed header of the record at hand as soon as it is whole: link and resource manager. */
function headerFits(walk: SegmentWalk): boolean {
  const { view } = walk.header
  const low = view.getUint32(8, true)
  const high = view.getUint32(12, true)
  const follows =
    walk.previousOffset >= 0
      ? high === walk.startHigh && low === walk.startLow + walk.previousOffset
      : high < walk.startHigh || (high === walk.startHigh && low < walk.startLow)
  if (!follows) return suspect(walk, walk.recordOffset, 'link', 'the record does not follow the one before it')
  const resourceManager = view.getUint8(17)
  if (isResourceManager(resourceManager)) return true
  return suspect(walk, walk.recordOffset, 'link', `resource manager ${resourceManager} does not exist`)
}

/** Takes the bytes `[from, to)` of a page as the next bytes of the record at hand. */
function consume(walk: SegmentWalk, { bytes }: PageBuffer, from: number, to: number): boolean {
  walk.remaining -= to - from
  if (walk.foreign) {
    walk.foreignBytes += to - from
    return true
  }
  if (walk.kept !== undefined && walk.keptUsed < MAX_KEPT_RECORD_BYTES) {
    const length = Math.min(MAX_KEPT_RECORD_BYTES - walk.keptUsed, to - from)
    walk.kept.set(bytes.subarray(from, from + length), walk.keptUsed)
    walk.keptUsed += length
  }
  let at = from
  if (walk.headerUsed < RECORD_HEADER_BYTES) {
    for (; at < to && walk.headerUsed < RECORD_HEADER_BYTES; at += 1) {
      walk.header.bytes[walk.headerUsed] = bytes[at]!
      walk.headerUsed += 1
    }
    if (walk.headerUsed === RECORD_HEADER_BYTES && !headerFits(walk)) return false
  }
  if (walk.nativeCrc !== undefined && to - at >= NATIVE_CRC_BYTES) walk.crc = walk.nativeCrc(bytes.subarray(at, to), walk.crc)
  else walk.crc = crc32cRange(bytes, at, to, walk.crc)
  return true
}

/** Closes the record at hand, which ends before `endOffset`. False when the walk is over. */
function finishRecord(walk: SegmentWalk, endOffset: number): boolean {
  if (walk.foreign) {
    walk.foreign = false
    walk.endOffset = endOffset
    return true
  }
  const { bytes, view } = walk.header
  // The contents come first, then the header up to the checksum itself (xloginsert.c).
  const found = crc32cRange(bytes, 0, 20, walk.crc)
  if (found !== view.getUint32(20, true)) return suspect(walk, walk.recordOffset, 'checksum', 'the record does not match its checksum')
  walk.recordsChecked += 1
  walk.previousOffset = walk.recordOffset
  walk.endOffset = endOffset
  const resourceManager = view.getUint8(17)
  const info = view.getUint8(16)
  if (walk.onRecord !== undefined && walk.kept !== undefined) {
    walk.onRecord({
      lsn: positionAt(walk, walk.recordOffset),
      totalBytes: view.getUint32(0, true),
      resourceManager,
      info,
      xid: view.getUint32(4, true),
      mainData: mainDataOf(walk.kept.subarray(0, walk.keptUsed), walk.magic),
    })
  }
  return isSwitch(resourceManager, info) ? stop(walk, endOffset, 'switch') : true
}

function walkRecords(walk: SegmentWalk, buffer: PageBuffer, pageAt: number): void {
  const end = pageAt + walk.blockBytes
  let at = pageAt + (walk.position === 0 ? LONG_HEADER_BYTES : SHORT_HEADER_BYTES)
  while (at < end) {
    if (walk.remaining === 0 && !beginRecord(walk, buffer, at, pageAt)) return
    const to = Math.min(at + walk.remaining, end)
    if (!consume(walk, buffer, at, to)) return
    if (walk.remaining > 0) return
    // Records begin at multiples of 8; pages do too.
    at = pageAt + ((to - pageAt + 7) & ~7)
    if (!finishRecord(walk, walk.position + at - pageAt)) break
  }
  if (walk.end === 'switch' && !isZero(buffer, at, end)) {
    walk.problem = problemAt(walk, walk.endedAt, 'after-switch', 'the page goes on after a segment switch')
  }
}

/** Before PostgreSQL 11 the pages behind a switch kept their headers. */
function isHeaderOnly(walk: SegmentWalk, buffer: PageBuffer, at: number): boolean {
  return buffer.view.getUint32(at + 16, true) === 0 && isZero(buffer, at + SHORT_HEADER_BYTES, at + walk.blockBytes)
}

/** Looks at a page behind the end of the records. */
function judgeTail(walk: SegmentWalk, buffer: PageBuffer, at: number): void {
  const kind = pageKind(walk, buffer, at)
  if (kind === 'zero') return
  if (walk.end === 'switch') {
    if (kind === 'expected' && isHeaderOnly(walk, buffer, at)) return
    walk.problem = problemAt(walk, walk.position, 'after-switch', 'a page that is not empty after a segment switch')
  } else if (kind === 'recycled') {
    walk.sawRecycled = true
  } else {
    walk.problem = walk.suspect ?? problemAt(walk, walk.endedAt, 'gap', 'records end here, but a later page goes on')
  }
}

/** Walks the page at `at` of `buffer` and moves on to the next. */
export function walkPage(walk: SegmentWalk, buffer: PageBuffer, at: number): void {
  if (walk.problem === undefined) {
    if (walk.end !== undefined) judgeTail(walk, buffer, at)
    else if (enterPage(walk, buffer, at)) walkRecords(walk, buffer, at)
  }
  walk.position += walk.blockBytes
}
