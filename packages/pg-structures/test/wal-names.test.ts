import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  addSegments,
  backupHistoryName,
  classifyWalFileName,
  DEFAULT_SEGMENT_BYTES,
  isSegmentBytes,
  lsn,
  MAX_SEGMENT_BYTES,
  MIN_SEGMENT_BYTES,
  parseLsn,
  parseWalFileName,
  partialName,
  segmentName,
  segmentNumberBefore,
  segmentNumberFromName,
  segmentNumberOf,
  segmentStart,
  timelineHistoryName,
  timelineId,
} from '../src/index.ts'

const MIB = 2 ** 20
const one = timelineId(1)
const sizes = fc.constantFrom(...Array.from({ length: 11 }, (_, power) => MIB * 2 ** power))
const positions = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(lsn)
const timelines = fc.integer({ min: 1, max: 0xffff_ffff }).map(timelineId)
const internal: unknown = expect.objectContaining({ kind: 'internal', code: 'ASSERTION_FAILED' })

describe('segment names', () => {
  // RF 15
  it.each([
    ['0/2000028', 16, '000000010000000000000002'],
    ['0/5000028', 16, '000000010000000000000005'],
    ['16/B374D848', 16, '0000000100000016000000B3'],
    ['16/B374D848', 64, '00000001000000160000002C'],
  ])('of %s with segments of %i MiB', (position, mebibytes, name) => {
    const bytes = mebibytes * MIB
    expect(segmentName(one, segmentNumberOf(parseLsn(position), bytes), bytes)).toBe(name)
  })

  it('go from number to name and back, for every size and position', () => {
    fc.assert(
      fc.property(positions, sizes, timelines, (position, bytes, timeline) => {
        const number = segmentNumberOf(position, bytes)
        const name = segmentName(timeline, number, bytes)
        expect(segmentNumberFromName(name, bytes)).toBe(number)
        expect(classifyWalFileName(name)).toMatchObject({ kind: 'segment', timeline })
        expect(parseWalFileName(name.toLowerCase())).toBe(name)
        const start = segmentStart(number, bytes)
        expect(start <= position && position < start + BigInt(bytes)).toBe(true)
      }),
    )
  })

  it('follow one another', () => {
    fc.assert(
      fc.property(sizes, fc.integer({ min: 0, max: 2 ** 31 }), fc.integer({ min: 0, max: 10_000 }), (bytes, number, count) => {
        const name = segmentName(one, number, bytes)
        const later = addSegments(name, count, bytes)
        expect(segmentNumberFromName(later, bytes)).toBe(number + count)
        expect(addSegments(later, -count, bytes)).toBe(name)
        expect(count === 0 || later > name).toBe(true)
      }),
    )
  })

  it('carry from the last group into the middle one', () => {
    expect(addSegments(parseWalFileName('0000000200000000000000FF'), 1, 16 * MIB)).toBe('000000020000000100000000')
    expect(addSegments(parseWalFileName('000000020000000100000000'), -1, 1024 * MIB)).toBe('000000020000000000000003')
    expect(addSegments(parseWalFileName('000000020000000000000FFF'), 1, MIB)).toBe('000000020000000100000000')
  })

  it('tell the segment in which WAL ends from that in which it goes on', () => {
    const border = segmentStart(5, DEFAULT_SEGMENT_BYTES)
    expect(segmentNumberOf(border, DEFAULT_SEGMENT_BYTES)).toBe(5)
    expect(segmentNumberBefore(border, DEFAULT_SEGMENT_BYTES)).toBe(4)
    expect(segmentNumberBefore(lsn(border + 1n), DEFAULT_SEGMENT_BYTES)).toBe(5)
    expect(segmentNumberBefore(lsn(0n), DEFAULT_SEGMENT_BYTES)).toBe(0)
  })

  it('refuse a last group that the segment size does not allow', () => {
    const name = parseWalFileName('0000000100000000000000FF')
    expect(segmentNumberFromName(name, 16 * MIB)).toBe(255)
    expect(() => segmentNumberFromName(name, 32 * MIB)).toThrow(expect.objectContaining({ code: 'WAL_SEGMENT_SIZE_MISMATCH' }))
  })

  it('refuse names without a segment', () => {
    expect(() => segmentNumberFromName(timelineHistoryName(one), MIB)).toThrow(expect.objectContaining({ code: 'WAL_NAME_INVALID' }))
    expect(() => segmentNumberFromName('nonsense' as never, MIB)).toThrow(expect.objectContaining({ code: 'WAL_NAME_INVALID' }))
  })

  it('refuse sizes and numbers that no server has', () => {
    for (const bytes of [0, MIB - 1, MIB / 2, 3 * MIB, 2048 * MIB, Number.NaN, 1.5 * MIB]) {
      expect(isSegmentBytes(bytes)).toBe(false)
      expect(() => segmentNumberOf(lsn(0n), bytes)).toThrow(internal)
      expect(() => segmentStart(0, bytes)).toThrow(internal)
      expect(() => segmentName(one, 0, bytes)).toThrow(internal)
    }
    expect([MIN_SEGMENT_BYTES, DEFAULT_SEGMENT_BYTES, MAX_SEGMENT_BYTES].every(isSegmentBytes)).toBe(true)
    for (const number of [-1, 0.5, 2 ** 44]) {
      expect(() => segmentStart(number, MIB)).toThrow(internal)
      expect(() => segmentName(one, number, MIB)).toThrow(internal)
    }
    expect(segmentName(one, 2 ** 44 - 1, MIB)).toBe('00000001FFFFFFFF00000FFF')
  })
})

