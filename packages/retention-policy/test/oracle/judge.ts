/** What a retention must not do, said by definition and as simply as possible: by trying every point, piece by piece. */
import type { RetainableBackup } from '../../src/index.ts'
import type { Piece, Repository } from './repository.ts'

/** What is there: before a plan or after it. */
export interface State {
  readonly backups: readonly RetainableBackup[]
  readonly pieces: readonly Piece[]
}

/** A position of a branch that can be restored beginning with a backup. */
export interface Point {
  readonly backup: string
  readonly branch: string
  readonly at: number
}

export const nameOf = ({ id, name }: RetainableBackup): string => name ?? id

/** The backups that this one names as its parent. */
export function parentsOf(backup: RetainableBackup, backups: readonly RetainableBackup[]): readonly RetainableBackup[] {
  const byId = backups.filter(({ id }) => id === backup.parent)
  return byId.length > 0 ? byId : backups.filter((other) => nameOf(other) === backup.parent)
}

/** Whether it is complete and one whole chain of ancestors is. */
export function isWhole(backup: RetainableBackup, backups: readonly RetainableBackup[], seen: readonly string[] = []): boolean {
  if ((backup.state ?? 'complete') !== 'complete' || seen.includes(backup.id)) return false
  return backup.parent === undefined || parentsOf(backup, backups).some((parent) => isWhole(parent, backups, [...seen, backup.id]))
}

type Branches = Repository['branches']

/** Whether the log at `at`, on the way to the end of `branch`, is there: on the branch, or before its fork on what it came from. */
function hasPiece(branch: string, at: number, branches: Branches, stored: ReadonlySet<string>): boolean {
  if (stored.has(`${branch}:${at}`)) return true
  const origin = branches.find(({ id }) => id === branch)?.origin
  return typeof origin === 'object' && at < Number(origin.at) && hasPiece(origin.branch, at, branches, stored)
}

/** The end of what `branch` shares with `other`, one it descends from or itself; undefined when it does not descend from it. */
export function sharedEnd(branch: string, other: string, branches: Branches): number | undefined {
  if (branch === other) return Infinity
  const origin = branches.find(({ id }) => id === branch)?.origin
  if (typeof origin !== 'object') return undefined
  const above = sharedEnd(origin.branch, other, branches)
  return above === undefined ? undefined : Math.min(above, Number(origin.at))
}

/** Whether recovery that begins with the backup comes to the end of the branch, gaps aside. */
export function leadsTo({ log }: RetainableBackup, branch: string, branches: Branches): boolean {
  if (log === undefined) return false
  const end = sharedEnd(branch, log.branch, branches)
  return end !== undefined && end >= Number(log.to ?? log.from)
}

/** Every point that can be restored. */
export function restorablePoints({ backups, pieces }: State, branches: Branches): readonly Point[] {
  const stored = new Set(pieces.map(({ branch, at }) => `${branch}:${at}`))
  const highest = Math.max(0, ...pieces.map(({ at }) => at + 1), ...backups.map(({ log }) => Number(log?.to ?? log?.from ?? 0)))
  const points: Point[] = []
  for (const backup of backups) {
    const { id, log } = backup
    if (log === undefined || !isWhole(backup, backups)) continue
    const consistent = Number(log.to ?? log.from)
    for (const { id: branch, origin } of branches) {
      if (!leadsTo(backup, branch, branches)) continue
      // What lies before the fork of a branch belongs to the one it came from.
      const first = branch === log.branch ? consistent : Number((origin as { at: bigint }).at) + 1
      for (let at = Number(log.from); at <= highest; at++) {
        if (at >= first) points.push({ backup: id, branch, at })
        if (!hasPiece(branch, at, branches, stored)) break
      }
    }
  }
  return points
}

/**
 * Whether a backup can be restored as it is: it is whole, and the log up to where it is consistent is there, on its branch or where another
 * one, to which it leads, holds a copy of it.
 */
export function isRestorable(backup: RetainableBackup, { backups, pieces }: State, branches: Branches): boolean {
  if (!isWhole(backup, backups)) return false
  if (backup.log === undefined) return true
  const { from, to = from } = backup.log
  const stored = new Set(pieces.map(({ branch, at }) => `${branch}:${at}`))
  const span = Array.from({ length: Number(to - from) }, (_, index) => Number(from) + index)
  return branches.some(({ id }) => leadsTo(backup, id, branches) && span.every((at) => hasPiece(id, at, branches, stored)))
}
