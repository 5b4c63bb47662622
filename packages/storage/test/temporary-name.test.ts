import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { isTemporaryKey, isTemporaryName, parseTemporaryName, temporaryKey } from '../src/index.ts'

const HEX = '0123456789abcdef'
const source = { now: () => new Date('2024-02-03T04:05:06.789Z'), randomHex: (digits: number): string => HEX.slice(0, digits) }

it('makes the form that WAL-G makes, in the folder of the object', () => {
  expect(temporaryKey('wal_005/segment.lz4', source)).toBe('wal_005/segment.lz4.tmp.20240203T040506Z-0123456789abcdef')
})

it('tells what a temporary file was to become, and since when', () => {
  const name = fc.string({ unit: 'binary', minLength: 1 }).filter((text) => text.isWellFormed() && !/[/\0]/.test(text))
  fc.assert(
    fc.property(name, (object) => {
      const key = temporaryKey(`a/b/${object}`, source)
      const made = key.slice('a/b/'.length)
      expect([isTemporaryName(made), isTemporaryKey(key), isTemporaryKey(`${key}/below`)]).toEqual([true, true, true])
      expect(Buffer.byteLength(made)).toBeLessThanOrEqual(255)
      const told = parseTemporaryName(made)
      expect(told?.startedAt?.toISOString()).toBe('2024-02-03T04:05:06.000Z')
      expect(object.startsWith(told?.object ?? '?')).toBe(true)
      if (Buffer.byteLength(object) < 200) expect(told?.object).toBe(object)
    }),
  )
})

it.each([
  'segment.lz4',
  'segment.lz4.tmp',
  'x.tmp.20240203T040506Z-0123456789abcde',
  'x.tmp.20240203T040506Z-0123456789abcdeff',
  'x.tmp.20240203T040506Z-0123456789ABCDEF',
  'x.tmp.20240203T040506Z-0123456789abcdef.lz4',
])('%s is no temporary name', (name) => {
  expect([isTemporaryName(name), isTemporaryKey(name), parseTemporaryName(name)]).toEqual([false, false, undefined])
})

it('a time that there is not is told as unknown', () => {
  expect(parseTemporaryName('x.tmp.20241399T040506Z-0123456789abcdef')).toEqual({ object: 'x', startedAt: undefined })
})
