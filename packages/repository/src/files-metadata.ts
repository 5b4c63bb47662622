/** Blocks whose checksum was wrong when the backup read them; numbers count within this one segment file, ascending. */
export interface CorruptBlocks {
  /** How many there were. */
  readonly count: number
  /** At most ten of them unless all were stored. */
  readonly blocks: readonly number[]
}

/** One entry of `Files` in `files_metadata.json` (RF 2.4). */
export interface FileRecord {
  /** The tar member's name, exactly: `/base/5/16384` in local backups, no leading slash in remote ones. */
  readonly name: string
  /** The member is an increment. */
  readonly incremented: boolean
  /** The file is there, but its content is in the parent backup. */
  readonly skipped: boolean
  /** RFC 3339, up to nanoseconds, local offset: see `formatFileTime`. */
  readonly modifiedAt: string
  /** A statistic of the rating composer; rounded to a double. */
  readonly updatesCount?: number
  readonly corruptBlocks?: CorruptBlocks | undefined
}

/** A relation, index or other object with storage of one database. */
export interface RelationRecord {
  /** `schema.relation`. */
  readonly name: string
  readonly oid: number
  /** 0 for partitioned parents. */
  readonly relFileNode: number
}

/** A table with its inheritance and partition descendants, flattened. */
export interface TableRecord extends RelationRecord {
  readonly subtables?: readonly RelationRecord[]
}

/** One entry of `DatabasesByNames`. */
export interface DatabaseRecord {
  readonly name: string
  readonly oid: number
  readonly tables: Iterable<TableRecord> | AsyncIterable<TableRecord>
}

/** Elements one by one or in batches; batches are much faster for millions. */
export type Batched<T> = AsyncIterable<T | readonly T[]> | Iterable<T | readonly T[]>

/** One entry of `TarFileSets`: what a part holds (it may list more than that: RF 2.4). */
export interface TarFileSet {
  /** The object's name in `tar_partitions/`, with its extension. */
  readonly part: string
  readonly names: Batched<string>
}

/** What `encodeFilesMetadata` writes; each list is read once, in this order, and left out when it is empty. */
export interface FilesMetadataContent {
  readonly files: Batched<FileRecord>
  readonly tarFileSets?: AsyncIterable<TarFileSet> | Iterable<TarFileSet>
  readonly databases?: AsyncIterable<DatabaseRecord> | Iterable<DatabaseRecord>
}

/**
 * What `readFilesMetadata` finds, in the order of the document. A `part` comes before its `member`s; a part of none has
 * no members. The tables of a database may come before the `database` itself.
 */
export type FilesMetadataEvent =
  | (FileRecord & { readonly kind: 'file'; readonly updatesCount: number; readonly corruptBlocks: CorruptBlocks | undefined })
  | { readonly kind: 'part'; readonly part: string }
  | { readonly kind: 'member'; readonly part: string; readonly name: string }
  | { readonly kind: 'database'; readonly name: string; readonly oid: number }
  | (TableRecord & { readonly kind: 'table'; readonly database: string; readonly subtables: readonly RelationRecord[] })
