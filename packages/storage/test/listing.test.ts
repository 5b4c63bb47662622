import { createListing, pagesOf, type ObjectInfo } from '@waltz/storage'
import { describe, expect, it } from 'vitest'

const infoOf = (key: string): ObjectInfo => ({ key, size: 1, modifiedAt: new Date(0) })
const PAGES = [['a', 'b'], [], ['c']].map((keys) => keys.map(infoOf))

function counted(): {
  readonly asked: () => number
  readonly closed: () => boolean
  readonly pages: () => AsyncGenerator<readonly ObjectInfo[]>
} {
  let [asked, closed] = [0, false]
  async function* pages(): AsyncGenerator<readonly ObjectInfo[]> {
    try {
      for (const page of PAGES) {
        asked += 1
        yield page
      }
    } finally {
      closed = true
    }
  }
  return { asked: () => asked, closed: () => closed, pages }
}

describe('listings made from pages', () => {
  it('are gone through one by one or page by page, as often as wanted', async () => {
    const listing = createListing(counted().pages)
    for (let round = 0; round < 2; round += 1) {
      const [keys, sizes]: [string[], number[]] = [[], []]
      for await (const { key } of listing) keys.push(key)
      for await (const page of pagesOf(listing)) sizes.push(page.length)
      expect([keys, sizes]).toEqual([
        ['a', 'b', 'c'],
        [2, 0, 1],
      ])
    }
  })

  it('ask for no page before it is needed, and end with their consumer', async () => {
    const { asked, closed, pages } = counted()
    for await (const { key } of createListing(pages)) if (key === 'b') break
    expect([asked(), closed()]).toEqual([1, true])
  })

  it('obey the signal between two objects of a page', async () => {
    const stop = new AbortController()
    const keys: string[] = []
    const all = async (): Promise<void> => {
      for await (const { key } of createListing(counted().pages, { signal: stop.signal })) {
        keys.push(key)
        stop.abort()
      }
    }
    await expect(all()).rejects.toMatchObject({ kind: 'aborted' })
    expect(keys).toEqual(['a'])
  })

  it('have pages of one object when they come from elsewhere', async () => {
    async function* plain(): AsyncGenerator<ObjectInfo> {
      yield* PAGES.flat()
    }
    const pages: string[][] = []
    for await (const page of pagesOf(plain())) pages.push(page.map(({ key }) => key))
    expect(pages).toEqual([['a'], ['b'], ['c']])
  })
})
