import type { TimelineId } from '@waltz/pg-structures'
import { endOfSegments, positionOf, positionOfName } from '@waltz/repository/removal'
import type { BranchPlan, LogArea } from '@waltz/retention-policy'
import type { RemovalWish } from './removal-request.ts'
import { branchOf } from './retainable-backups.ts'
import type { CatchupBackup } from './survey-storage.ts'
import type { WalSection } from './wal-sections.ts'
import type { WalClass } from './wal-sum.ts'

/** Which WAL may go as far as nobody needs it. */
export interface WalScope {
  /** All, or what stands before this name of a segment; timelines with lower numbers as a whole. */
  readonly before: string
  /** Only what was stored by then, in milliseconds; undefined for whatever is there. */
  readonly untilMs: number | undefined
}

/**
 * Whether all WAL stays: backups in storages that are left out may need it, and nobody looks at them. Only `everything FORCE` is told what
 * is wanted regardless.
 */
export function walMayBeNeededElsewhere(leftOut: readonly string[], wish: RemovalWish): boolean {
  return leftOut.length > 0 && !(wish.mode === 'everything' && wish.force === true)
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

/** What becomes of WAL. */
export interface WalRule {
  /** Whether an object of `wal_005/` goes: it lies in the scope as a whole, and no kept backup needs any segment that it belongs to. */
  goes(wal: WalClass, modifiedMs: number): boolean
  /** The same of all objects of a section where that is the same for all of them; `some` where each has to be looked at. */
  ofSection(section: WalSection): 'all' | 'none' | 'some'
}

/** Nothing goes. */
export const keepAllWal: WalRule = { goes: () => false, ofSection: () => 'none' }

/** The rule for what is in a scope and nobody needs. */
export function createWalRule(scopes: readonly WalScope[], branches: readonly BranchPlan[], segmentBytes: number | undefined): WalRule {
  const needed = new Map(branches.map((branch) => [branch.branch, branch.needed]))
  return {
    goes({ timeline, high, low, segments }, modifiedMs) {
      const first = positionOf({ high, low })
      const ranges = needed.get(branchOf(timeline))
      if (ranges === undefined) return false
      const end = endOfSegments(first, segments, segmentBytes)
      const inScope = scopes.some(
        ({ before, untilMs }) => (untilMs === undefined || modifiedMs <= untilMs) && isBefore({ timeline, end }, before),
      )
      return inScope && !ranges.some(({ from, to }) => from < end && (to === undefined || to > first))
    },
    ofSection({ timeline, first, last, newestMs, isOdd }) {
      const ranges = needed.get(branchOf(timeline))
      if (ranges === undefined) return 'none'
      if (isOdd) return 'some'
      // What is put down beside WAL belongs to as many as this.
      const end = endOfSegments(last, 16, segmentBytes)
      if (ranges.some(({ from, to }) => from <= first && (to === undefined || to >= end))) return 'none'
      // A scope that takes nothing of it whatever its age, because it ends before its first object does.
      const mayGo = scopes.some(({ before }) => isBefore({ timeline, end: endOfSegments(first, 1, segmentBytes) }, before))
      if (!mayGo) return 'none'
      const isWhole = scopes.some(
        ({ before, untilMs }) => (untilMs === undefined || newestMs <= untilMs) && isBefore({ timeline, end }, before),
      )
      return isWhole && !ranges.some(({ from, to }) => from < end && (to === undefined || to > first)) ? 'all' : 'some'
    },
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
