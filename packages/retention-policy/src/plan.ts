import type { RetainableBackup } from './backup.ts'
import type { LogNeed } from './log.ts'

/**
 * Why a backup stays (`policy`: one wants it; `not-chosen`: the choice leaves it alone; the others are protections) or goes
 * (`no-policy`, `chosen`).
 */
export type ReasonKind =
  | 'policy'
  | 'not-chosen'
  | 'permanent'
  | 'ancestor'
  | 'newest'
  | 'live-branch'
  | 'being-written'
  | 'unfinished'
  | 'unreadable'
  | 'unknown-parent'
  | 'other-series'
  | 'from-the-future'
  | 'undated'
  | 'no-policy'
  | 'chosen'

/** One reason, for programs and for people. */
export interface RetentionReason {
  readonly kind: ReasonKind
  readonly text: string
  /** What it asks of the log. The strongest wish of all reasons counts. */
  readonly log: LogNeed
}

/** What happens to one backup, and why. */
export interface RetentionDecision {
  readonly backup: RetainableBackup
  readonly keep: boolean
  /** At least one. */
  readonly reasons: readonly RetentionReason[]
  /** What it wants of the log; `none` when it goes. */
  readonly log: LogNeed
  /** Whether a `RetentionChoice` named it. Kept all the same: a protection stood in the way, see `reasons`. */
  readonly chosen: boolean
  /** Whether it can be restored now: complete, with all ancestors, and the log it needs to be consistent is there. */
  readonly restorable: boolean
}

/** A stretch of the log that is needed: half-open, to the end and whatever comes where `to` is left out. */
export interface LogRequirement {
  readonly from: bigint
  readonly to?: bigint | undefined
  /** The backup that needs it; undefined where the log is held for another reason, which the findings say. */
  readonly backup: string | undefined
}

/** What happens to one branch of the log. */
export interface BranchPlan {
  readonly branch: string
  /** Who needs what, by `from`; these overlap. On a branch reached from others only the first that needs all of it is named. */
  readonly requirements: readonly LogRequirement[]
  /** All that is needed: ascending, with space between them. */
  readonly needed: readonly { readonly from: bigint; readonly to?: bigint | undefined }[]
  /** What goes: ascending, with space between them, within what is stored. A piece goes when it lies in one of these as a whole. */
  readonly removable: readonly { readonly from: bigint; readonly to: bigint }[]
  readonly bytesFreed: number
}

/** Positions that can be restored, one after the other without a gap. Both ends are reachable: a window of one point has equal ends. */
export interface RestorableWindow {
  /** The branch the positions lie on; undefined, like these, for a backup without log. */
  readonly branch: string | undefined
  readonly from: bigint | undefined
  readonly to: bigint | undefined
  /** The backup with which the recovery to `from` begins. */
  readonly backup: string
  readonly series: string | undefined
  /** When that backup was finished: no earlier moment can be restored in this window. */
  readonly fromMoment: Date | undefined
  /** When the newest piece of the log in it was written, or the backup itself where it is one point. */
  readonly toMoment: Date | undefined
}

/** All that a retention does, with its reasons. A value: it can be kept, compared and shown. */
export interface RetentionPlan {
  readonly now: Date
  /** Every backup exactly once, newest first. */
  readonly decisions: readonly RetentionDecision[]
  readonly keep: readonly RetentionDecision[]
  readonly remove: readonly RetentionDecision[]
  /** Every branch of the log exactly once, in the order given. */
  readonly log: readonly BranchPlan[]
  readonly windowsBefore: readonly RestorableWindow[]
  readonly windowsAfter: readonly RestorableWindow[]
  readonly bytesFreed: { readonly backups: number; readonly log: number }
  /** What somebody should look at: protections that policies ran into, and what is odd. One sentence each. */
  readonly findings: readonly RetentionFinding[]
}

/** Something that was left alone or could not be judged. */
export interface RetentionFinding {
  readonly kind: ReasonKind | 'log-held'
  readonly backup: string | undefined
  readonly text: string
}
