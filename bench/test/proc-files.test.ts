import { describe, expect, test } from 'vitest'
import { parseBusyTicks, parseLoad, parsePeakResident, parseProcessStat } from '../src/meter/proc-files.ts'
import { parseUsageReport } from '../src/meter/wrapper.ts'

describe('files of proc', () => {
  test('a process whose name has blanks and parentheses', () => {
    const text = '4711 (postgres: (x) y) S 4700 4711 4711 0 -1 4194560 1000 2000 0 0 15 6 300 40 20 0 1 0 555 1 2 3'
    expect(parseProcessStat(text)).toEqual({ parent: 4700, ownTicks: 21, childTicks: 340 })
  })

  test('something else is refused', () => {
    expect(() => parseProcessStat('4711 (short) S 1')).toThrow(/not a stat file/)
    expect(() => parseBusyTicks('intr 5')).toThrow(/no line/)
  })

  test('busy is all but idle and waiting; guests are in user time already', () => {
    expect(parseBusyTicks('cpu  100 20 30 9000 800 4 5 6 50 60\ncpu0 1 1 1 1 1 1 1 1 1 1\n')).toBe(100 + 20 + 30 + 4 + 5 + 6)
  })

  test('load and memory', () => {
    expect(parseLoad('1.95 1.27 0.84 4/132 23241\n')).toBe(1.95)
    expect(parsePeakResident('Name:\tx\nVmPeak:\t  900 kB\nVmHWM:\t   132 kB\nVmRSS:\t 100 kB\n')).toBe(132 * 1024)
    expect(parsePeakResident('Name:\tx\nState:\tZ (zombie)\n')).toBe(0)
  })
})

describe('the report of the wrapper', () => {
  test('microseconds and KiB', () => {
    expect(parseUsageReport('256 1500 2500 100\n')).toEqual({
      exitCode: 1,
      signal: 0,
      wallMs: 1.5,
      cpuMs: 2.5,
      maxResidentBytes: 102_400,
    })
    expect(parseUsageReport('9 1 1 1').signal).toBe(9)
  })

  test.each(['', 'no report: Bad file descriptor', '1 2 3'])('%j is none', (text) => {
    expect(() => parseUsageReport(text)).toThrow(/without a report/)
  })
})
