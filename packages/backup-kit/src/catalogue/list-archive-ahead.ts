import { walFolder } from '@waltz/repository'
import { pagesOf, type CallOptions, type ObjectInfo } from '@waltz/storage'
import { readAhead, type ReadAhead } from '../read-ahead.ts'
import type { CatalogueStorage } from './read-catalogue.ts'

/** A listing of the archive that goes on while documents of backups are read. */
export interface ArchiveAhead extends AsyncDisposable {
  /** To be called when the backups of a storage have been listed. */
  readonly begin: (storage: string) => void
  /** See `SurveyWalOptions`. */
  readonly listing: (storage: string) => AsyncIterable<readonly ObjectInfo[]> | undefined
}

/** Objects that wait until they are asked for. */
const MOST_AHEAD = 8192

/**
 * Lists `wal_005/` from when all backups have been listed, and no earlier: what a backup needs was archived before it was finished. With
 * several storages nothing is done ahead. Disposing of it stops what nobody asked for.
 */
export function listArchiveAhead(storages: readonly CatalogueStorage[], { signal }: CallOptions): ArchiveAhead {
  const stop = new AbortController()
  const any = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
  let ahead: ReadAhead<readonly ObjectInfo[]> | undefined
  return {
    begin(name) {
      const [storage] = storages
      if (storages.length !== 1 || storage?.name !== name) return
      ahead = readAhead(pagesOf(storage.store.list(walFolder, { signal: any })), MOST_AHEAD, (objects) => objects.length)
    },
    listing: () => ahead,
    async [Symbol.asyncDispose]() {
      stop.abort()
      await ahead?.[Symbol.asyncDispose]()
    },
  }
}
