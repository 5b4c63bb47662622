import { throwIfAborted } from '@waltz/errors'
import type { CallOptions, ObjectInfo } from './object-store.ts'

/** The same in every copy of this package that a process has loaded. */
const PAGES = Symbol.for('@waltz/storage:pages')

type Pages = AsyncIterable<readonly ObjectInfo[]>

interface PagedListing extends AsyncIterable<ObjectInfo> {
  readonly [PAGES]: () => Pages
}

/**
 * What `ObjectStore.list` returns, made from pages as the store has them (a request's answer, a batch of files): one by one for whoever
 * asks one by one, and whole for `pagesOf`. `pages` is called for each iteration, and closed when that ends early; the signal is looked at
 * between any two objects.
 */
export function createListing(pages: () => Pages, options?: CallOptions): AsyncIterable<ObjectInfo> {
  const listing: PagedListing = { [PAGES]: pages, [Symbol.asyncIterator]: () => oneByOne(pages(), options?.signal) }
  return listing
}

/**
 * A listing in pages: each step of an asynchronous loop costs more than looking at an object does, and every wrapper around a store adds
 * its own. What comes from elsewhere than `createListing` has pages of one object.
 */
export function pagesOf(listing: AsyncIterable<ObjectInfo>): Pages {
  return PAGES in listing ? (listing as PagedListing)[PAGES]() : single(listing)
}

async function* oneByOne(pages: Pages, signal: AbortSignal | undefined): AsyncGenerator<ObjectInfo> {
  for await (const page of pages) {
    for (const info of page) {
      throwIfAborted(signal)
      yield info
    }
  }
  throwIfAborted(signal)
}

async function* single(listing: AsyncIterable<ObjectInfo>): AsyncGenerator<readonly ObjectInfo[]> {
  for await (const info of listing) yield [info]
}
