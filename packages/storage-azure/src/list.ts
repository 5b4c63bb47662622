import type { BlobItem, BlobPrefix, ContainerListBlobsOptions } from '@azure/storage-blob'
import { throwIfAborted } from '@waltz/errors'
import { compareKeys, type CallOptions, type ListOptions, type ObjectInfo } from '@waltz/storage'
import { inByteOrder } from './byte-order.ts'
import { checkNamePrefix } from './names.ts'
import { infoOf } from './object-info.ts'
import { attempt, type Place } from './place.ts'

/** What a page of a listing may hold besides blobs. */
export type ListingExtras = Pick<ContainerListBlobsOptions, 'includeVersions' | 'includeUncommitedBlobs'>

/** `ObjectStore.list`. */
export async function* listObjects(place: Place, prefix: string, options: ListOptions | undefined): AsyncGenerator<ObjectInfo> {
  throwIfAborted(options?.signal)
  checkNamePrefix(prefix)
  const after = options?.after
  const found = options?.oneLevel === true ? itemsOf(hierarchyPages(place, prefix, options)) : listBlobs(place, prefix, options)
  for await (const { name, properties } of inByteOrder(found, ({ name }) => name, place.location)) {
    throwIfAborted(options?.signal)
    if (after === undefined || compareKeys(name, after) > 0) yield infoOf(name, properties.contentLength ?? 0, properties)
  }
  throwIfAborted(options?.signal)
}

/** `ObjectStore.listGroups`. */
export async function* listObjectGroups(place: Place, prefix: string, options: CallOptions | undefined): AsyncGenerator<string> {
  throwIfAborted(options?.signal)
  checkNamePrefix(prefix)
  let last: string | undefined
  for await (const group of inByteOrder(prefixesOf(hierarchyPages(place, prefix, options)), (name) => name, place.location)) {
    throwIfAborted(options?.signal)
    // A page may begin with the group that ended the one before.
    if (group !== last) yield group
    last = group
  }
  throwIfAborted(options?.signal)
}

/** All blobs below a prefix, in the service's order. One request per page. */
export async function* listBlobs(
  place: Place,
  prefix: string,
  options: CallOptions | undefined,
  extras: ListingExtras = {},
): AsyncGenerator<BlobItem> {
  let marker: string | undefined
  do {
    const page = await attempt(place, { doing: `listing of ${prefix}*` }, options, async (container, abortSignal) => {
      const pages = container.listBlobsFlat({ ...extras, prefix, responseFormat: 'Xml', abortSignal }).byPage(pageFrom(place, marker))
      return (await pages.next()).value
    })
    yield* page?.segment.blobItems ?? []
    marker = page?.continuationToken
  } while (marker !== undefined && marker !== '')
}

interface HierarchyPage {
  readonly items: readonly BlobItem[]
  readonly prefixes: readonly BlobPrefix[]
}

async function* hierarchyPages(place: Place, prefix: string, options: CallOptions | undefined): AsyncGenerator<HierarchyPage> {
  let marker: string | undefined
  do {
    const page = await attempt(place, { doing: `listing of ${prefix}*` }, options, async (container, abortSignal) => {
      const pages = container.listBlobsByHierarchy('/', { prefix, responseFormat: 'Xml', abortSignal }).byPage(pageFrom(place, marker))
      return (await pages.next()).value
    })
    yield { items: page?.segment.blobItems ?? [], prefixes: page?.segment.blobPrefixes ?? [] }
    marker = page?.continuationToken
  } while (marker !== undefined && marker !== '')
}

async function* itemsOf(pages: AsyncIterable<HierarchyPage>): AsyncGenerator<BlobItem> {
  for await (const { items } of pages) yield* items
}

async function* prefixesOf(pages: AsyncIterable<HierarchyPage>): AsyncGenerator<string> {
  for await (const { prefixes } of pages) for (const { name } of prefixes) yield name
}

function pageFrom({ options: { pageSize } }: Place, marker: string | undefined): { continuationToken?: string; maxPageSize?: number } {
  return { ...(marker === undefined ? {} : { continuationToken: marker }), ...(pageSize === undefined ? {} : { maxPageSize: pageSize }) }
}
