import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { inByteOrder } from '../src/byte-order.ts'

async function* given(names: readonly string[]): AsyncGenerator<string> {
  yield* names
}

const ordered = (names: readonly string[]): Promise<string[]> => Array.fromAsync(inByteOrder(given(names), (name) => name, 'azure://c'))
const byBytes = (left: string, right: string): number => Buffer.compare(Buffer.from(left), Buffer.from(right))

it('turns the order of UTF-16 units, and that of bytes, into that of bytes', async () => {
  const name = fc
    .array(fc.constantFrom('a', 'b', '/', '\ud7ff', '\ue000', '\ufffd', '😀', '\u{10ffff}'), { maxLength: 6 })
    .map((parts) => parts.join(''))
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(name, { maxLength: 40 }), async (names) => {
      const expected = names.toSorted(byBytes)
      expect(await ordered(names.toSorted())).toEqual(expected)
      expect(await ordered(expected)).toEqual(expected)
    }),
  )
})

it('refuses any other order', async () => {
  await expect(ordered(['a/z', 'a-z'])).rejects.toMatchObject({ kind: 'unsupported', code: 'AZURE_LISTING_UNORDERED' })
})
