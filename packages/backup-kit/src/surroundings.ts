import type { PushEvent } from '@waltz/pg-physical-backup'
import type { WalArchiveEvent } from '@waltz/wal-archive'
import type { StorageEvent } from './storage-context.ts'

/** What the kit needs to know of the process it runs in: a library asks for nothing by itself. */
export interface KitSurroundings {
  readonly now: () => Date
  readonly hostname: string
  /** The system user's name, which is the server role where no other is named. */
  readonly user: string
  readonly home?: string | undefined
  readonly processId: number
  /** Usable processor cores: how much is done at once where the settings do not say. */
  readonly cores: number
  /** An existing folder for temporary lists, unless WALTZ_SPOOL_DIR names another. */
  readonly temporaryFolder: string
  /** What is written into manifests. */
  readonly tool?: { readonly name: string; readonly version: string }
  readonly observe?: (event: KitEvent) => void
}

/** What a kit tells while it works. */
export type KitEvent = PushEvent | WalArchiveEvent | StorageEvent | FormatEvent

/** What happened while objects were opened. */
export type FormatEvent =
  /** An object that is not encrypted was read although a key is configured, because the settings allow it. */
  | { readonly type: 'plaintext-read'; readonly framing: string }
  /** A key service could not be asked again, and the key that it gave before is used on. */
  | { readonly type: 'stale-key'; readonly scheme: string; readonly reason: string }
