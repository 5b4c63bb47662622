/**
 * The part of the log that a backup needs to be consistent: half-open, `from` ≤ position < `to`, on one branch. Whoever stores the log in
 * pieces gives the limits of the pieces. `to` is left out where it is unknown: then everything from `from` on is needed.
 */
export interface LogSpan {
  readonly branch: string
  /** Positions are not negative; what they count is the caller's. */
  readonly from: bigint
  readonly to?: bigint | undefined
}

/** A stretch of the log that is stored without a gap: half-open. */
export interface LogRun {
  readonly from: bigint
  readonly to: bigint
  /** What its pieces occupy in the store. */
  readonly bytes: number
  /** When its newest piece was written. Unknown counts as "just now". */
  readonly lastAt?: Date | undefined
}

/**
 * One branch of the log (PostgreSQL: a timeline). `origin` is `root` for a branch that begins by itself, `unknown` where nothing says
 * where it comes from (it is then kept from the oldest position on that anybody might need), or the branch and position at which it forked off.
 */
export interface LogBranch {
  readonly id: string
  readonly origin: 'root' | 'unknown' | LogFork
  /**
   * What is stored of it, ascending, not overlapping. Cut at every limit of a backup's span and at every fork the sums of bytes are exact,
   * otherwise a run that goes in part is counted in proportion.
   */
  readonly runs: readonly LogRun[]
}

/** Where a branch left its parent. The first piece of the branch may begin before: a copy of what the parent holds there. */
export interface LogFork {
  readonly branch: string
  readonly at: bigint
}

/** A part of the log: half-open, without limit where `from` or `to` is left out. */
export interface LogArea {
  readonly branch: string
  readonly from?: bigint | undefined
  readonly to?: bigint | undefined
}

/** The log as a planner sees it: runs, not pieces. */
export interface RetainableLog {
  readonly branches: readonly LogBranch[]
  /** What may go when nobody needs it. Left out: all of it; empty: nothing. A branch that is not listed in `branches` never goes. */
  readonly removable?: readonly LogArea[] | undefined
}

/** What a kept backup wants of the log: all that follows it (any later moment can be restored), only its own span, or nothing. */
export type LogNeed = 'onward' | 'consistent' | 'none'
