import type { Fault } from '@waltz/errors'
import type { BackupSelector, SealedFormat, ToolIdentity } from '@waltz/repository'
import type { Amount } from '@waltz/repository/rotation'
import type { ObjectStore } from '@waltz/storage'
import type { WalArchiveEvent } from '@waltz/wal-archive'

/** One end of a copy. */
export interface CopySide {
  /** Rooted where `basebackups_005/` and `wal_005/` lie. */
  readonly store: ObjectStore
  /** How its objects are opened, and new ones of it sealed. */
  readonly format: SealedFormat
}

/** What is copied from where to where, and what becomes of it on the way. */
export interface CopyOptions {
  readonly from: CopySide
  readonly to: CopySide
  /** One backup, with the ancestors that it needs; all of them unless given. */
  readonly backup?: BackupSelector | undefined
  /** All WAL from the first segment of the oldest chosen backup on; otherwise only what each backup needs to become consistent. */
  readonly withHistory?: boolean
  /** Encrypts with the target's key instead of keeping the source's. */
  readonly reencrypt?: boolean
  /** Compresses with the target's codec instead of keeping the source's. */
  readonly recompress?: boolean
  /** Encrypted objects may be stored as they are in the target, when `reencrypt` finds no key there. `refuse` unless given. */
  readonly plaintext?: 'refuse' | 'allow'
  /**
   * `content` (unless given): what is there already counts when its bytes are the same, and what was stored is read back, except where
   * the storage itself vouches for the MD5. `size`: equal sizes are enough, as for WAL-G.
   */
  readonly compare?: 'content' | 'size'
  /** Also reads what belongs to backups that the target announces already; otherwise their sizes are enough. */
  readonly recheck?: boolean
  /** What happens when WAL that a chosen backup needs (or, with history, a later segment) is not in the source. `refuse` unless given. */
  readonly missingWal?: 'refuse' | 'report'
  /** What happens when source and target hold different clusters. `refuse` unless given. */
  readonly otherCluster?: 'refuse' | 'allow'
  /** Size of WAL segments, where it is known; otherwise found from the names of backups. */
  readonly segmentBytes?: number | undefined
  /** Copies one object inside the storage that both sides are, without its bytes coming here. For bytes that stay as they are. */
  readonly copyInside?: ((key: string, signal?: AbortSignal) => Promise<void>) | undefined
  /** Objects that are worked on together, each a stream; 4 unless given. */
  readonly objectsAtOnce?: number
  /** Finds out what would be done; stores nothing. */
  readonly dryRun?: boolean
  /** How long what has no sentinel counts as being written after its newest object, in milliseconds; 24 hours unless given. */
  readonly writtenWithinMs?: number
  /** Noted in the record of the cluster when the target gets one. */
  readonly tool?: ToolIdentity
  readonly now: () => Date
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>
  readonly observe?: ((event: CopyEvent) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** What became of an object: `present` was there already, `inside` was copied by the storage itself. */
export type CopyOutcome = 'sent' | 'inside' | 'present'

/** Why something of the source is not in the target. */
export type LeftReason =
  /** It has no sentinel, and something of it is young or a lease is held: it is being made. */
  | 'being-written'
  /** It has no sentinel, and has had none for long. */
  | 'unfinished'
  /** Its sentinel cannot be read. */
  | 'sentinel-unreadable'
  /** A backup that it is an increment of is not there. */
  | 'lost-parent'
  /** A backup that it is an increment of could not be copied. */
  | 'parent-failed'

/** Segments that are not in the source, both ends included. */
export interface MissingWal {
  readonly first: string
  readonly last: string
  readonly segments: number
}

/** What a copy tells while it works. */
export type CopyEvent =
  /** Before the first byte: how many backups there are to copy, in which order, and how much they hold by their sentinels. */
  | { readonly type: 'planned'; readonly backups: readonly string[]; readonly bytes: number }
  | { readonly type: 'object'; readonly key: string; readonly outcome: CopyOutcome; readonly bytes: number }
  /** A backup is announced in the target now, or was before. */
  | { readonly type: 'backup'; readonly name: string; readonly outcome: 'copied' | 'present' }
  | { readonly type: 'left'; readonly name: string; readonly reason: LeftReason; readonly why?: string }
  | { readonly type: 'failed'; readonly name: string; readonly key: string; readonly fault: Fault }
  | { readonly type: 'warning'; readonly message: string }
  | { readonly type: 'archive'; readonly event: WalArchiveEvent }

/** One backup that was copied, or was there. */
export interface CopiedBackup {
  readonly name: string
  readonly outcome: 'copied' | 'present' | 'failed'
  /** What was sent or copied inside; with `dryRun` what would be. */
  readonly sent: Amount
  /** What was there already. */
  readonly present: Amount
  /** The permanent mark differs, and nothing else of `metadata.json`: the target's stays. */
  readonly marks?: MarksApart
}

/** Whether a backup is marked as permanent on either side of a copy. */
export interface MarksApart {
  readonly source: boolean
  readonly target: boolean
}

/** What could not be copied, and why. Nothing of it is announced in the target. */
export interface CopyFailure {
  /** Of the backup. */
  readonly name: string
  readonly key: string
  readonly fault: Fault
}

/** What a copy came to. */
export interface CopyResult {
  readonly dryRun: boolean
  /** In the order in which they were announced. */
  readonly backups: readonly CopiedBackup[]
  readonly left: readonly { readonly name: string; readonly reason: LeftReason; readonly why?: string }[]
  readonly failures: readonly CopyFailure[]
  readonly wal: { readonly sent: Amount; readonly present: Amount }
  /** With `missingWal: 'report'`; the first hundred runs. */
  readonly missingWal: readonly MissingWal[]
  readonly warnings: readonly string[]
}
