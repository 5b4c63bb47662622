import { classifyWalFileName } from '@waltz/pg-structures'
import { walFolder } from '@waltz/repository'
import type { ObjectInfo } from '@waltz/storage'
import { callOptions, type ArchiveContext } from './context.ts'
import { archivedNameOf } from './stored-name.ts'

/** What a WAL file name says. */
export type WalNameParts = NonNullable<ReturnType<typeof classifyWalFileName>>

/** An object of `wal_005/` that holds a WAL file. */
export interface ListedWal {
  readonly name: string
  readonly storedName: string
  readonly parts: WalNameParts
  readonly info: ObjectInfo
}

/** Options of {@link listWal}. */
export interface ListWalOptions {
  /** Only names that begin with this. */
  readonly prefix?: string
  /** Only names behind this text, in byte order; no full name need exist. */
  readonly after?: string
  readonly signal?: AbortSignal | undefined
}

/** WAL files in byte order of their object names; sidecars, block maps and foreign objects are left out. */
export async function* listWal(context: ArchiveContext, options: ListWalOptions = {}): AsyncGenerator<ListedWal, void, undefined> {
  const after = options.after === undefined ? {} : { after: walFolder + options.after }
  const listing = context.store.list(walFolder + (options.prefix ?? ''), { oneLevel: true, ...after, ...callOptions(options.signal) })
  for await (const info of listing) {
    const storedName = info.key.slice(walFolder.length)
    const name = archivedNameOf(storedName)
    const parts = classifyWalFileName(name)
    if (parts !== undefined) yield { name, storedName, parts, info }
  }
}

/** The first item of a listing, or undefined; the listing is closed. */
export async function first<Item>(items: AsyncIterable<Item>): Promise<Item | undefined> {
  for await (const item of items) return item
  return undefined
}

/** Eight upper-case hex digits. */
export function hex8(value: number): string {
  return value.toString(16).toUpperCase().padStart(8, '0')
}
