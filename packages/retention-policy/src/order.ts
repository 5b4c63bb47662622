import type { RetainableBackup } from './backup.ts'

/**
 * Backups by their real start, newest first. One without `startedAt` stands where `storedAt` puts it, yet before those that follow it in the log
 * of its branch. Ties: position in the log, then id. The order does not depend on that of the argument.
 */
export function newestFirst(backups: readonly RetainableBackup[]): readonly RetainableBackup[] {
  const momentOf = startMoments(backups)
  const by = (key: (backup: RetainableBackup) => number | bigint | string) => (a: RetainableBackup, b: RetainableBackup) =>
    compare(key(b), key(a))
  // From the least to the most important: each sort leaves the order of equal ones alone.
  return backups
    .toSorted(by(({ id }) => id))
    .sort(by(positionOf))
    .sort(by(({ id }) => momentOf(id)))
}

/** The moment a backup is ordered by, in milliseconds; -Infinity for one of which nothing says when it began. */
export function startMoments(backups: readonly RetainableBackup[]): (id: string) => number {
  const moments = new Map<string, number>()
  const ceilings = new Map<string, number>()
  for (const { id, log, startedAt, storedAt } of backups.toSorted((a, b) => compare(positionOf(b), positionOf(a)))) {
    const own = (startedAt ?? storedAt)?.getTime() ?? Infinity
    const ceiling = Math.min(own, (log && ceilings.get(log.branch)) ?? own)
    if (log) ceilings.set(log.branch, ceiling)
    const moment = startedAt ? own : ceiling
    moments.set(id, moment === Infinity ? -Infinity : moment)
  }
  return (id) => moments.get(id) as number
}

const positionOf = ({ log }: RetainableBackup): bigint => log?.from ?? -1n

/** Negative, zero or positive, as a sort wants it. */
export const compare = <Value extends number | bigint | string>(a: Value, b: Value): number => (a < b ? -1 : a > b ? 1 : 0)

/** For sorting by where something begins. */
export const byFrom = (a: { readonly from: bigint }, b: { readonly from: bigint }): number => compare(a.from, b.from)
