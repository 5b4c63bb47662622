import { crc32c } from '@waltz/pg-structures'

/** The cluster that the made-up WAL belongs to. */
export const SYSTEM = 7_412_345_678_901_234_567n
export const SEGMENT = 1_048_576
const PAGE = 8192

export interface WalShape {
  readonly timeline?: number
  /** Number of the first segment. */
  readonly first?: number
  readonly count?: number
  readonly system?: bigint
  readonly segmentBytes?: number
  /** Bytes of main data of each record; more than a segment makes records that span several. */
  readonly recordBytes?: number
  /** Varies the contents. */
  readonly seed?: number
}

/** WAL as a server writes it: pages, records with right links and checksums, records that cross pages and segments. */
export function makeWal(shape: WalShape = {}): Uint8Array[] {
  const { timeline = 1, first = 1, count = 1, system = SYSTEM, segmentBytes = SEGMENT, recordBytes = 3001, seed = 1 } = shape
  const start = first * segmentBytes
  const out = new Uint8Array(count * segmentBytes)
  const view = new DataView(out.buffer)
  let at = 0
  let previous = start - 64
  const pageHeader = (remaining: number): void => {
    const long = at % segmentBytes === 0
    view.setUint16(at, 0xd110, true)
    view.setUint16(at + 2, (long ? 2 : 0) | (remaining > 0 ? 1 : 0), true)
    view.setUint32(at + 4, timeline, true)
    view.setBigUint64(at + 8, BigInt(start + at), true)
    view.setUint32(at + 16, remaining, true)
    if (long) {
      view.setBigUint64(at + 24, system, true)
      view.setUint32(at + 32, segmentBytes, true)
      view.setUint32(at + 36, PAGE, true)
    }
    at += long ? 40 : 24
  }
  for (let number = 0; at < out.length; number += 1) {
    if (at % PAGE === 0) pageHeader(0)
    const record = makeRecord(recordBytes, previous, seed + number)
    previous = start + at
    for (let done = 0; done < record.length && at < out.length;) {
      if (at % PAGE === 0) pageHeader(record.length - done)
      const part = record.subarray(done, done + Math.min(record.length - done, PAGE - (at % PAGE)))
      out.set(part, at)
      done += part.length
      at += part.length
    }
    at = (at + 7) & ~7
  }
  return Array.from({ length: count }, (_, index) => out.slice(index * segmentBytes, (index + 1) * segmentBytes))
}

function makeRecord(dataBytes: number, previous: number, seed: number): Uint8Array {
  const data = Uint8Array.from({ length: dataBytes }, (_, index) => (index * 7 + seed * 13) & 0xff)
  // Every tenth is a commit, whose main data begins with its time.
  const commit = seed % 10 === 0
  if (commit) new DataView(data.buffer).setBigInt64(0, 800_000_000_000_000n + BigInt(seed) * 1_000_000n, true)
  const record = new Uint8Array(24 + 5 + dataBytes)
  const view = new DataView(record.buffer)
  view.setUint32(0, record.length, true)
  view.setUint32(4, 700 + seed, true)
  view.setBigUint64(8, BigInt(previous), true)
  view.setUint8(16, 0)
  view.setUint8(17, commit ? 1 : 10)
  view.setUint8(24, 254)
  view.setUint32(25, dataBytes, true)
  record.set(data, 29)
  view.setUint32(20, crc32c(record.subarray(0, 20), crc32c(record.subarray(24))), true)
  return record
}

/** The name of segment `number`. */
export function nameOf(number: number, timeline = 1): string {
  const hex = (value: number): string => value.toString(16).toUpperCase().padStart(8, '0')
  return hex(timeline) + hex(Math.floor(number / (2 ** 32 / SEGMENT))) + hex(number % (2 ** 32 / SEGMENT))
}

/** A copy with one byte inverted. */
export function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = bytes.slice()
  copy[at] = copy[at] ^ 0xff
  return copy
}
