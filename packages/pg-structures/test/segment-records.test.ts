import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  crc32c,
  createSegmentRecordCheck,
  createSegmentTimeScan,
  decodeRecordTime,
  formatLsn,
  lsn,
  parseLsn,
  timelineId,
  type Lsn,
  type SegmentRecordCheckOptions,
  type SegmentRecordResult,
  type WalRecord,
} from '../src/index.ts'
import fixtures from './fixtures/wal-segments.json' with { type: 'json' }
import { fill, fillToEnd, flip, MIB, PAGE, walWriter, type WalWriter } from './wal-writer.ts'

const START = 0x1_2340_0000n
const at = (offset: number): Lsn => lsn(START + BigInt(offset))

function check(bytes: Uint8Array, options: Partial<SegmentRecordCheckOptions> = {}, chunkBytes = 256 * 1024): SegmentRecordResult {
  const walk = createSegmentRecordCheck({ segmentBytes: MIB, ...options })
  for (let from = 0; from < bytes.length; from += chunkBytes) walk.push(bytes.subarray(from, from + chunkBytes))
  return walk.finish()
}

/** Two full segments; the record at the border spans both. */
function twoSegments(): WalWriter {
  const writer = walWriter(START, 2)
  fillToEnd(writer)
  return writer
}

/** A segment with some records at its start and nothing behind them. */
function unfinished(until = 5 * PAGE + 400): WalWriter {
  const writer = walWriter(START)
  fill(writer, until)
  return writer
}

/** Old pages of an earlier use of the file from page `from` on. */
function recycle(bytes: Uint8Array, from: number): void {
  const old = walWriter(START - 16n * BigInt(MIB))
  fill(old, MIB - 1000)
  bytes.set(old.bytes.subarray(from * PAGE), from * PAGE)
}

