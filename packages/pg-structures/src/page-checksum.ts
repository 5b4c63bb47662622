import { assert } from '@waltz/errors'
import type { BlockNumber } from './names.ts'

const PRIME = 16_777_619
const LANES = 32

/** The lanes' start values, `checksumBaseOffsets` of checksum_impl.h. */
const START: Int32Array = /* @__PURE__ */ Int32Array.of(
  0x5b1f36e9,
  0xb8525960,
  0x02ab50aa,
  0x1de66d2a,
  0x79ff467a,
  0x9bb9f8a3,
  0x217e7cd2,
  0x83e13d2c,
  0xf8d4474f,
  0xe39eb970,
  0x42c6ae16,
  0x993216fa,
  0x7b093b5d,
  0x98daff3c,
  0xf718902a,
  0x0b1c9cdb,
  0xe58f764b,
  0x187636bc,
  0x5d7b3bb1,
  0xe73de7de,
  0x92bec979,
  0xcca6c0b2,
  0x304a0979,
  0x85aa43d4,
  0x783125bb,
  0x6ca8eaa2,
  0xe407eac6,
  0x4b5cfc3e,
  0x9fbf8c76,
  0x15ca20be,
  0xf2ca9fd3,
  0x959bd756,
)

/**
 * The checksum of the page that begins at word `base` of `words` and has `count` words, as if the checksum stored in it
 * were zero. Eight lanes at a time: they do not depend on each other, so the processor works on several at once.
 */
export function checksumWords(words: Int32Array, base: number, count: number, blockNumber: number): number {
  const start = START
  let result = 0
  for (let lane = 0; lane < LANES; lane += 8) {
    let a = start[lane]!
    let b = start[lane + 1]!
    let c = start[lane + 2]!
    let d = start[lane + 3]!
    let e = start[lane + 4]!
    let f = start[lane + 5]!
    let g = start[lane + 6]!
    let h = start[lane + 7]!
    // The checksum itself is the low half of the page's third word.
    let mask = lane === 0 ? ~0xffff : ~0
    const end = base + count
    for (let at = base + lane; at < end; at += LANES) {
      a ^= words[at]!
      b ^= words[at + 1]!
      c ^= words[at + 2]! & mask
      d ^= words[at + 3]!
      e ^= words[at + 4]!
      f ^= words[at + 5]!
      g ^= words[at + 6]!
      h ^= words[at + 7]!
      mask = ~0
      a = Math.imul(a, PRIME) ^ (a >>> 17)
      b = Math.imul(b, PRIME) ^ (b >>> 17)
      c = Math.imul(c, PRIME) ^ (c >>> 17)
      d = Math.imul(d, PRIME) ^ (d >>> 17)
      e = Math.imul(e, PRIME) ^ (e >>> 17)
      f = Math.imul(f, PRIME) ^ (f >>> 17)
      g = Math.imul(g, PRIME) ^ (g >>> 17)
      h = Math.imul(h, PRIME) ^ (h >>> 17)
    }
    result ^= settle(a) ^ settle(b) ^ settle(c) ^ settle(d) ^ settle(e) ^ settle(f) ^ settle(g) ^ settle(h)
  }
  return (((result ^ blockNumber) >>> 0) % 65_535) + 1
}

/** The two closing rounds of a lane, with zeros. */
function settle(lane: number): number {
  const once = Math.imul(lane, PRIME) ^ (lane >>> 17)
  return Math.imul(once, PRIME) ^ (once >>> 17)
}

/** Whether `blockBytes` is a data block size that PostgreSQL can be built with. */
export function isBlockBytes(blockBytes: number): boolean {
  return Number.isInteger(blockBytes) && blockBytes >= 1024 && blockBytes <= 32_768 && Number.isInteger(Math.log2(blockBytes))
}

/** `bytes` as words, in place where their memory allows it, else as a copy. The host is little-endian, as the data is. */
export function wordsOf(bytes: Uint8Array): Int32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice()
  return new Int32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >>> 2)
}

/**
 * The checksum that PostgreSQL stores in a data page, 1 to 65535 (`pg_checksum_page`). `page` is one whole page;
 * `blockNumber` counts from the start of the relation fork, not of the file. A new (all-zero) page has none: the caller
 * looks at that first.
 * @throws Fault `internal` `ASSERTION_FAILED` when `page` is not 1, 2, 4 ... 32 KiB long.
 */
export function pageChecksum(page: Uint8Array, blockNumber: BlockNumber | number): number {
  assert(isBlockBytes(page.length), `a data page of ${page.length} bytes`)
  return checksumWords(wordsOf(page), 0, page.length / 4, blockNumber)
}
