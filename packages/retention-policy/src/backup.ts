import type { LogSpan } from './log.ts'

/**
 * How far a backup came. `being-written`: somebody may still be working on it. `unfinished`: what a failed attempt left behind, which
 * nobody can restore. `unreadable`: it says of itself that it is complete, but what it says of itself cannot be read.
 */
export type BackupState = 'complete' | 'being-written' | 'unfinished' | 'unreadable'

/** One backup as a planner sees it. Only `id` is needed; whatever is unknown is left out, and what is unknown is never guessed. */
export interface RetainableBackup {
  /** Unique in the list. */
  readonly id: string
  /** The same for all copies of one backup (in several stores): policies count them once and keep or dismiss them together. Default: `id`. */
  readonly name?: string | undefined
  /** The line of backups it belongs to (PostgreSQL: the system identifier). Unknown counts as belonging to the series that is planned. */
  readonly series?: string | undefined
  readonly startedAt?: Date | undefined
  readonly finishedAt?: Date | undefined
  /** When it was stored, by the store's clock. Used for the order where `startedAt` is unknown, never for an age. */
  readonly storedAt?: Date | undefined
  /** The backup this one is an increment of: its `id`; or its `name`, which then means all its copies. Left out for a full one. */
  readonly parent?: string | undefined
  /** Marked to stay, whatever policies say. */
  readonly permanent?: boolean | undefined
  /** Default: `complete`. */
  readonly state?: BackupState | undefined
  /** What it occupies in the store. */
  readonly bytes?: number | undefined
  /** The part of the log that was written while it was taken, without which it is not consistent. */
  readonly log?: LogSpan | undefined
}
