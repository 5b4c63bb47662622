import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseGoBoolean, parseGoDuration, parseGoInteger, parseSize } from '../src/go-syntax.ts'
import { editDistance, nearestName } from '../src/nearest-name.ts'

describe('whole numbers', () => {
  it.each([
    ['0', 0], ['16', 16], ['-5', -5], ['+5', 5], ['0x10', 16], ['0X1F', 31], ['0b101', 5], ['0o17', 15], ['017', 15], ['0_17', 15],
    ['1_000_000', 1_000_000], ['0x_ff', 255], ['16.0', 16], ['1e6', 1_000_000], [' 7 ', 7],
  ])('%s is %d', (text, value) => expect(parseGoInteger(text)).toBe(value)) // prettier-ignore

  it.each(['', 'x', '1.5', '08', '1__0', '_1', '1_', '0x', '0xg', '9007199254740993', '1 000', '--1', '1e400'])('%s is none', (text) =>
    expect(parseGoInteger(text)).toBeUndefined(),
  )

  it('reads every decimal and hexadecimal number back', () => {
    fc.assert(fc.property(fc.maxSafeInteger(), (value) => parseGoInteger(String(value)) === value))
    fc.assert(fc.property(fc.maxSafeNat(), (value) => parseGoInteger(`0x${value.toString(16)}`) === value))
  })
})

describe('durations', () => {
  it.each([
    ['0', 0], ['300ms', 300], ['10s', 10_000], ['5m', 300_000], ['1h30m', 5_400_000], ['1.5s', 1500], ['.5s', 500], ['-1s', -1000], ['2us', 0.002], ['2µs', 0.002],
  ])('%s is %d ms', (text, value) => expect(parseGoDuration(text)).toBeCloseTo(value, 9)) // prettier-ignore

  it.each(['', '5', 's', '5 s', '1d', '1h30', '1..5s'])('%s is none', (text) => expect(parseGoDuration(text)).toBeUndefined())
})

describe('booleans', () => {
  it('have twelve spellings', () => {
    expect(['1', 't', 'T', 'TRUE', 'true', 'True'].map(parseGoBoolean)).toEqual(Array(6).fill(true))
    expect(['0', 'f', 'F', 'FALSE', 'false', 'False'].map(parseGoBoolean)).toEqual(Array(6).fill(false))
    expect(['', 'yes', 'on', 'tRue', '2'].map(parseGoBoolean)).toEqual(Array(5).fill(undefined))
  })
})

describe('sizes', () => {
  it('count by 1024', () => {
    expect(['5', '1kb', '2 MB', '1Gb', '7b'].map(parseSize)).toEqual([5, 1024, 2_097_152, 1_073_741_824, 7])
    expect(['', 'kb', '-1', '1.5mb', '1tb', '99999999999gb'].map(parseSize)).toEqual(Array(6).fill(undefined))
  })
})

describe('the nearest name', () => {
  it('counts swapped neighbours once', () => {
    expect(editDistance('FIEL', 'FILE')).toBe(1)
    expect(editDistance('', 'abc')).toBe(3)
    expect(editDistance('kitten', 'sitting')).toBe(3)
    expect(editDistance('kitten', 'sitting', 3)).toBeGreaterThanOrEqual(3)
  })

  it('is the same in both directions and zero only for equal texts', () => {
    fc.assert(fc.property(fc.string(), fc.string(), (a, b) => editDistance(a, b) === editDistance(b, a)))
    fc.assert(fc.property(fc.string(), fc.string(), (a, b) => (editDistance(a, b) === 0) === (a === b)))
  })

  it('is none when nothing is near', () => {
    const names = ['backup-push', 'backup-fetch', 'wal-push']
    expect(nearestName('backup-psuh', names)).toBe('backup-push')
    expect(nearestName('backup-f', names)).toBe('backup-fetch')
    expect(nearestName('frobnicate', names)).toBeUndefined()
    expect(nearestName('x', names)).toBeUndefined()
  })
})
