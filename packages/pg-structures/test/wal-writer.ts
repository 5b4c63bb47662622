import { crc32c } from '../src/index.ts'

export const MIB = 2 ** 20
export const PAGE = 8192

/** Flips bits of one byte. */
export function flip(bytes: Uint8Array, at: number, mask: number): void {
  bytes[at] = (bytes[at] ?? 0) ^ mask
}

/** A record to write: its main data, and what goes before it. */
export interface Draft {
  readonly resourceManager?: number
  readonly info?: number
  readonly xid?: number
  /** Block references and other headers, verbatim. */
  readonly references?: Uint8Array
  /** What the references announce: it lies between the headers and the main data. */
  readonly payload?: Uint8Array
  readonly data?: Uint8Array
}

/** WAL as a server would write it, made by hand: several segments in one buffer. */
export interface WalWriter {
  readonly bytes: Uint8Array
  readonly view: DataView
  /** The offset where the next record would begin. */
  offset(): number
  /** Appends a record and returns its offset. */
  record(draft?: Draft): number
  /** A switch record; goes on at the next segment. */
  switchSegment(): void
  /** From the next page on, pages belong to this timeline. */
  setTimeline(timeline: number): void
  /** Begins a record that is given up: the page `pages` pages later overwrites it. Give a length that reaches it. */
  abandon(totalBytes: number, pages?: number): void
  segment(index: number): Uint8Array
}

const align = (value: number): number => (value + 7) & ~7

/** `start` must be a multiple of 1 MiB, the segment size. */
export function walWriter(start: bigint, segments = 1, magic = 0xd110): WalWriter {
  const bytes = new Uint8Array(segments * MIB)
  const view = new DataView(bytes.buffer)
  let at = 0
  let timeline = 1
  let previous = start > 0n ? start - 64n : 0n
  let overwrite = false

  /** Writes the header of the page at `at` when `at` is at its start. */
  const enterPage = (remaining: number): void => {
    if (at % PAGE !== 0 || at >= bytes.length) return
    const isLong = at % MIB === 0
    view.setUint16(at, magic, true)
    view.setUint16(at + 2, (remaining > 0 ? 1 : 0) | (isLong ? 2 : 0) | (overwrite ? 8 : 0), true)
    overwrite = false
    view.setUint32(at + 4, timeline, true)
    view.setBigUint64(at + 8, start + BigInt(at), true)
    view.setUint32(at + 16, remaining, true)
    if (isLong) {
      view.setBigUint64(at + 24, 7_000_000_000_000_000_001n, true)
      view.setUint32(at + 32, MIB, true)
      view.setUint32(at + 36, PAGE, true)
    }
    at += isLong ? 40 : 24
  }

  const write = (content: Uint8Array): void => {
    let done = 0
    while (done < content.length && at < bytes.length) {
      enterPage(done === 0 ? 0 : content.length - done)
      const length = Math.min(content.length - done, PAGE - (at % PAGE))
      bytes.set(content.subarray(done, done + length), at)
      done += length
      at += length
    }
    at = align(at)
  }

  const build = (draft: Draft): Uint8Array => {
    const { references = new Uint8Array(), payload = new Uint8Array(), data = new Uint8Array() } = draft
    const mainHeader = data.length === 0 ? 0 : data.length < 256 ? 2 : 5
    const total = 24 + references.length + mainHeader + payload.length + data.length
    const content = new Uint8Array(total)
    const header = new DataView(content.buffer)
    header.setUint32(0, total, true)
    header.setUint32(4, draft.xid ?? 0, true)
    header.setBigUint64(8, previous, true)
    content[16] = draft.info ?? 0
    content[17] = draft.resourceManager ?? 10
    content.set(references, 24)
    const main = 24 + references.length
    if (mainHeader === 2) content.set([255, data.length], main)
    if (mainHeader === 5) {
      content[main] = 254
      header.setUint32(main + 1, data.length, true)
    }
    content.set(payload, main + mainHeader)
    content.set(data, total - data.length)
    header.setUint32(20, crc32c(content.subarray(0, 20), crc32c(content.subarray(24))), true)
    return content
  }

  const nextRecord = (): number => {
    enterPage(0)
    return at
  }

  const self: WalWriter = {
    bytes,
    view,
    offset: nextRecord,
    record(draft = {}) {
      const offset = nextRecord()
      const content = build(draft)
      previous = start + BigInt(offset)
      write(content)
      return offset
    },
    switchSegment() {
      self.record({ resourceManager: 0, info: 0x40 })
      at = Math.ceil(at / MIB) * MIB
    },
    setTimeline(value) {
      timeline = value
    },
    abandon(totalBytes, pages = 1) {
      const offset = nextRecord()
      const content = build({ data: new Uint8Array(totalBytes - 29).fill(1) })
      write(content)
      const end = at
      at = (Math.floor(offset / PAGE) + pages) * PAGE
      bytes.fill(0, at, end)
      overwrite = true
      nextRecord()
    },
    segment: (index) => bytes.subarray(index * MIB, (index + 1) * MIB),
  }
  return self
}

/** Appends records of 700 to 1000 bytes, and short ones at last, until the next would begin at `until` or a little later. */
export function fill(writer: WalWriter, until: number): void {
  for (let n = 0; writer.offset() < until; n += 1) {
    const length = until - writer.offset() < 1200 ? 10 : 700 + (n % 300)
    writer.record({ xid: n, data: new Uint8Array(length).fill(n % 251) })
  }
}

/** Appends records up to the buffer's last byte, the last one cut off there. */
export function fillToEnd(writer: WalWriter): void {
  fill(writer, writer.bytes.length - 200)
  writer.record({ data: new Uint8Array(500).fill(1) })
}
