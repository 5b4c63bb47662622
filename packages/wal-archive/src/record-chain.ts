import { WAL_PAGE_FLAGS, type Crc32c } from '@waltz/pg-structures'

const RECORD_HEADER_BYTES = 24
/** Where in a record's header its own checksum lies; the bytes before are covered by it, after the contents. */
const RECORD_CRC_AT = 20

/** What became of the record that goes from one segment into the next. */
export type CrossingVerdict =
  /** It is not at its end yet. */
  | 'open'
  /** It matches its checksum; or no record crosses. */
  | 'right'
  /** It does not match, or the next segment does not go on where the one before stopped. */
  | 'wrong'

/** Follows records across segments by their lengths. */
export interface RecordChain {
  /** Takes whole pages, in order, segment after segment. */
  push(pages: Uint8Array): void
  /** The next page is the first of the segment under judgement. */
  cross(): void
  verdict(): CrossingVerdict
}

interface ChainState {
  readonly blockBytes: number
  readonly crc32c: Crc32c
  readonly header: Uint8Array
  headerUsed: number
  /** Bytes to pass over: the rest of a record that began before the first segment. */
  skip: number
  /** Bytes that the record at hand still needs; 0 between records. */
  remaining: number
  crc: number
  /** A segment switch or unwritten space: nothing follows in this segment. */
  ended: boolean
  fresh: boolean
  crossing: 'before' | 'at' | 'behind'
  verdict: CrossingVerdict
}

/**
 * Starts at the first record that begins in the pages pushed first. Only the record that crosses is verified; the ones
 * inside a segment are the business of `createSegmentRecordCheck`. Formats: xlogrecord.h, xlog_internal.h.
 */
export function createRecordChain(options: { readonly blockBytes: number; readonly crc32c: Crc32c }): RecordChain {
  const chain: ChainState = {
    ...options,
    header: new Uint8Array(RECORD_HEADER_BYTES),
    headerUsed: 0,
    skip: 0,
    remaining: 0,
    crc: 0,
    ended: false,
    fresh: true,
    crossing: 'before',
    verdict: 'open',
  }
  return {
    push(pages) {
      for (let at = 0; at + chain.blockBytes <= pages.length && chain.verdict === 'open'; at += chain.blockBytes) {
        followPage(chain, pages.subarray(at, at + chain.blockBytes))
      }
    },
    cross: () => (chain.crossing = 'at'),
    verdict: () => chain.verdict,
  }
}

function followPage(chain: ChainState, page: Uint8Array): void {
  const view = new DataView(page.buffer, page.byteOffset, page.length)
  const flags = view.getUint16(2, true)
  const continuing = view.getUint32(16, true)
  const firstOfSegment = (flags & WAL_PAGE_FLAGS.longHeader) !== 0
  if (firstOfSegment) chain.ended = false
  if (chain.fresh) chain.skip = continuing
  chain.fresh = false
  // After a crash the server gives an unfinished record up and says so on the page where its end is missing.
  if ((flags & WAL_PAGE_FLAGS.firstIsOverwrite) !== 0 && continuing === 0) chain.remaining = 0
  if (chain.crossing === 'at') {
    chain.crossing = 'behind'
    if (chain.skip === 0 && chain.remaining !== continuing) chain.verdict = 'wrong'
    else if (continuing === 0) chain.verdict = 'right'
    if (chain.verdict !== 'open') return
  }
  followRecords(chain, { page, view, from: firstOfSegment ? 40 : 24 })
}

function followRecords(chain: ChainState, at: { readonly page: Uint8Array; readonly view: DataView; readonly from: number }): void {
  const { page, view } = at
  let position = at.from
  while (position < page.length && !chain.ended && chain.verdict === 'open') {
    if (chain.skip > 0) {
      const skipped = Math.min(chain.skip, page.length - position)
      chain.skip -= skipped
      position = aligned(position + skipped)
      // What came over began before anything that is known: it cannot be judged.
      if (chain.skip === 0 && chain.crossing === 'behind') chain.verdict = 'right'
      continue
    }
    if (chain.remaining === 0) {
      const total = view.getUint32(position, true)
      if (total < RECORD_HEADER_BYTES) {
        chain.ended = true
        return
      }
      if (position + total <= page.length) {
        position = aligned(position + total)
        continue
      }
      chain.remaining = total
      chain.headerUsed = 0
      chain.crc = 0
    }
    const taken = Math.min(chain.remaining, page.length - position)
    take(chain, page.subarray(position, position + taken))
    position = aligned(position + taken)
  }
}

function take(chain: ChainState, bytes: Uint8Array): void {
  const forHeader = Math.min(RECORD_HEADER_BYTES - chain.headerUsed, bytes.length)
  chain.header.set(bytes.subarray(0, forHeader), chain.headerUsed)
  chain.headerUsed += forHeader
  chain.crc = chain.crc32c(bytes.subarray(forHeader), chain.crc)
  chain.remaining -= bytes.length
  if (chain.remaining > 0 || chain.crossing !== 'behind') return
  const said = new DataView(chain.header.buffer).getUint32(RECORD_CRC_AT, true)
  chain.verdict = chain.crc32c(chain.header.subarray(0, RECORD_CRC_AT), chain.crc) === said ? 'right' : 'wrong'
}

/** Records begin at multiples of eight. */
function aligned(position: number): number {
  return (position + 7) & ~7
}