describe('names of WAL files', () => {
  it('say what they are', () => {
    expect(classifyWalFileName('0000000A000000160000002C')).toEqual({ kind: 'segment', timeline: 10, high: 0x16, low: 0x2c })
    expect(classifyWalFileName('0000000a000000160000002c.partial')).toEqual({
      kind: 'partial',
      segment: '0000000A000000160000002C',
      timeline: 10,
      high: 0x16,
      low: 0x2c,
    })
    expect(classifyWalFileName('0000000A000000160000002C.00000028.backup')).toEqual({
      kind: 'backup-history',
      segment: '0000000A000000160000002C',
      timeline: 10,
      high: 0x16,
      low: 0x2c,
      offset: 0x28,
    })
    expect(classifyWalFileName('FFFFFFFF.history')).toEqual({ kind: 'timeline-history', timeline: 0xffff_ffff })
  })

  it('come out in upper case', () => {
    expect(parseWalFileName('0000000a000000160000002c')).toBe('0000000A000000160000002C')
    expect(parseWalFileName('0000000a000000160000002c.partial')).toBe('0000000A000000160000002C.partial')
    expect(parseWalFileName('0000000a000000160000002c.000000ab.backup')).toBe('0000000A000000160000002C.000000AB.backup')
    expect(parseWalFileName('0000000a.history')).toBe('0000000A.history')
  })

  it.each([
    '',
    '00000001000000000000000',
    '0000000100000000000000001',
    '00000001000000000000000G',
    '000000000000000000000001',
    '00000000.history',
    '000000000000000000000001.partial',
    '1.history',
    '000000010000000000000001.',
    '000000010000000000000001.PARTIAL',
    '00000001.HISTORY',
    '000000010000000000000001.28.backup',
    '000000010000000000000001.00000028.backup.lz4',
    '000000010000000000000001.history',
    '00000001.partial',
    '../000000010000000000000001',
    '000000010000000000000001\n',
    '000000010000000000000001_delta',
  ])('refuse %j', (text) => {
    expect(classifyWalFileName(text)).toBeUndefined()
    expect(() => parseWalFileName(text)).toThrow(expect.objectContaining({ kind: 'invalid', code: 'WAL_NAME_INVALID' }))
  })

  it('are made for every kind', () => {
    const segment = parseWalFileName('000000030000000100000002')
    expect(partialName(segment)).toBe('000000030000000100000002.partial')
    expect(timelineHistoryName(timelineId(31))).toBe('0000001F.history')
    const start = lsn(segmentStart(7, DEFAULT_SEGMENT_BYTES) + 0x28n)
    expect(backupHistoryName(one, start, DEFAULT_SEGMENT_BYTES)).toBe('000000010000000000000007.00000028.backup')
    for (const name of [partialName(segment), timelineHistoryName(one), backupHistoryName(one, start, MIB)]) {
      expect(parseWalFileName(name)).toBe(name)
    }
  })
})
