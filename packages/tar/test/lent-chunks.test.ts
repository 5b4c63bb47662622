import { giveBack, lendBytes } from '@waltz/bytes'
import { describe, expect, it } from 'vitest'
import { readTar } from '../src/index.ts'
import { archive, member } from './support.ts'

const sizes = [5, 0, 511, 512, 4000, 70_000, 1, 9000, 513]
const contentOf = (index: number): Uint8Array => new Uint8Array(sizes[index] ?? 0).fill(index + 1)
const bytes = archive(...sizes.map((_, index) => member({ name: `/${index}` }, contentOf(index))))

/** Chunks whose memory is overwritten as soon as they are given back. */
function poisoned(size: number): { readonly source: AsyncGenerator<Uint8Array>; readonly seen: { lent: number; returned: number } } {
  const seen = { lent: 0, returned: 0 }
  async function* source(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let at = 0; at < bytes.length; at += size) {
      seen.lent += 1
      const chunk = bytes.slice(at, at + size)
      yield lendBytes(chunk, () => {
        seen.returned += 1
        chunk.fill(0xa5)
      })
    }
  }
  return { source: source(), seen }
}

describe.each([512, 700, 4096, 20_000, 1_000_000])('an archive in lent chunks of %d bytes', (size) => {
  it('gives every chunk back when its views came back, and none before', async () => {
    const { source, seen } = poisoned(size)
    const held: { readonly index: number; readonly at: number; readonly view: Uint8Array }[] = []
    const letGo = (one: (typeof held)[number] | undefined): void => {
      if (one === undefined) return
      expect(one.view).toEqual(contentOf(one.index).subarray(one.at, one.at + one.view.length))
      giveBack(one.view)
    }
    let index = 0
    for await (const { entry, body, take } of readTar(source)) {
      expect(entry.name).toBe(`/${index}`)
      const whole = index % 2 === 0 ? take() : undefined
      if (whole !== undefined) held.push({ index, at: 0, view: whole })
      else {
        let at = 0
        for await (const view of body) {
          held.push({ index, at, view })
          at += view.length
        }
      }
      index += 1
      while (held.length > 2) letGo(held.shift())
    }
    held.forEach(letGo)
    expect(index).toBe(sizes.length)
    expect(seen.returned).toBe(seen.lent)
  })

  it('keeps what its consumer does not give back', async () => {
    const { source } = poisoned(size)
    const views: { readonly index: number; readonly view: Uint8Array }[] = []
    let index = 0
    for await (const { take } of readTar(source)) {
      const view = take()
      if (view !== undefined) views.push({ index, view })
      index += 1
    }
    for (const { index: of, view } of views) expect(view).toEqual(contentOf(of))
  })
})

it('gives back what is passed over', async () => {
  const { source, seen } = poisoned(700)
  for await (const { entry } of readTar(source)) expect(entry.name).toMatch(/^\/\d$/)
  expect(seen.returned).toBe(seen.lent)
})
