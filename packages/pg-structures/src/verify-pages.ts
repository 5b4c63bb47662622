import { assert } from '@waltz/errors'
import type { BlockNumber, Lsn } from './names.ts'
import { checksumWords, isBlockBytes, wordsOf } from './page-checksum.ts'

/** A page that the server would refuse. */
export interface BadPage {
  /** Counted from the start of the relation fork. */
  readonly block: BlockNumber
  /**
   * - `checksum`: the stored checksum is not the page's; 0 is never right
   * - `header`: the page header cannot be
   * - `new-not-zero`: a page that was never initialised, yet holds something
   */
  readonly reason: 'checksum' | 'header' | 'new-not-zero'
  /** The checksum that the content has; 0 for `new-not-zero`. */
  readonly expected: number
  /** The checksum that the page stores. */
  readonly found: number
}

/** Whole pages of one relation file. */
export interface PageRange {
  /** A multiple of `blockBytes` long. Where it begins at a multiple of 4 in its memory, nothing is copied. */
  readonly bytes: Uint8Array
  /** The block number of the first page, counted from the start of the relation fork. */
  readonly firstBlock: BlockNumber | number
  readonly blockBytes: number
  /** Where the running backup began: pages changed after it are not judged, WAL replay rewrites them. None: all are. */
  readonly startLsn?: Lsn
}

const HEADER_BYTES = 24
const VALID_FLAGS = 0x7
const MAX_LAYOUT_VERSION = 5

/** Judges header words 2 to 4 of a page as `PageIsVerified` does, and the size and version that it takes for granted. */
function isHeaderSane(words: Int32Array, base: number, blockBytes: number): boolean {
  const flags = words[base + 2]! >>> 16
  const lower = words[base + 3]! & 0xffff
  const upper = words[base + 3]! >>> 16
  const special = words[base + 4]! & 0xffff
  const sizeAndVersion = words[base + 4]! >>> 16
  return (
    (flags & ~VALID_FLAGS) === 0 &&
    lower >= HEADER_BYTES &&
    lower <= upper &&
    upper <= special &&
    special <= blockBytes &&
    special % 8 === 0 &&
    (sizeAndVersion & 0xff00) === (blockBytes & 0xff00) &&
    (sizeAndVersion & 0xff) <= MAX_LAYOUT_VERSION
  )
}

function isZero(words: Int32Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (words[at] !== 0) return false
  return true
}

/** What a page looks like before its checksum is computed. Depends on nothing but the page and the LSN rule. */
function needsChecksum(words: Int32Array, base: number, startHigh: number, startLow: number): boolean {
  const high = words[base]! >>> 0
  return high < startHigh || (high === startHigh && words[base + 1]! >>> 0 <= startLow)
}

/**
 * Judges every page of a range of a cluster with data checksums and returns the bad ones, in order; an empty list means
 * that all are good. The rules (ENG 9.4, `PageIsVerified` of bufpage.c):
 * - a page whose `pd_upper` is 0 is new and must be zero throughout
 * - an impossible header is bad whatever the page's LSN says: a server that wrote the page meanwhile wrote a good one
 * - a page changed after `startLsn` is not judged further
 * - every other page must store its own checksum, so that 0 is bad
 *
 * A page that the server is writing may be seen torn: read bad pages again before believing it. Synchronous, one pass.
 * @throws Fault `internal` `ASSERTION_FAILED` when `blockBytes` cannot be or the bytes are no whole pages.
 */
export function verifyPages(range: PageRange): readonly BadPage[] {
  const { bytes, firstBlock, blockBytes, startLsn = 0xffff_ffff_ffff_ffffn } = range
  assert(isBlockBytes(blockBytes), `a data page of ${blockBytes} bytes`)
  assert(bytes.length % blockBytes === 0, `${bytes.length} bytes are no whole pages of ${blockBytes}`)
  const words = wordsOf(bytes)
  const wordsPerPage = blockBytes / 4
  const startHigh = Number(startLsn >> 32n)
  const startLow = Number(startLsn & 0xffff_ffffn)
  const bad: BadPage[] = []
  for (let base = 0, block = Number(firstBlock); base < words.length; base += wordsPerPage, block += 1) {
    const found = words[base + 2]! & 0xffff
    if (words[base + 3]! >>> 16 === 0) {
      if (!isZero(words, base, base + wordsPerPage)) bad.push({ block: block as BlockNumber, reason: 'new-not-zero', expected: 0, found })
      continue
    }
    const sane = isHeaderSane(words, base, blockBytes)
    if (sane && !needsChecksum(words, base, startHigh, startLow)) continue
    const expected = checksumWords(words, base, wordsPerPage, block)
    if (!sane) bad.push({ block: block as BlockNumber, reason: 'header', expected, found })
    else if (expected !== found) bad.push({ block: block as BlockNumber, reason: 'checksum', expected, found })
  }
  return bad
}
