import type { Lsn, SystemIdentifier } from '@waltz/pg-structures'

/** The sentinel `<backup>_backup_stop_sentinel.json`, RF 2.2. Every field may be missing in old repositories. */
export interface Sentinel {
  readonly startLsn: Lsn | undefined
  readonly finishLsn: Lsn | undefined
  /** Present for increments only; all four together. */
  readonly increment: { readonly parentLsn: Lsn; readonly parent: string; readonly root: string; readonly depth: number } | undefined
  readonly serverVersion: number
  readonly systemIdentifier: SystemIdentifier | undefined
  readonly uncompressedBytes: number
  readonly storedBytes: number
  readonly dataDirectoryBytes: number
  readonly tablespaces: TablespaceSpec | undefined
  /** Any JSON value, large numbers kept exact; undefined when absent or null. */
  readonly userData: unknown
  readonly filesMetadataDisabled: boolean
  /** 2 for everything since v1.1.1; undefined for V1. */
  readonly version: number | undefined
  /** RFC 3339 texts as stored. */
  readonly startTime: string | undefined
  readonly finishTime: string | undefined
  readonly hostname: string
  readonly dataDirectory: string
  readonly permanent: boolean
  /** The file list is inside the sentinel (V1, up to release 1.1): `readFilesMetadata` reads it from the sentinel object itself. */
  readonly embeddedFiles?: boolean
  /** OrioleDB's checkpoint number of this backup and of its parent; absent for ordinary clusters. */
  readonly checkpointNumber?: number
  readonly parentCheckpointNumber?: number
}

/** RF 2.5: where the tablespaces of a backup lay, or (as a restore spec) where they shall go. */
export interface TablespaceSpec {
  /** The data directory of the source, no trailing slash. */
  readonly basePrefix: string
  readonly tablespaces: readonly { readonly name: string; readonly location: string; readonly link: string }[]
}
