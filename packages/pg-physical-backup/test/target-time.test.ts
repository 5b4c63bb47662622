import { describe, expect, it } from 'vitest'
import { formatMoment, formatRecoveryTime, parseTargetTime, type WallClock } from '../src/restore/target-time.ts'

const kolkata = (): number => 330
const unasked = (): number => {
  throw new Error('the local offset was asked for')
}

describe('parseTargetTime', () => {
  it.each([
    ['2026-11-20 22:35:41.296856+00', '2026-11-20 22:35:41.296856+00', '2026-11-20 22:35:41.296856+00:00'],
    ['2026-11-20T22:35:41Z', '2026-11-20 22:35:41.000000+00', '2026-11-20 22:35:41+00:00'],
    ['2026-11-20T22:35:41,5z', '2026-11-20 22:35:41.500000+00', '2026-11-20 22:35:41.500000+00:00'],
    ['2026-11-20 22:35 UTC', '2026-11-20 22:35:00.000000+00', '2026-11-20 22:35:00+00:00'],
    ['2026-11-20 22:35:41+03', '2026-11-20 19:35:41.000000+00', '2026-11-20 22:35:41+03:00'],
    ['2026-11-20 22:35:41 -0330', '2026-11-21 02:05:41.000000+00', '2026-11-20 22:35:41-03:30'],
    ['2026-03-01 00:00:00.25+14:00', '2026-02-28 10:00:00.250000+00', '2026-03-01 00:00:00.250000+14:00'],
    ['2024-02-29 12:00:00.1234567+00', '2024-02-29 12:00:00.123457+00', '2024-02-29 12:00:00.123457+00:00'],
    ['2026-12-31 23:59:59.9999999+00', '2027-01-01 00:00:00.000000+00', '2027-01-01 00:00:00+00:00'],
  ])('%s', (text, written, echoed) => {
    const time = parseTargetTime(text, unasked)
    expect(formatRecoveryTime(time)).toBe(written)
    expect(time.text).toBe(echoed)
  })

  it('takes a time without an offset as local, asking for that very moment', () => {
    const asked: WallClock[] = []
    const time = parseTargetTime('2026-07-01 05:30', (local) => {
      asked.push(local)
      return 330
    })
    expect(asked).toEqual([{ year: 2026, month: 7, day: 1, hour: 5, minute: 30, second: 0 }])
    expect(time.epochMicros).toBe(Date.UTC(2026, 6, 1, 0, 0, 0) * 1000)
    expect(time.text).toBe('2026-07-01 05:30:00+05:30')
  })

  it('takes a date alone as its midnight', () => {
    expect(parseTargetTime('2026-07-01', kolkata).text).toBe('2026-07-01 00:00:00+05:30')
  })

  it.each([
    '',
    'now',
    '2026-02-30 10:00:00Z',
    '2026-13-01',
    '2026-01-01 24:00Z',
    '2026-01-01 10:60Z',
    '2026-01-01 10:00+16',
    '20.11.2026 10:00',
    '2026-01-01 10:00 CET',
    '1700000000',
  ])('%j is refused', (text) => {
    expect(() => parseTargetTime(text, kolkata)).toThrow(expect.objectContaining({ kind: 'invalid', code: 'RECOVERY_TARGET_INVALID' }))
  })
})

describe('formatMoment', () => {
  it('keeps microseconds apart from milliseconds', () => {
    expect(formatMoment(Date.UTC(2026, 0, 1) * 1000 + 7, 0)).toBe('2026-01-01 00:00:00.000007+00:00')
  })
})
