import { throwIfAborted } from '@waltz/errors'
import {
  checkPrefix,
  compareKeys,
  createListing,
  serverFailedFault,
  type CallOptions,
  type ListOptions,
  type ObjectInfo,
} from '@waltz/storage'
import { call } from './call.ts'
import { isObjectKey } from './hidden-keys.ts'
import { infoOf } from './object-info.ts'
import { bucketParams } from './object-params.ts'
import type { Place } from './place.ts'

/** What one page of a listing asks for. */
interface PageQuestion {
  readonly prefix: string
  readonly delimiter: '/' | undefined
  readonly after: string | undefined
  readonly options: CallOptions | undefined
}

/** Where the next page begins. */
interface PageMark {
  readonly token?: string | undefined
  readonly marker?: string | undefined
}

interface Page {
  readonly objects: readonly ObjectInfo[]
  readonly groups: readonly string[]
  readonly next: PageMark | undefined
}

/** `ObjectStore.list`, one request per page, one page in memory. */
export function listObjects(place: Place, prefix: string, options: ListOptions | undefined): AsyncIterable<ObjectInfo> {
  async function* pages(): AsyncGenerator<readonly ObjectInfo[]> {
    for await (const page of everyPage(place, prefix, options)) yield page.filter(({ key }) => isObjectKey(key))
  }
  return createListing(pages, options)
}

/** The same with Waltz's own objects and names that are none of the contract's. */
export function listEverything(place: Place, prefix: string, options: ListOptions | undefined): AsyncIterable<ObjectInfo> {
  return createListing(() => everyPage(place, prefix, options), options)
}

async function* everyPage(place: Place, prefix: string, options: ListOptions | undefined): AsyncGenerator<readonly ObjectInfo[]> {
  const question: PageQuestion = {
    prefix,
    delimiter: options?.oneLevel === true ? '/' : undefined,
    after: options?.after === '' ? undefined : options?.after,
    options,
  }
  let last: string | undefined
  for await (const { objects } of pages(place, question)) {
    for (const { key } of objects) {
      if (last !== undefined && compareKeys(key, last) <= 0) throw disorderFault(place, key)
      last = key
    }
    throwIfAborted(options?.signal)
    yield objects
  }
}

/** `ObjectStore.listGroups`. */
export async function* listObjectGroups(place: Place, prefix: string, options: CallOptions | undefined): AsyncGenerator<string> {
  let last: string | undefined
  for await (const { groups } of pages(place, { prefix, delimiter: '/', after: undefined, options })) {
    for (const group of groups) {
      throwIfAborted(options?.signal)
      if (group === last || !isObjectKey(`${group}x`)) continue
      last = group
      yield group
    }
  }
}

async function* pages(place: Place, question: PageQuestion): AsyncGenerator<Page> {
  throwIfAborted(question.options?.signal)
  checkPrefix(question.prefix)
  let mark: PageMark | undefined = {}
  while (mark !== undefined) {
    const version1 = place.options.useListV1 === true || !place.provider.quirks.listV2
    const page: Page = await (version1 ? pageV1(place, question, mark) : pageV2(place, question, mark))
    place.known.bucketSeen = true
    yield page
    if (page.next !== undefined && sameMark(page.next, mark)) throw disorderFault(place, 'the next page')
    mark = page.next
  }
  throwIfAborted(question.options?.signal)
}

async function pageV2(place: Place, { prefix, delimiter, after, options }: PageQuestion, mark: PageMark): Promise<Page> {
  const output = await call(place, { doing: `list ${prefix}`, options }, ({ send }, sent) =>
    send(
      'ListObjectsV2',
      {
        ...bucketParams(place),
        Prefix: prefix,
        EncodingType: 'url',
        MaxKeys: place.pageSize,
        ...(delimiter === undefined ? {} : { Delimiter: delimiter }),
        ...(after === undefined || mark.token !== undefined ? {} : { StartAfter: after }),
        ...(mark.token === undefined ? {} : { ContinuationToken: mark.token }),
      },
      sent,
    ),
  )
  const more = output.IsTruncated === true && output.NextContinuationToken !== undefined
  if (output.IsTruncated === true && !more) throw disorderFault(place, 'the next page')
  return { ...contents(output), next: more ? { token: output.NextContinuationToken } : undefined }
}

async function pageV1(place: Place, { prefix, delimiter, after, options }: PageQuestion, mark: PageMark): Promise<Page> {
  const marker = mark.marker ?? after
  const output = await call(place, { doing: `list ${prefix}`, options }, ({ send }, sent) =>
    send(
      'ListObjects',
      {
        ...bucketParams(place),
        Prefix: prefix,
        EncodingType: 'url',
        MaxKeys: place.pageSize,
        ...(delimiter === undefined ? {} : { Delimiter: delimiter }),
        ...(marker === undefined ? {} : { Marker: marker }),
      },
      sent,
    ),
  )
  const page = contents(output)
  if (output.IsTruncated !== true) return { ...page, next: undefined }
  // `NextMarker` is not told without a delimiter, and encoded by some although the answer says otherwise: what was seen last is it.
  const seen = [page.objects.at(-1)?.key, page.groups.at(-1)].filter((key) => key !== undefined).toSorted(compareKeys)
  const next = seen.at(-1) ?? output.NextMarker
  if (next === undefined) throw disorderFault(place, 'the next page')
  return { ...page, next: { marker: next } }
}

interface ListedObject {
  readonly Key?: string | undefined
  readonly Size?: number | undefined
  readonly LastModified?: Date | undefined
  readonly ETag?: string | undefined
}

interface ListAnswer {
  readonly EncodingType?: string | undefined
  readonly Contents?: readonly ListedObject[] | undefined
  readonly CommonPrefixes?: readonly { readonly Prefix?: string | undefined }[] | undefined
}

function contents({ Contents = [], CommonPrefixes = [], EncodingType }: ListAnswer): Omit<Page, 'next'> {
  return {
    objects: Contents.map(({ Key = '', Size, LastModified, ETag }) =>
      infoOf(decoded(Key, EncodingType), { size: Size, modifiedAt: LastModified, etag: ETag }),
    ),
    groups: CommonPrefixes.map(({ Prefix = '' }) => decoded(Prefix, EncodingType)),
  }
}

/** Names come encoded where the storage says so; a plus is a space then. */
export function decoded(text: string, encoding: string | undefined): string {
  return encoding === 'url' ? decodeURIComponent(text.replaceAll('+', ' ')) : text
}

function sameMark(next: PageMark, mark: PageMark): boolean {
  return next.token === mark.token && next.marker === mark.marker
}

function disorderFault({ location }: Place, key: string): Error {
  return serverFailedFault({
    doing: 'listing',
    location,
    answer: `${key} comes out of order`,
    hint: 'this storage does not list in byte order',
  })
}
