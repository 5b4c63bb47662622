import { throwIfAborted } from '@waltz/errors'
import { checkPrefix, compareKeys, serverFailedFault, type CallOptions, type ListOptions, type ObjectInfo } from '@waltz/storage'
import { pathOf } from './client.ts'
import type { ReadAnswer } from './errors.ts'
import { infoOfListed, type ListedObject } from './object-info.ts'
import type { Place } from './place.ts'
import { findFacts } from './read.ts'

const LAST_CHARACTER = '\u{10ffff}'

/** What a listing is asked for. */
interface ListQuery {
  readonly container: string
  readonly prefix: string
  readonly marker: string | undefined
  readonly delimiter: boolean
  readonly signal: AbortSignal | undefined
}

/** `ObjectStore.list`. */
export async function* listObjects(place: Place, prefix: string, options: ListOptions | undefined): AsyncGenerator<ObjectInfo> {
  const signal = options?.signal
  throwIfAborted(signal)
  checkPrefix(prefix)
  const after = options?.after
  const query = { container: place.container, prefix, marker: after, delimiter: options?.oneLevel === true, signal }
  for await (const { item, answer } of listItems(place, query)) {
    throwIfAborted(signal)
    if (item.name === undefined || (after !== undefined && compareKeys(item.name, after) <= 0)) continue
    const info = infoOfListed({ ...item, name: item.name }, answer) ?? (await findFacts(place, item.name, signal))?.info
    if (info !== undefined) yield info // one that has vanished meanwhile is not listed
    throwIfAborted(signal)
  }
}

/** `ObjectStore.listGroups`. */
export async function* listObjectGroups(place: Place, prefix: string, options: CallOptions | undefined): AsyncGenerator<string> {
  const signal = options?.signal
  throwIfAborted(signal)
  checkPrefix(prefix)
  for await (const { item } of listItems(place, { container: place.container, prefix, marker: undefined, delimiter: true, signal })) {
    throwIfAborted(signal)
    if (item.subdir === undefined) continue
    yield item.subdir
    throwIfAborted(signal)
  }
}

/** Every entry of a listing, page by page, in byte order. */
export async function* listItems(
  place: Place,
  query: ListQuery,
): AsyncGenerator<{ readonly item: ListedObject; readonly answer: ReadAnswer }> {
  let marker = query.marker
  for (;;) {
    const answer = await page(place, { ...query, marker })
    const items = answer.status === 204 ? [] : parsePage(place, answer)
    yield* items.map((item) => ({ item, answer }))
    const last = items.at(-1)
    // Behind everything in a group, so that the group is not given again.
    const next = last?.name ?? (last?.subdir === undefined ? undefined : `${last.subdir}${LAST_CHARACTER}`)
    // A page may be shorter than asked for; only an empty one is the last.
    if (next === undefined) return
    if (marker !== undefined && compareKeys(next, marker) <= 0)
      throw serverFailedFault({ doing: `listing of ${query.prefix}`, location: place.location, answer: 'a page does not go on' })
    marker = next
  }
}

/** The page limit can only be lowered: the server has one of its own. */
function page(place: Place, { container, prefix, marker, delimiter, signal }: ListQuery): Promise<ReadAnswer> {
  return place.client.call({
    method: 'GET',
    path: pathOf(container),
    query: {
      format: 'json',
      ...(prefix === '' ? {} : { prefix }),
      ...(marker === undefined || marker === '' ? {} : { marker }),
      ...(delimiter ? { delimiter: '/' } : {}),
      ...(place.listPageKeys === undefined ? {} : { limit: String(place.listPageKeys) }),
    },
    headers: { accept: 'application/json' },
    accept: [200, 204],
    doing: `listing of ${prefix === '' ? 'everything' : prefix}`,
    signal,
  })
}

function parsePage(place: Place, { text }: ReadAnswer): readonly ListedObject[] {
  try {
    const items: unknown = JSON.parse(text)
    if (Array.isArray(items)) return items as ListedObject[]
  } catch {
    // Said below, without the text.
  }
  throw serverFailedFault({ doing: 'listing', location: place.location, answer: 'what came is no listing in JSON' })
}
