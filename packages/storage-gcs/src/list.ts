import { throwIfAborted } from '@waltz/errors'
import { checkPrefix, serverFailedFault, type CallOptions, type ListOptions, type ObjectInfo } from '@waltz/storage'
import type { Bucket } from './bucket.ts'
import { infoOf, parseResource, type ObjectResource } from './resource.ts'
import { contextTimeoutMs, withinTime } from './time-limit.ts'

/** What is listed. */
export interface Listing {
  readonly prefix: string
  readonly delimiter?: '/'
  /** Inclusive, as the store has it. */
  readonly from?: string
  readonly versions?: boolean
  /** Of the answer; also says whether objects or groups are wanted. */
  readonly fields: string
  readonly signal: AbortSignal | undefined
}

/** One answer to a listing. */
export interface ListingPage {
  readonly objects: readonly ObjectResource[]
  readonly groups: readonly string[]
}

const OBJECT_FIELDS = 'items(name,size,generation,updated),nextPageToken'
/** A name that is no key: what Google's console makes for an empty folder, and what no store of Waltz could hold. */
const NO_KEY = /(?:^|\/)\.{0,2}(?:\/|$)/

/** `ObjectStore.list`: pages of up to a thousand objects, in the byte order of the store itself. */
export async function* listObjects(bucket: Bucket, prefix: string, options: ListOptions | undefined): AsyncGenerator<ObjectInfo> {
  const { after, oneLevel, signal } = options ?? {}
  throwIfAborted(signal)
  checkPrefix(prefix)
  const listing: Listing = {
    prefix,
    ...(oneLevel === true ? { delimiter: '/' } : {}),
    ...(after === undefined || after === '' ? {} : { from: after }),
    fields: OBJECT_FIELDS,
    signal,
  }
  for await (const { objects } of listPages(bucket, listing)) {
    for (const resource of objects) {
      const { name } = resource
      if (name === after || name.startsWith(bucket.piecesPrefix) || NO_KEY.test(name)) continue
      throwIfAborted(signal)
      yield infoOf(resource)
    }
  }
}

/** `ObjectStore.listGroups`: the store makes the groups. */
export async function* listObjectGroups(bucket: Bucket, prefix: string, options: CallOptions | undefined): AsyncGenerator<string> {
  const signal = options?.signal
  throwIfAborted(signal)
  checkPrefix(prefix)
  const listing: Listing = { prefix, delimiter: '/', fields: 'prefixes,nextPageToken', signal }
  let last: string | undefined
  for await (const { groups } of listPages(bucket, listing)) {
    for (const group of groups) {
      if (group === last || group.startsWith(bucket.piecesPrefix) || NO_KEY.test(group.slice(0, -1))) continue
      throwIfAborted(signal)
      last = group
      yield group
    }
  }
}

/** All pages of a listing. The time that they take together is bounded, without that of the consumer. */
export async function* listPages(bucket: Bucket, listing: Listing): AsyncGenerator<ListingPage> {
  const { now } = bucket.options
  const doing = `list of ${listing.prefix}`
  let leftMs = contextTimeoutMs(bucket)
  let pageToken: string | undefined
  for (;;) {
    const startedMs = now().getTime()
    const page = await withinTime(bucket, { doing, signal: listing.signal, leftMs }, (signal) =>
      fetchPage(bucket, { ...listing, signal }, pageToken),
    )
    leftMs -= now().getTime() - startedMs
    yield page
    if (page.next === undefined) return
    if (page.next === pageToken) throw serverFailedFault({ doing, location: bucket.location, answer: 'the same page again' })
    pageToken = page.next
  }
}

async function fetchPage(
  bucket: Bucket,
  { prefix, delimiter, from, versions, fields, signal }: Listing,
  pageToken: string | undefined,
): Promise<ListingPage & { readonly next: string | undefined }> {
  const doing = `list of ${prefix}`
  const engine = await bucket.open(signal)
  const maxResults = bucket.options.pageSize ?? 1000
  const query = { prefix: prefix === '' ? undefined : prefix, delimiter, startOffset: from, versions, maxResults, pageToken, fields }
  const { items, prefixes, nextPageToken } = parsePage(await engine.listPage(query, { doing, signal }), {
    location: bucket.location,
    doing,
  })
  return {
    objects: items.map((item) => parseResource(item, { location: bucket.location, doing })),
    groups: prefixes.map(String),
    next: typeof nextPageToken === 'string' && nextPageToken !== '' ? nextPageToken : undefined,
  }
}

/** Google says `{}` of a page on which nothing is; anything else that is no page must not pass for it. */
function parsePage(
  value: unknown,
  call: { readonly location: string; readonly doing: string },
): { readonly items: readonly unknown[]; readonly prefixes: readonly unknown[]; readonly nextPageToken: unknown } {
  const { items = [], prefixes = [], nextPageToken } = (value ?? {}) as Record<string, unknown>
  const isPage = typeof value === 'object' && value !== null && !Array.isArray(value)
  if (isPage && Array.isArray(items) && Array.isArray(prefixes)) return { items, prefixes, nextPageToken }
  throw serverFailedFault({ ...call, answer: 'the answer is no listing' })
}
