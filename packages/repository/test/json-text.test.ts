import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareByBytes, fieldReader, jsonEquals, parseJson, stringifyJson } from '../src/index.ts'
import { faultOf } from './fault-of.ts'

const origin = 'basebackups_005/x/metadata.json'
const parse = (text: string): unknown => parseJson(text, { origin })
const plain = (value: unknown): string => stringifyJson(value, { escaping: 'plain' })

describe('parseJson and stringifyJson', () => {
  it('keep every digit of every number', () => {
    const text = '[9007199254740991,9007199254740993,18446744073709551615,-9223372036854775808,1.0,0.1,1e2,1E400,-0,12345678901234567000,0]'
    const value = parse(text) as unknown[]
    expect(plain(value)).toBe(text)
    expect(value[0]).toBe(9007199254740991)
    expect(value[1]).toBe(9007199254740993n)
    expect(value[2]).toBe(18446744073709551615n)
    expect(value[5]).toBe(0.1)
    expect(typeof value[4]).toBe('object')
  })

  it('give back any JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(plain(parse(JSON.stringify(value))))).toStrictEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  it('escape for HTML in the classic style only', () => {
    const text = '<&>\u2028\u2029"\\\n\u0001é\u{1f600}\u007f'
    expect(stringifyJson(text, { escaping: 'classic' })).toBe('"\\u003c\\u0026\\u003e\\u2028\\u2029\\"\\\\\\n\\u0001é\u{1f600}\u007f"')
    expect(plain(text)).toBe('"<&>\u2028\u2029\\"\\\\\\n\\u0001é\u{1f600}\u007f"')
  })

  it('replace lone surrogates', () => {
    expect(plain('a\ud800b')).toBe('"a\ufffdb"')
  })

  it('sort keys by their UTF-8 bytes and indent as asked', () => {
    const value = parse('{"\\uff5e":1,"\\ud83d\\ude00":2,"b":[],"10":{},"9":[1,{"z":1,"y":2}]}')
    expect(stringifyJson(value, { escaping: 'plain', sortKeys: true })).toBe('{"10":{},"9":[1,{"y":2,"z":1}],"b":[],"～":1,"😀":2}')
    expect(stringifyJson(parse('[{"a":1,"b":[]},{}]'), { escaping: 'plain', indent: 4 })).toBe(
      '[\n    {\n        "a": 1,\n        "b": []\n    },\n    {}\n]',
    )
  })

  it('write a Map as an object in its own order', () => {
    const value = new Map<string, unknown>([
      ['9', 1n],
      ['1', undefined],
      ['0', { b: 1, a: 2 }],
    ])
    expect(stringifyJson(value, { escaping: 'plain', sortKeys: true })).toBe('{"9":1,"0":{"a":2,"b":1}}')
  })

  it('agree with UTF-8 about order', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '\ud7ff', '\ue000', '～', '\uffff', '\u{10000}', '😀'), maxLength: 4 })
    fc.assert(
      fc.property(text, text, (left, right) => {
        expect(Math.sign(compareByBytes(left, right))).toBe(Math.sign(Buffer.compare(Buffer.from(left), Buffer.from(right))))
      }),
    )
  })

  it('take the last of equal keys and no prototype', () => {
    expect(parse('{"a":1,"a":2}')).toStrictEqual({ a: 2 })
    expect(plain(parse('{"__proto__":{"a":1}}'))).toBe('{"__proto__":{"a":1}}')
  })

  it.each(['', '{', '{"a":1}x', '{"a":01}', '\ufeff{}', '[1,]', 'nul', '['.repeat(200_000)])('refuse %j', async (text) => {
    const fault = await faultOf(() => parse(text))
    expect(fault).toMatchObject({ kind: 'corrupt', code: 'JSON_INVALID', context: { key: origin } })
    expect(fault.message).toContain(origin)
  })

  it('refuse bytes that are not UTF-8', async () => {
    expect(await faultOf(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22), { origin }))).toMatchObject({
      kind: 'corrupt',
      code: 'JSON_INVALID',
    })
  })
})

describe('jsonEquals', () => {
  const equal = (left: string, right: string, numbers: 'exact' | 'double'): boolean => jsonEquals(parse(left), parse(right), { numbers })

  it.each([
    ['{"a":1,"b":[null,"x"]}', '{"b":[null,"x"],"a":1}', true],
    ['1.0', '1', true],
    ['1e2', '100', true],
    ['0.10', '0.1', true],
    ['-0', '0', true],
    ['9007199254740993', '9007199254740992', false],
    ['[1,2]', '[2,1]', false],
    ['{"a":1}', '{"a":1,"b":null}', false],
    ['{"a":1}', '{"b":1}', false],
    ['"1"', '1', false],
    ['[]', '{}', false],
    ['null', '{}', false],
    ['{"toString":1}', '{"x":1}', false],
  ])('exactly: %s and %s are %s', (left, right, expected) => {
    expect(equal(left, right, 'exact')).toBe(expected)
    expect(equal(right, left, 'exact')).toBe(expected)
  })

  it('compares as doubles what WAL-G has rounded', () => {
    expect(equal('12345678901234567890', '12345678901234567000', 'exact')).toBe(false)
    expect(equal('{"n":12345678901234567890}', '{"n":12345678901234567000}', 'double')).toBe(true)
    expect(equal('1', '2', 'double')).toBe(false)
  })
})

describe('fieldReader', () => {
  const reader = fieldReader(parse('{"hostName":"h","HOSTNAME":"last","N":null,"f":1.5,"big":18446744073709551615,"o":{"X":"7"}}'), {
    origin,
  })

  it('matches names in any case, the last wins, null is absent', () => {
    expect(reader.text('Hostname')).toBe('last')
    expect(reader.text('N')).toBeUndefined()
    expect(reader.integer('absent')).toBeUndefined()
    expect(reader.unsigned64('Big')).toBe(18446744073709551615n)
  })

  it('names the field whose type is wrong', async () => {
    expect(await faultOf(() => reader.integer('F'))).toMatchObject({
      kind: 'corrupt',
      code: 'JSON_FIELD_INVALID',
      context: { key: origin, field: 'F' },
    })
    expect(await faultOf(() => reader.integer('big'))).toMatchObject({ code: 'JSON_FIELD_INVALID' })
    expect(await faultOf(() => reader.flag('hostname'))).toMatchObject({ context: { field: 'hostname' } })
    expect((await faultOf(() => reader.object('O')?.integer('x'))).message).toBe(`${origin}: O.x must be an integer`)
    expect(await faultOf(() => fieldReader([], { origin, kind: 'invalid' }))).toMatchObject({ kind: 'invalid' })
  })
})
