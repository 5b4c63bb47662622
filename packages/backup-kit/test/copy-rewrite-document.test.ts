import { sourceOf } from '@waltz/bytes'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { rewriteDocument, type DocumentEdits } from '../src/copy/rewrite-document.ts'
import { collect } from './copy-support.ts'

const renamePart = (name: string): string => name.replace(/\.lz4$/, '.zst')
const numbers = new Map([['compressedsize', 99]])

/** Rewrites a text that comes in chunks of so many bytes. */
async function rewrite(text: string, edits: DocumentEdits, chunkBytes = 1 << 20): Promise<string> {
  const bytes = Buffer.from(text)
  const chunks = Array.from({ length: Math.ceil(bytes.length / chunkBytes) }, (_, at) =>
    bytes.subarray(at * chunkBytes, (at + 1) * chunkBytes),
  )
  return Buffer.from(await collect(rewriteDocument(sourceOf(...chunks), edits))).toString()
}

describe('a document on its way', () => {
  it.each([
    [
      'keys of TarFileSets, and nothing else',
      '{"Files":{"a.lz4":{"b.lz4":"c.lz4"}},"TarFileSets":{"p.tar.lz4":["p.tar.lz4"],"q":[]},"x.lz4":1}',
      '{"Files":{"a.lz4":{"b.lz4":"c.lz4"}},"TarFileSets":{"p.tar.zst":["p.tar.lz4"],"q":[]},"x.lz4":1}',
    ],
    [
      'in any case, with any white space',
      ' {\n"tarfilesets" :\t{ "p.lz4" : [ "m" , "n" ] , "q.lz4":null}}\n',
      ' {\n"tarfilesets" :\t{ "p.zst" : [ "m" , "n" ] , "q.lz4":null}}\n'.replace('q.lz4', 'q.zst'),
    ],
    [
      'with escapes',
      '{"Tar\\u0046ileSets":{"\\u0070.lz4":["\\\\","\\"","}"],"r.lz4":[]}}',
      '{"Tar\\u0046ileSets":{"p.zst":["\\\\","\\"","}"],"r.zst":[]}}',
    ],
    [
      'a number at the top',
      '{"CompressedSize":12,"UserData":{"CompressedSize":12},"compressedsize": -1.5e3 ,"b":7}',
      '{"CompressedSize":99,"UserData":{"CompressedSize":12},"compressedsize": 99 ,"b":7}',
    ],
    ['a number at the end', '{"CompressedSize":12}', '{"CompressedSize":99}'],
    [
      'no value of another kind',
      '{"CompressedSize":"12","a":{"CompressedSize":1},"b":[{"CompressedSize":2}],"CompressedSize":null,"c":5}',
      '{"CompressedSize":"12","a":{"CompressedSize":1},"b":[{"CompressedSize":2}],"CompressedSize":null,"c":5}',
    ],
    [
      'no digits of others',
      '{"LSN":18446744073709551615,"x":1.0,"TarFileSets":{}}',
      '{"LSN":18446744073709551615,"x":1.0,"TarFileSets":{}}',
    ],
    [
      'no key of a list below',
      '{"TarFileSets":{"p.lz4":[{"z.lz4":1}]},"Files":{"y.lz4":1}}',
      '{"TarFileSets":{"p.zst":[{"z.lz4":1}]},"Files":{"y.lz4":1}}',
    ],
    ['nothing that is no JSON', '{"TarFileSets":{"p.lz4', '{"TarFileSets":{"p.lz4'],
    ['nothing at all', '', ''],
  ])('changes %s, however it is cut', async (_, before, after) => {
    for (const chunkBytes of [1, 2, 3, 7, 1000]) expect(await rewrite(before, { renamePart, numbers }, chunkBytes)).toBe(after)
  })

  it('says the same as a reader of the whole, for any document', { timeout: 30_000 }, async () => {
    const part = fc.string({ unit: 'binary' }).map((text) => `${text}.lz4`)
    const document = fc.record({
      Files: fc.dictionary(part, fc.jsonValue()),
      TarFileSets: fc.dictionary(part, fc.array(fc.string({ unit: 'binary' }))),
      CompressedSize: fc.integer(),
      DatabasesByNames: fc.jsonValue(),
    })
    await fc.assert(
      fc.asyncProperty(document, fc.integer({ min: 1, max: 40 }), fc.constantFrom(undefined, 1), async (value, chunkBytes, indent) => {
        const text = JSON.stringify(value, undefined, indent)
        const sets = Object.entries(value.TarFileSets).map(([name, list]) => [renamePart(name), list] as const)
        const wanted = { ...JSON.parse(text), TarFileSets: Object.fromEntries(sets), CompressedSize: 99 }
        expect(JSON.parse(await rewrite(text, { renamePart, numbers }, chunkBytes))).toEqual(wanted)
        expect(await rewrite(text, {}, chunkBytes)).toBe(text)
      }),
      { numRuns: 50 },
    )
  })
})