describe('createSegmentRecordCheck', () => {
  it('checks full segments, in chunks of any size', () => {
    const writer = twoSegments()
    const first = check(writer.segment(0))
    expect(first).toMatchObject({ complete: true, ending: 'full', problem: undefined })
    const second = check(writer.segment(1))
    expect(second).toMatchObject({ complete: true, ending: 'full', problem: undefined })
    expect(first.recordsChecked).toBeGreaterThan(1000)
    for (const chunkBytes of [1, 7, PAGE - 1, PAGE, PAGE + 1, 100_000, MIB])
      expect(check(writer.segment(1), {}, chunkBytes)).toEqual(second)
  })

  it('says what the next segment must go on with', () => {
    const writer = twoSegments()
    const first = check(writer.segment(0))
    expect(first.remainingBytes).toBeGreaterThan(0)
    expect(writer.view.getUint32(MIB + 16, true)).toBe(first.remainingBytes)
    expect(first.uncheckedBytes).toBeGreaterThan(24)
    const last = writer.bytes.subarray(Number(first.endOfRecords - START))
    expect(first.uncheckedBytes + first.remainingBytes).toBe(new DataView(last.buffer, last.byteOffset).getUint32(0, true))
    expect(check(writer.segment(1)).uncheckedBytes).toBeGreaterThanOrEqual(first.remainingBytes)
  })

  it('uses the CRC function that it is given', () => {
    const lengths: number[] = []
    const native = (bytes: Uint8Array, previous?: number): number => {
      lengths.push(bytes.length)
      return crc32c(bytes, previous)
    }
    const writer = walWriter(START)
    for (const length of [100, 3000, 30_000]) writer.record({ data: new Uint8Array(length).fill(length % 250) })
    expect(check(writer.bytes, { crc32c: native })).toEqual(check(writer.bytes))
    expect(Math.max(...lengths)).toBe(PAGE - 24)
    const wrong = check(writer.bytes, { crc32c: () => 1 })
    expect(wrong.problem).toMatchObject({ kind: 'checksum' })
  })

  it('goes over a record longer than a segment', () => {
    const writer = walWriter(START, 3)
    writer.record({ data: new Uint8Array(1000).fill(3) })
    const long = writer.record({ data: new Uint8Array(2 * MIB).fill(7) })
    fillToEnd(writer)
    const [first, middle, last] = [0, 1, 2].map((index) => check(writer.segment(index)))
    expect(first).toMatchObject({ complete: true, recordsChecked: 1, endOfRecords: at(long) })
    expect(middle).toMatchObject({ complete: true, recordsChecked: 0, endOfRecords: at(MIB), uncheckedBytes: MIB - 40 - 127 * 24 })
    expect(last).toMatchObject({ complete: true, problem: undefined })
  })

  it('ends at a switch', () => {
    const writer = walWriter(START, 2)
    fill(writer, 3 * PAGE)
    const end = writer.offset() + 24
    writer.switchSegment()
    const result = check(writer.segment(0))
    expect(result).toMatchObject({ complete: true, ending: 'switch', endOfRecords: at(end), remainingBytes: 0, problem: undefined })
  })

  it('ends at a switch before PostgreSQL 11, which left page headers behind it', () => {
    const writer = walWriter(START, 2, 0xd097)
    fill(writer, 3 * PAGE)
    writer.switchSegment()
    for (let page = 4; page < 128; page += 1) {
      writer.view.setUint16(page * PAGE, 0xd097, true)
      writer.view.setUint32(page * PAGE + 4, 1, true)
      writer.view.setBigUint64(page * PAGE + 8, at(page * PAGE), true)
    }
    expect(check(writer.segment(0))).toMatchObject({ complete: true, ending: 'switch' })
    writer.bytes[5 * PAGE + 100] = 1
    expect(check(writer.segment(0)).problem).toMatchObject({ kind: 'after-switch', lsn: at(5 * PAGE) })
  })

  it('sees bytes behind a switch', () => {
    const writer = walWriter(START, 2)
    fill(writer, 3 * PAGE)
    writer.switchSegment()
    const end = writer.bytes.findLastIndex((byte) => byte !== 0)
    for (const offset of [end + 20, 5 * PAGE, MIB - 1]) {
      const bytes = writer.segment(0).slice()
      bytes[offset] = 9
      expect(check(bytes).problem, `offset ${offset}`).toMatchObject({ kind: 'after-switch' })
    }
    const bytes = writer.segment(0).slice()
    recycle(bytes, 20)
    expect(check(bytes).problem).toMatchObject({ kind: 'after-switch', lsn: at(20 * PAGE) })
  })

  it('ends early where zeros begin', () => {
    const writer = unfinished()
    const result = check(writer.bytes)
    expect(result).toMatchObject({ complete: false, ending: 'zeros', endOfRecords: at(writer.offset()), problem: undefined })
    expect(result.recordsChecked).toBeGreaterThan(40)
    expect(check(new Uint8Array(MIB))).toMatchObject({ complete: false, ending: 'zeros', endOfRecords: 0n, recordsChecked: 0 })
    expect(check(new Uint8Array(MIB), { start: lsn(START) })).toMatchObject({ ending: 'zeros', endOfRecords: START })
  })

  it('ends early where a record was cut off by a page of zeros', () => {
    const writer = unfinished(5 * PAGE - 300)
    const begun = writer.record({ data: new Uint8Array(2000).fill(1) })
    writer.bytes.fill(0, 5 * PAGE)
    expect(check(writer.bytes)).toMatchObject({ ending: 'zeros', endOfRecords: at(begun), problem: undefined })
  })

  it('ends early where pages of an earlier use of the file begin', () => {
    const writer = unfinished()
    recycle(writer.bytes, 6)
    expect(check(writer.bytes)).toMatchObject({
      complete: false,
      ending: 'recycled',
      endOfRecords: at(writer.offset()),
      problem: undefined,
    })
    const begun = unfinished(5 * PAGE - 300)
    const cut = begun.record({ data: new Uint8Array(2000).fill(1) })
    recycle(begun.bytes, 5)
    expect(check(begun.bytes)).toMatchObject({ ending: 'recycled', endOfRecords: at(cut), problem: undefined })
    const whole = new Uint8Array(MIB)
    recycle(whole, 0)
    expect(check(whole, { start: lsn(START) })).toMatchObject({ ending: 'recycled', endOfRecords: START, recordsChecked: 0 })
  })

  it('ends early where only the last page is of an earlier use', () => {
    const writer = unfinished(127 * PAGE - 100)
    writer.record({ data: new Uint8Array(500).fill(1) })
    recycle(writer.bytes, 127)
    expect(check(writer.bytes)).toMatchObject({ complete: false, ending: 'recycled', problem: undefined })
  })

  it('ends early where a half-written page goes over into its earlier content', () => {
    const writer = unfinished()
    const end = writer.offset()
    recycle(writer.bytes, 6)
    // What a standby leaves: old bytes right behind the last record received, in the same page.
    writer.bytes.fill(0x5a, end, 6 * PAGE)
    expect(check(writer.bytes)).toMatchObject({ ending: 'recycled', endOfRecords: at(end), problem: undefined })
  })

  it('sees a page of zeros between good ones', () => {
    const { bytes } = twoSegments()
    bytes.fill(0, 9 * PAGE, 10 * PAGE)
    const result = check(bytes.subarray(0, MIB))
    expect(result).toMatchObject({ complete: false, ending: 'problem', problem: { kind: 'gap', lsn: at(9 * PAGE) } })
    expect(result.problem?.message).toContain(formatLsn(at(9 * PAGE)))
  })

  it('sees an old page between good ones', () => {
    const { bytes } = twoSegments()
    const old = walWriter(START - BigInt(MIB))
    fill(old, MIB - 1000)
    bytes.set(old.bytes.subarray(9 * PAGE, 10 * PAGE), 9 * PAGE)
    expect(check(bytes.subarray(0, MIB)).problem).toMatchObject({ kind: 'gap', lsn: at(9 * PAGE) })
  })

  it('sees a page of another place, and of no place', () => {
    for (const edit of [
      (view: DataView): void => view.setUint32(9 * PAGE + 8, 0x7000_0000, true),
      (view: DataView): void => view.setUint32(9 * PAGE + 8, view.getUint32(9 * PAGE + 8, true) - 8, true),
      (view: DataView): void => view.setUint16(9 * PAGE, 0xd106, true),
      (view: DataView): void => view.setUint16(9 * PAGE, 0, true),
    ]) {
      const writer = twoSegments()
      edit(writer.view)
      expect(check(writer.segment(0)).problem).toMatchObject({ kind: 'page', lsn: at(9 * PAGE) })
    }
  })

  it('sees impossible page flags and sizes', () => {
    const edits: ((view: DataView) => void)[] = [
      (view) => view.setUint16(2, 0x12, true),
      (view) => view.setUint16(2, 0, true),
      (view) => view.setUint32(32, 2 * MIB, true),
      (view) => view.setUint32(36, 4096, true),
    ]
    for (const edit of edits) {
      const writer = twoSegments()
      edit(writer.view)
      expect(check(writer.segment(0)).problem).toMatchObject({ kind: 'page', lsn: at(0) })
    }
    const writer = twoSegments()
    writer.view.setUint16(PAGE + 2, 3, true)
    expect(check(writer.segment(0)).problem).toMatchObject({ kind: 'page', lsn: at(PAGE) })
  })

  it('sees a first page that is none', () => {
    const { bytes } = twoSegments()
    bytes.fill(7, 0, PAGE)
    expect(check(bytes.subarray(0, MIB))).toMatchObject({ problem: { kind: 'page', lsn: 0n }, endOfRecords: 0n })
    expect(check(bytes.subarray(0, MIB), { start: lsn(START) })).toMatchObject({ problem: { kind: 'page', lsn: START } })
  })

  it('sees a segment that belongs elsewhere', () => {
    const elsewhere = { start: lsn(START - BigInt(MIB)) }
    expect(check(twoSegments().segment(0), elsewhere).problem).toMatchObject({ kind: 'page', lsn: elsewhere.start })
  })

  it('follows timelines upwards only', () => {
    const writer = walWriter(START)
    fill(writer, 4 * PAGE)
    writer.setTimeline(3)
    fillToEnd(writer)
    expect(check(writer.bytes, { timeline: timelineId(3) })).toMatchObject({ complete: true })
    expect(check(writer.bytes, { timeline: timelineId(2) }).problem).toMatchObject({ kind: 'timeline', lsn: at(5 * PAGE) })
    writer.view.setUint32(20 * PAGE + 4, 2, true)
    expect(check(writer.bytes).problem).toMatchObject({ kind: 'timeline', lsn: at(20 * PAGE) })
    writer.view.setUint32(4, 0, true)
    expect(check(writer.bytes).problem).toMatchObject({ kind: 'timeline', lsn: at(0) })
  })

  it('sees a page that does not go on with the record before it', () => {
    const spanning = (): { writer: WalWriter; begun: number } => {
      const writer = walWriter(START)
      fill(writer, PAGE - 500)
      const begun = writer.record({ data: new Uint8Array(20_000).fill(1) })
      fillToEnd(writer)
      return { writer, begun }
    }
    const edits: ((view: DataView) => void)[] = [
      (view) => view.setUint32(PAGE + 16, view.getUint32(PAGE + 16, true) + 1, true),
      (view) => {
        view.setUint16(PAGE + 2, 0, true)
        view.setUint32(PAGE + 16, 0, true)
      },
    ]
    for (const edit of edits) {
      const { writer, begun } = spanning()
      edit(writer.view)
      expect(check(writer.bytes).problem).toMatchObject({ kind: 'continuation', lsn: at(begun) })
    }
    const { writer } = spanning()
    writer.view.setUint16(PAGE + 2, 0, true)
    expect(check(writer.bytes).problem).toMatchObject({ kind: 'continuation', lsn: at(PAGE) })
  })

  it('sees a page that goes on with a record that nobody began', () => {
    const writer = walWriter(START)
    // Records that fill the first page to its last byte.
    writer.record({ data: new Uint8Array(PAGE - 40 - 29) })
    expect(writer.offset()).toBe(PAGE + 24)
    fillToEnd(writer)
    writer.view.setUint16(PAGE + 2, 1, true)
    writer.view.setUint32(PAGE + 16, 100, true)
    expect(check(writer.bytes).problem).toMatchObject({ kind: 'continuation', lsn: at(PAGE) })
  })

  it('sees that the middle of a record from the segment before does not fit', () => {
    const writer = walWriter(START, 2)
    fill(writer, MIB - 500)
    writer.record({ data: new Uint8Array(50_000).fill(1) })
    fillToEnd(writer)
    writer.view.setUint32(MIB + PAGE + 16, 77, true)
    expect(check(writer.segment(1)).problem).toMatchObject({ kind: 'continuation', lsn: at(MIB + PAGE) })
  })

  it('goes on where the server gave an unfinished record up', () => {
    const writer = walWriter(START)
    fill(writer, 3 * PAGE)
    writer.abandon(20_000)
    writer.record({ resourceManager: 0, info: 0xd0, data: new Uint8Array(16) })
    fillToEnd(writer)
    expect(check(writer.bytes)).toMatchObject({ complete: true, problem: undefined })
    // The same record given up, without the mark that says so.
    writer.view.setUint16(4 * PAGE + 2, 0, true)
    expect(check(writer.bytes).problem).toMatchObject({ kind: 'continuation' })
  })

  it('goes on where a record of the segment before was given up', () => {
    const writer = walWriter(START, 2)
    fill(writer, MIB - 500)
    writer.abandon(50_000, 4)
    expect(writer.offset()).toBe(MIB + 3 * PAGE + 24)
    writer.record({ resourceManager: 0, info: 0xd0, data: new Uint8Array(16) })
    expect(check(writer.segment(0))).toMatchObject({ complete: true, problem: undefined })
    expect(check(writer.segment(1))).toMatchObject({ ending: 'zeros', recordsChecked: 1, problem: undefined })
  })

  it('sees any flipped bit of a record, and where it was', () => {
    const writer = walWriter(START, 2)
    fill(writer, 6 * PAGE)
    const records: number[] = []
    for (let n = 0; n < 40; n += 1) records.push(writer.record({ data: new Uint8Array(50 + n * 30).fill(n) }))
    fill(writer, MIB - 500)
    const end = writer.offset()
    writer.switchSegment()
    const segment = writer.segment(0)
    fc.assert(
      fc.property(fc.nat(39 * 100), fc.nat(7), (choice, bit) => {
        const index = choice % 39
        const begin = records[index] ?? 0
        const length = writer.view.getUint32(begin, true)
        const offset = begin + (Math.floor(choice / 39) % Math.min(length, PAGE - (begin % PAGE)))
        flip(segment, offset, 1 << bit)
        const result = check(segment)
        flip(segment, offset, 1 << bit)
        expect(result.complete).toBe(false)
        expect(result.problem?.lsn).toBe(at(begin))
        expect(result.endOfRecords).toBe(at(begin))
      }),
      { numRuns: 150 },
    )
    expect(check(segment)).toMatchObject({ complete: true, endOfRecords: at(end + 24) })
  })

  it('sees a damaged record before zeros', () => {
    const writer = unfinished()
    const last = writer.record({ data: new Uint8Array(300).fill(5) })
    flip(writer.bytes, last + 100, 1)
    expect(check(writer.bytes)).toMatchObject({ ending: 'problem', problem: { kind: 'checksum', lsn: at(last) } })
  })

  it('sees impossible lengths', () => {
    for (const length of [1, 23, 2 ** 30 + 1, 0xffff_ffff]) {
      const writer = unfinished()
      const last = writer.record()
      writer.view.setUint32(last, length, true)
      expect(check(writer.bytes).problem, String(length)).toMatchObject({ kind: 'length', lsn: at(last) })
    }
    const writer = unfinished()
    const last = writer.record()
    writer.view.setUint32(last, 0, true)
    expect(check(writer.bytes).problem).toMatchObject({ kind: 'length', lsn: at(last) })
  })

  it('sees records that do not follow each other, or of no kind', () => {
    const edits: ((view: DataView, record: number) => void)[] = [
      (view, record) => view.setUint32(record + 8, 8, true),
      (view, record) => view.setUint32(record + 12, 0xffff, true),
      (view, record) => view.setUint8(record + 17, 22),
      (view, record) => view.setUint8(record + 17, 127),
    ]
    for (const edit of edits) {
      const writer = unfinished()
      const last = writer.record()
      edit(writer.view, last)
      expect(check(writer.bytes).problem).toMatchObject({ kind: 'link', lsn: at(last) })
    }
    const first = walWriter(START)
    const record = first.record()
    first.view.setBigUint64(record + 8, START, true)
    expect(check(first.bytes).problem).toMatchObject({ kind: 'link', lsn: at(40) })
    const custom = walWriter(START)
    custom.record({ resourceManager: 200, data: new Uint8Array(10) })
    expect(check(custom.bytes)).toMatchObject({ recordsChecked: 1, problem: undefined })
  })

  it('sees a segment that is cut or too long', () => {
    const writer = twoSegments()
    const cut = writer.segment(0).subarray(0, MIB - 1)
    expect(check(cut).problem).toMatchObject({ kind: 'size', lsn: at(MIB - 1) })
    expect(check(writer.bytes)).toMatchObject({ complete: false, problem: { kind: 'size', lsn: at(MIB) } })
    expect(check(new Uint8Array()).problem).toMatchObject({ kind: 'size', lsn: 0n })
  })

  it('tells the first problem only', () => {
    const writer = twoSegments()
    writer.view.setUint16(20 * PAGE, 0, true)
    writer.view.setUint16(9 * PAGE, 0, true)
    expect(check(writer.segment(0)).problem?.lsn).toBe(at(9 * PAGE))
  })

  it('refuses sizes that no server has', () => {
    const internal: unknown = expect.objectContaining({ code: 'ASSERTION_FAILED' })
    expect(() => createSegmentRecordCheck({ segmentBytes: 5 })).toThrow(internal)
    expect(() => createSegmentRecordCheck({ segmentBytes: MIB, blockBytes: 1000 })).toThrow(internal)
    expect(() => createSegmentRecordCheck({ segmentBytes: MIB, start: lsn(5n) })).toThrow(internal)
  })
})

