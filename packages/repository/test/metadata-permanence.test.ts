import { readFileSync } from 'node:fs'
import { isFault } from '@waltz/errors'
import { array, assert, boolean, constantFrom, dictionary, json, oneof, property, string, tuple } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeMetadata, withPermanence } from '../src/index.ts'

const origin = 'metadata.json'
const changed = (text: string, permanent: boolean): string =>
  new TextDecoder().decode(withPermanence(new TextEncoder().encode(text), permanent, { origin }))

describe('withPermanence', () => {
  it('changes one word of what WAL-G wrote', () => {
    for (const name of ['full', 'user-data']) {
      const text = readFileSync(new URL(`fixtures/${name}.metadata`, import.meta.url), 'utf8')
      const [on, off] = [changed(text, true), changed(text, false)]
      expect(on).toBe(text.replace(/"is_permanent":(true|false)/, '"is_permanent":true'))
      expect(off).toBe(text.replace(/"is_permanent":(true|false)/, '"is_permanent":false'))
      expect(decodeMetadata(on, { origin }).permanent).toBe(true)
    }
  })

  it('keeps numbers, unknown members, white space and every other mark', () => {
    const text =
      '{ "new" : [1.0, 1e400, {"is_permanent": false}],\n"Is_Permanent"\t: false , "user_data":{"is_permanent":false,"x":"\\"is_permanent\\":false"} }\n'
    expect(changed(text, true)).toBe(text.replace('\t: false', '\t: true'))
  })

  it('changes every mark of a document with several, and adds one where there is none', () => {
    expect(changed('{"is_permanent":false,"IS_PERMANENT":null}', true)).toBe('{"is_permanent":true,"IS_PERMANENT":true}')
    expect(changed('{}', true)).toBe('{"is_permanent":true}')
    expect(changed(' {"hostname":"}" } ', false)).toBe(' {"hostname":"}" ,"is_permanent":false} ')
    expect(changed('{"is\\u005fpermanent":true}', false)).toBe('{"is\\u005fpermanent":false}')
  })

  it('does not touch what is no metadata', () => {
    for (const text of ['', '[]', '{"is_permanent":1}', '{"is_permanent":"no"}', '{'])
      expect(() => changed(text, true)).toThrow(expect.objectContaining({ kind: 'corrupt' }))
    try {
      changed('{', true)
    } catch (error) {
      expect(isFault(error, 'corrupt') && error.message).toContain(origin)
    }
  })

  it('gives any document back when the mark is changed there and back', () => {
    const member = tuple(oneof(string(), constantFrom('user_data', 'x')), json())
    assert(
      property(
        array(member, { maxLength: 4 }),
        array(member, { maxLength: 4 }),
        boolean(),
        dictionary(string(), string()),
        (before, after, mark, data) => {
          const members = [...before, ['is_permanent', String(mark)] as const, ...after, ['data', JSON.stringify(data)] as const]
          const known =
            /^(start_time|finish_time|date_fmt|hostname|data_dir|pg_version|start_lsn|finish_lsn|system_identifier|.*compressed_size)$/i
          const text = `{${members
            .filter(([name]) => !known.test(name))
            .map(([name, value]) => `${JSON.stringify(name)}: ${value}`)
            .join(', ')}}`
          const other = changed(text, !mark)
          expect(decodeMetadata(other, { origin }).permanent).toBe(!mark)
          expect(changed(other, mark)).toBe(text)
        },
      ),
    )
  })
})
