import type { TimelineId } from '@waltz/pg-structures'
import { endOfSegments, positionOfName } from '@waltz/repository/removal'
import type { BranchPlan, LogArea } from '@waltz/retention-policy'
import { branchOf } from './retainable-backups.ts'
import type { CatchupBackup } from './survey-storage.ts'
import type { WalClass } from './wal-sum.ts'

/** Which WAL may go as far as nobody needs it. */
export interface WalScope {
  /** All, or what stands before this name of a segment; timelines with lower numbers as a whole. */
  readonly before: string
  /** Only what was stored by then, in milliseconds; undefined for whatever is there. */
  readonly untilMs: number | undefined
}

const timelineOf = (name: string): number => Number.parseInt(name.slice(0, 8), 16)

/** The same for the planner, which knows no times. */
export function areasOf(scopes: readonly WalScope[], timelines: readonly TimelineId[]): readonly LogArea[] {
  return scopes.flatMap(({ before }) =>
    timelines.flatMap((timeline): readonly LogArea[] => {
      if (before === 'all' || timeline < timelineOf(before)) return [{ branch: branchOf(timeline) }]
      return timeline === timelineOf(before) ? [{ branch: branchOf(timeline), to: positionOfName(before) }] : []
    }),
  )
}

/** Whether an object of `wal_005/` goes: it lies in the scope as a whole, and no kept backup needs any segment that it belongs to. */
export function createWalRule(
  scopes: readonly WalScope[],
  branches: readonly BranchPlan[],
  segmentBytes: number | undefined,
): (wal: WalClass, modifiedMs: number) => boolean {
  const needed = new Map(branches.map((branch) => [branch.branch, branch.needed]))
  return ({ timeline, first, segments }, modifiedMs) => {
    const ranges = needed.get(branchOf(timeline))
    if (ranges === undefined) return false
    const end = endOfSegments(first, segments, segmentBytes)
    const inScope = scopes.some(
      ({ before, untilMs }) => (untilMs === undefined || modifiedMs <= untilMs) && isBefore({ timeline, end }, before),
    )
    return inScope && !ranges.some(({ from, to }) => from < end && (to === undefined || to > first))
  }
}

function isBefore({ timeline, end }: { readonly timeline: TimelineId; readonly end: bigint }, before: string): boolean {
  if (before === 'all' || timeline < timelineOf(before)) return true
  return timeline === timelineOf(before) && end <= positionOfName(before)
}

/** A backup for standbys that goes: it began before the WAL that stays, so nothing can bring it up to date. */
export function isOldCatchup({ walFileName }: Pick<CatchupBackup, 'walFileName'>, before: string | undefined): boolean {
  return before !== undefined && (before === 'all' || walFileName < before)
}
