import type { Lsn, SystemIdentifier } from '@waltz/pg-structures'

/** `<backup>/metadata.json`, RF 2.3: small, rewritten by `backup-mark`; authoritative for permanence and user data. */
export interface BackupMetadata {
  /** RFC 3339 texts as stored; `0001-01-01T00:00:00Z` when absent. */
  readonly startTime: string
  readonly finishTime: string
  readonly dateFormat: string
  readonly hostname: string
  readonly dataDirectory: string
  readonly serverVersion: number
  readonly startLsn: Lsn
  readonly finishLsn: Lsn
  readonly permanent: boolean
  readonly systemIdentifier: SystemIdentifier | undefined
  readonly uncompressedBytes: number
  readonly storedBytes: number
  readonly userData: unknown
}