describe('the records handed out', () => {
  const collect = (writer: WalWriter): (Omit<WalRecord, 'mainData'> & { mainData: number[] | undefined })[] => {
    const records: (Omit<WalRecord, 'mainData'> & { mainData: number[] | undefined })[] = []
    check(writer.bytes, { onRecord: (record) => records.push({ ...record, mainData: record.mainData && [...record.mainData] }) })
    return records
  }
  const reference = (id: number, flags: number, rest: readonly number[]): number[] => [id, flags, ...rest]

  it('carry what their headers say', () => {
    const writer = walWriter(START)
    const first = writer.record({ resourceManager: 1, info: 0x80, xid: 77, data: Uint8Array.of(1, 2, 3) })
    const second = writer.record({ resourceManager: 200, info: 0x10 })
    expect(collect(writer)).toEqual([
      { lsn: at(first), totalBytes: 29, resourceManager: 1, info: 0x80, xid: 77, mainData: [1, 2, 3] },
      { lsn: at(second), totalBytes: 24, resourceManager: 200, info: 0x10, xid: 0, mainData: undefined },
    ])
  })

  it('carry main data from behind references of every form', () => {
    const relation = [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]
    const block = [9, 0, 0, 0]
    const references = Uint8Array.from([
      // data only
      ...reference(0, 0x20, [5, 0, ...relation, ...block]),
      // image with a hole, not compressed; the same relation
      ...reference(1, 0x90, [0, 0, 7, 0, 0, 0, 0x01, ...block]),
      // image with a hole, compressed: two bytes more
      ...reference(2, 0x10, [0, 0, 3, 0, 0, 0, 0x09, 16, 0, ...relation, ...block]),
      // image without a hole
      ...reference(3, 0x90, [1, 0, 2, 0, 0, 0, 0x02, ...block]),
      // origin, top-level transaction
      253,
      1,
      0,
      252,
      1,
      0,
      0,
      0,
    ])
    const writer = walWriter(START)
    writer.record({ references, payload: new Uint8Array(5 + 7 + 3 + 3).fill(0xee), data: Uint8Array.of(42, 43) })
    writer.record({ references: references.subarray(0, -8), payload: new Uint8Array(18) })
    writer.record({ references: Uint8Array.of(99, 0, 0, 0) })
    expect(collect(writer).map(({ mainData }) => mainData)).toEqual([[42, 43], undefined, undefined])
  })

  it('know that bit 1 of an image meant compressed before PostgreSQL 15', () => {
    const compressed = Uint8Array.from(reference(0, 0x90, [0, 0, 3, 0, 0, 0, 0x03, 16, 0, 9, 0, 0, 0]))
    const writer = walWriter(START, 1, 0xd10d)
    writer.record({ references: compressed, payload: new Uint8Array(3), data: Uint8Array.of(42) })
    expect(collect(writer)[0]?.mainData).toEqual([42])
  })

  it('are cut where they are very long', () => {
    const writer = walWriter(START)
    writer.record({ data: new Uint8Array(200_000).fill(8) })
    writer.record({
      references: Uint8Array.from(reference(0, 0xa0, [0xff, 0xff, 9, 0, 0, 0])),
      payload: new Uint8Array(65_535),
      data: Uint8Array.of(1),
    })
    const [long, behind] = collect(writer)
    expect(long?.totalBytes).toBe(200_029)
    expect(long?.mainData).toHaveLength(65_536 - 29)
    expect(behind?.mainData).toBeUndefined()
  })

  it('have no main data where their lengths are impossible', () => {
    const writer = walWriter(START)
    writer.record({ references: Uint8Array.of(255, 200, 1, 2) })
    writer.record({ references: Uint8Array.from(reference(0, 0x80, [0, 0, 1])) })
    expect(collect(writer).map(({ mainData }) => mainData)).toEqual([undefined, undefined])
  })
})

