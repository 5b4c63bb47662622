import type { RetainableBackup } from './backup.ts'
import type { LogBranch } from './log.ts'

/** What a policy may look at besides the backups. */
export interface PolicyContext {
  readonly now: Date
  /** Ids of what stays already: protected backups, votes of the policies asked before, and ancestors of those. */
  readonly kept: ReadonlySet<string>
  /** Ids of backups that can be restored: they, their ancestors and the log they need to be consistent are all there. */
  readonly restorable: ReadonlySet<string>
  /** The branches of the log, where there is one. */
  readonly branches: readonly LogBranch[]
  /** Whether recovery that begins with this backup can come to the end of this branch, gaps aside. */
  readonly reaches: (backup: RetainableBackup, branch: string) => boolean
}

/**
 * Says which backups it wants kept, and why. It can only keep: what no policy wants goes, unless the planner protects it. Pure and
 * without a clock: the same arguments give the same votes.
 */
export interface RetentionPolicy {
  /** As `parsePolicies` reads it, `last=7`; for people only where the policy is of one's own. */
  readonly description: string
  /** What the backups it votes for want of the log. Default: `onward`. */
  readonly log?: 'onward' | 'consistent' | undefined
  /** Asked after all policies without this, so that `kept` holds what they want. */
  readonly asksLast?: boolean | undefined
  /**
   * Reasons by id. Sees, newest first, what is judged by policies: complete backups of one series, with known parents, not from
   * the future. A vote for one copy of a backup holds for all of them; ids that were not handed in are ignored.
   */
  readonly reasonsToKeep: (newestFirst: readonly RetainableBackup[], context: PolicyContext) => ReadonlyMap<string, string>
}

/**
 * Instead of policies: exactly these are to go, everything else stays. What the planner protects in every case stays too, and the plan says
 * so (`chosen` and kept): what is being written, ancestors of what stays, permanent backups and the newest restorable one.
 */
export interface RetentionChoice {
  /** Why, by id. */
  readonly remove: ReadonlyMap<string, string>
  /** Permanent backups go as well when chosen. Default: false. */
  readonly evenPermanent?: boolean | undefined
  /** The newest restorable backup goes as well when chosen, and with it what reaches the live ends of the log. Default: false. */
  readonly evenNewest?: boolean | undefined
}
