import { describe, expect, it } from 'vitest'
import { formatBackupTime, formatFileTime, formatTimestamp, parseTimestamp, ZERO_TIMESTAMP } from '../src/index.ts'

const at = (text: string): bigint => {
  const time = parseTimestamp(text)
  if (time === undefined) throw new Error(`not a time: ${text}`)
  return time.ns
}

describe('formatBackupTime', () => {
  it('rounds up to microseconds and drops trailing zeros', () => {
    expect(formatBackupTime(at('2026-03-01T10:00:00.123456001Z'))).toBe('2026-03-01T10:00:00.123457Z')
    expect(formatBackupTime(at('2026-03-01T10:00:00.123456Z'))).toBe('2026-03-01T10:00:00.123456Z')
    expect(formatBackupTime(at('2026-03-01T10:00:00.999999001Z'))).toBe('2026-03-01T10:00:01Z')
    expect(formatBackupTime(at('1969-12-31T23:59:59.999999999Z'))).toBe('1970-01-01T00:00:00Z')
    expect(formatBackupTime(at('1969-12-31T23:59:59.5000001Z'))).toBe('1969-12-31T23:59:59.500001Z')
    expect(formatBackupTime(new Date('2026-03-01T10:00:04.500Z'))).toBe('2026-03-01T10:00:04.5Z')
  })
})

describe('formatFileTime', () => {
  it('keeps nanoseconds and the local offset of that moment', () => {
    expect(formatFileTime(at('2026-03-01T10:00:00.000000001Z'), () => 180)).toBe('2026-03-01T13:00:00.000000001+03:00')
    expect(formatFileTime(at('2026-03-01T10:00:00Z'), () => -570)).toBe('2026-03-01T00:30:00-09:30')
    expect(formatFileTime(at('2026-03-01T10:00:00.25Z'), () => 0)).toBe('2026-03-01T10:00:00.25Z')
    const summer = (ms: number): number => (ms >= Date.UTC(2026, 2, 29, 1) ? 120 : 60)
    expect(formatFileTime(at('2026-03-29T00:59:59.9Z'), summer)).toBe('2026-03-29T01:59:59.9+01:00')
    expect(formatFileTime(at('2026-03-29T01:00:00Z'), summer)).toBe('2026-03-29T03:00:00+02:00')
  })

  it('stays within the years that the format has', () => {
    expect(formatFileTime(10n ** 30n, () => 0)).toBe('9999-12-31T23:59:59Z')
    expect(formatFileTime(-(10n ** 30n), () => 0)).toBe('0001-01-01T00:00:00Z')
  })
})

describe('parseTimestamp', () => {
  it('is the inverse of formatTimestamp', () => {
    for (const text of [
      ZERO_TIMESTAMP,
      '2026-11-20T22:35:33.831570012Z',
      '2026-03-02T12:59:58.25+03:00',
      '1900-01-01T00:00:00.000000001-23:59',
    ]) {
      const time = parseTimestamp(text)
      expect(time).toBeDefined()
      if (time !== undefined) expect(formatTimestamp(time, 'nanoseconds')).toBe(text)
    }
    expect(formatTimestamp(parseTimestamp('2026-11-20T22:35:33.9Z') ?? { ns: 0n, offsetMinutes: 0 }, 'seconds')).toBe(
      '2026-11-20T22:35:33Z',
    )
  })

  it('accepts any number of fractional digits', () => {
    expect(at('1970-01-01T00:00:00.1234567899Z')).toBe(123456789n)
    expect(at('1970-01-01T01:00:00.5+01:00')).toBe(500_000_000n)
  })

  it.each(['', '2026-02-30T00:00:00Z', '2026-01-01 00:00:00Z', '2026-01-01T24:00:00Z', '2026-01-01T00:00:00', '2026-1-1T00:00:00Z'])(
    'refuses %j',
    (text) => {
      expect(parseTimestamp(text)).toBeUndefined()
    },
  )
})
