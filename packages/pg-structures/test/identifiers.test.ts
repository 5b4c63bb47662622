import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  formatLsn,
  formatSystemIdentifier,
  formatTimelineId,
  lsn,
  parseLsn,
  parseSystemIdentifier,
  parseTimelineId,
  systemIdentifier,
  timelineId,
} from '../src/index.ts'

const code = (expected: string): unknown => expect.objectContaining({ kind: 'invalid', code: expected })
const anyU64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })

describe('LSNs', () => {
  it.each([
    ['0/0', 0n, '0/0'],
    ['0/2000028', 33_554_472n, '0/2000028'],
    ['0/05000028', 83_886_120n, '0/5000028'],
    ['16/b374d848', 0x16_b374_d848n, '16/B374D848'],
    ['FFFFFFFF/FFFFFFFF', 2n ** 64n - 1n, 'FFFFFFFF/FFFFFFFF'],
  ])('reads %s', (text, value, canonical) => {
    expect(parseLsn(text)).toBe(value)
    expect(formatLsn(parseLsn(text))).toBe(canonical)
  })

  it('survive writing and reading', () => {
    fc.assert(fc.property(anyU64, (value) => parseLsn(formatLsn(lsn(value))) === value))
  })

  it.each(['', '0', '/0', '0/', '0/123456789', '0/G', ' 0/0', '0/0 ', '0x0/0', '-1/0', '0/0\n'])('refuses %j', (text) => {
    expect(() => parseLsn(text)).toThrow(code('PG_LSN_INVALID'))
  })

  it('refuses numbers outside 64 bits', () => {
    expect(() => lsn(-1n)).toThrow(code('PG_LSN_INVALID'))
    expect(() => lsn(2n ** 64n)).toThrow(code('PG_LSN_INVALID'))
  })
})

describe('timelines', () => {
  it('are decimal', () => {
    expect(parseTimelineId('17')).toBe(17)
    expect(formatTimelineId(timelineId(4_294_967_295))).toBe('4294967295')
  })

  it.each(['0', '', '1A', '-1', '1.0', '4294967296', '99999999999'])('refuse %j', (text) => {
    expect(() => parseTimelineId(text)).toThrow(code('PG_TIMELINE_INVALID'))
  })

  it('refuse numbers that are not whole', () => {
    for (const value of [1.5, Number.NaN, 0, -1]) expect(() => timelineId(value)).toThrow(code('PG_TIMELINE_INVALID'))
  })
})

describe('system identifiers', () => {
  it('keep all 64 bits', () => {
    fc.assert(fc.property(anyU64, (value) => parseSystemIdentifier(formatSystemIdentifier(systemIdentifier(value))) === value))
  })

  it('are the same whether SQL or a program printed them', () => {
    fc.assert(fc.property(anyU64, (value) => parseSystemIdentifier(BigInt.asIntN(64, value).toString()) === value))
  })

  it.each(['', 'x', '1 ', '18446744073709551616', '-9223372036854775809'])('refuse %j', (text) => {
    expect(() => parseSystemIdentifier(text)).toThrow(code('PG_SYSTEM_IDENTIFIER_INVALID'))
  })
})
