import type { Crc32c, SystemIdentifier } from '@waltz/pg-structures'
import type { SealedFormat } from '@waltz/repository'
import type { ObjectStore } from '@waltz/storage'

/** What a WAL archive is made of. */
export interface WalArchiveOptions {
  /** Rooted where `wal_005/` and `basebackups_005/` lie. */
  readonly store: ObjectStore
  readonly format: SealedFormat
  /** What a push does when the name is stored with other bytes: fail, or overwrite as WAL-G does. A `.history` is never overwritten. */
  readonly whenStored: 'refuse' | 'replace'
  /**
   * What a push without a cipher does when the archive holds encrypted objects; `refuse` when absent, because a forgotten key setting
   * must not lay bare what was meant to be secret.
   */
  readonly plaintextAmongEncrypted?: 'refuse' | 'allow'
  /** Loads a fast CRC-32C; called only for segments whose stored form cannot detect damage by itself. See `loadCrc32c`. */
  readonly crc32c: () => Promise<Crc32c>
  /** Resolves after `ms`, or rejects with the signal's fault. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>
  readonly now: () => Date
  /** How long a missing file with successors is given to appear before it is called a hole. */
  readonly holeRecheckMs: number
  /** How often a push is tried while the storage is unavailable; 3 when absent. Half a second and twice that lie between. */
  readonly pushAttempts?: number
  /** Size of every segment, where it is known (WALG_PG_WAL_SIZE, or pg_control). */
  readonly segmentBytes?: number
  /** The cluster that pushes or recovers, where it is known (pg_control). */
  readonly expectedSystemIdentifier?: SystemIdentifier
  /** Noted in the identity object when this archive gets one. */
  readonly tool?: { readonly name: string; readonly version: string }
  readonly observe?: (event: WalArchiveEvent) => void
}

/** What happened besides the result. */
export type WalArchiveEvent =
  /** A file was stored, durably. `storedName` is the object's name below `wal_005/`. */
  | { readonly type: 'stored'; readonly name: string; readonly storedName: string; readonly storedBytes: number }
  /** The archive held the same bytes under that name before. */
  | { readonly type: 'already-stored'; readonly name: string; readonly storedName: string }
  /** The archive had no identity; now it belongs to this cluster. `evidence` says what the older content was compared with. */
  | {
      readonly type: 'identity-created'
      readonly systemIdentifier: SystemIdentifier
      readonly evidence: 'empty' | 'segment' | 'sentinel' | 'unreadable'
    }
  /** The archive was noted to hold encrypted objects from now on. */
  | { readonly type: 'encryption-noted' }
  /** An unencrypted object is stored beside encrypted ones, because the options allow it. */
  | { readonly type: 'plaintext-among-encrypted' }
  /** A stored object was replaced because the settings ask for WAL-G's overwriting. */
  | { readonly type: 'replaced'; readonly name: string; readonly storedName: string }
  /** A file is missing although it should be there; it is looked for again after `waitMs`. */
  | { readonly type: 'hole-suspected'; readonly name: string; readonly because: string; readonly waitMs: number }
  /** The storage failed and the push is tried again. */
  | { readonly type: 'push-retried'; readonly name: string; readonly attempt: number; readonly error: unknown }
  /** A record that begins in an earlier segment could not be checked, because that segment is not in the archive. */
  | { readonly type: 'first-record-unchecked'; readonly name: string }
