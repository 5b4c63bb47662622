import type { CallOptions, ObjectStore } from './object-store.ts'

/** An upload in parts that was begun and neither completed nor removed: what a kill leaves behind. Invisible to `list`. */
export interface UnfinishedUpload {
  readonly key: string
  /** What the store calls it. */
  readonly id: string
  /** Undefined where the store does not tell. */
  readonly startedAt: Date | undefined
  /** Bytes that it holds; undefined where the store does not tell. */
  readonly bytes: number | undefined
}

/** One version of an object in a store that keeps old ones. */
export interface ObjectVersion {
  readonly key: string
  readonly versionId: string
  readonly size: number
  readonly modifiedAt: Date
  readonly latest: boolean
  /** A version that says that the object was deleted. */
  readonly deleteMarker: boolean
}

/** What only some people need of a store, and only some stores have. */
export interface StoreMaintenance {
  /** Uploads below `prefix` that were left unfinished, in no particular order; none where the store has no such thing. */
  unfinishedUploads(prefix: string, options?: CallOptions): AsyncIterable<UnfinishedUpload>
  /** Removes what an unfinished upload holds. One that is gone is no error. */
  abandonUpload(upload: UnfinishedUpload, options?: CallOptions): Promise<void>
  /**
   * All versions below `prefix`, keys in byte order, the newest first.
   * @throws Fault `unsupported` `STORAGE_VERSIONS_UNSUPPORTED` where the store keeps none.
   */
  versions(prefix: string, options?: CallOptions): AsyncIterable<ObjectVersion>
  /**
   * Removes single versions for good, delete markers included.
   * @throws Fault `unsupported` `STORAGE_VERSIONS_UNSUPPORTED` where the store keeps none.
   */
  deleteVersions(versions: Iterable<Pick<ObjectVersion, 'key' | 'versionId'>>, options?: CallOptions): Promise<void>
}

/** A store as a backend makes it, before any wrapper. */
export interface MaintainedStore extends ObjectStore {
  readonly maintenance: StoreMaintenance
}