describe('the times of a segment', () => {
  const scan = (bytes: Uint8Array): ReturnType<ReturnType<typeof createSegmentTimeScan>['finish']> => {
    const walk = createSegmentTimeScan({ segmentBytes: MIB })
    walk.push(bytes)
    return walk.finish()
  }
  const stamp = (microseconds: bigint, rest = 0): Uint8Array => {
    const bytes = new Uint8Array(8 + rest)
    new DataView(bytes.buffer).setBigInt64(0, microseconds, true)
    return bytes
  }

  it.each(fixtures)('are what PostgreSQL $major says', ({ base64, commits, restorePointEnd, switchLsn }) => {
    const bytes = new Uint8Array(MIB)
    bytes.set(Buffer.from(base64, 'base64'))
    const times = scan(bytes)
    expect(times.check).toMatchObject({ complete: true, ending: 'switch', recordsChecked: 6, problem: undefined })
    expect(formatLsn(times.check.endOfRecords)).toBe(switchLsn)
    expect(times.earliest).toMatchObject({ kind: 'commit', unixMicroseconds: BigInt(commits[0] ?? 0), name: undefined })
    expect(times.latest).toMatchObject({ kind: 'commit', unixMicroseconds: BigInt(commits[1] ?? 0) })
    expect(times.latest?.time.getTime()).toBe(Math.floor(Number(commits[1]) / 1000))
    expect(times.restorePoints).toHaveLength(1)
    expect(times.restorePoints[0]).toMatchObject({ kind: 'restore-point', name: 'before the mistake' })
    expect(parseLsn(restorePointEnd) - (times.restorePoints[0]?.lsn ?? 0n)).toBeLessThan(112n)
  })

  it('come from transaction ends and restore points only', () => {
    const kinds = [0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x80].map((info) => {
      const record = { lsn: at(0), totalBytes: 34, resourceManager: 1, info, xid: 5, mainData: stamp(0n) }
      return decodeRecordTime(record)?.kind
    })
    expect(kinds).toEqual(['commit', undefined, 'abort', 'commit', 'abort', undefined, 'commit'])
    const record = { lsn: at(0), totalBytes: 34, resourceManager: 10, info: 0, xid: 5, mainData: stamp(0n) }
    expect(decodeRecordTime(record)).toBeUndefined()
    expect(decodeRecordTime({ ...record, resourceManager: 0 })).toBeUndefined()
    expect(decodeRecordTime({ ...record, resourceManager: 1, mainData: new Uint8Array(7) })).toBeUndefined()
    expect(decodeRecordTime({ ...record, resourceManager: 1, mainData: undefined })).toBeUndefined()
    expect(decodeRecordTime({ ...record, resourceManager: 1 })?.time).toEqual(new Date('2000-01-01T00:00:00Z'))
  })

  it('read names that fill their field', () => {
    const mainData = stamp(1n, 64).fill(0x61, 8)
    const record = { lsn: at(0), totalBytes: 98, resourceManager: 0, info: 0x70, xid: 0, mainData }
    expect(decodeRecordTime(record)?.name).toBe('a'.repeat(64))
  })

  it('are the latest and earliest, not the last and first', () => {
    const writer = walWriter(START)
    for (const microseconds of [50n, 70n, 60n, 40n, 55n]) writer.record({ resourceManager: 1, data: stamp(microseconds) })
    const { latest, earliest } = scan(writer.bytes)
    expect([earliest?.unixMicroseconds, latest?.unixMicroseconds]).toEqual([946_684_800_000_040n, 946_684_800_000_070n])
  })

  it('are none where nothing was committed, and stop at damage', () => {
    const writer = unfinished()
    expect(scan(writer.bytes)).toMatchObject({ latest: undefined, earliest: undefined, restorePoints: [] })
    const damaged = writer.record({ resourceManager: 1, data: stamp(5n) })
    writer.record({ resourceManager: 1, data: stamp(6n) })
    flip(writer.bytes, damaged + 27, 1)
    expect(scan(writer.bytes)).toMatchObject({ latest: undefined, check: { problem: { kind: 'checksum' } } })
  })
})
