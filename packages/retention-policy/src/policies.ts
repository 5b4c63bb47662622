import { beforeAge } from './ages.ts'
import type { RetainableBackup } from './backup.ts'
import { nameOf } from './chains.ts'
import { invalidRule } from './invalid-rule.ts'
import { isLive } from './judge.ts'
import type { PolicyContext, RetentionPolicy } from './policy.ts'

/** A policy from what picks, newest first, the backups to keep. The description is the reason. */
export const policyOf = (
  description: string,
  pick: (newestFirst: readonly RetainableBackup[], context: PolicyContext) => readonly RetainableBackup[],
  asksLast = false,
): RetentionPolicy => ({
  description,
  asksLast,
  reasonsToKeep: (newestFirst, context) => new Map(pick(newestFirst, context).map(({ id }) => [id, description])),
})

/** A policy of one's own: keeps what `wants` says. The description is the reason as well; it should not look like a rule. */
export const keepWhere = (description: string, wants: (backup: RetainableBackup, context: PolicyContext) => boolean): RetentionPolicy =>
  policyOf(description, (newestFirst, context) => newestFirst.filter((backup) => wants(backup, context)))

/**
 * Keeps the newest `count` backups. One that cannot be restored because some of its log is missing is kept, and not counted.
 * @throws Fault `invalid` `RETENTION_RULE_INVALID` when `count` is no whole number from 1 on; so do all that take a count.
 */
export const keepLast = (count: number): RetentionPolicy => newest(`last=${checkCount(count)}`, count, () => true)

/** Keeps the newest `count` full backups, counted as `keepLast` does, and every backup since the oldest of these. */
export const keepFulls = (count: number): RetentionPolicy =>
  newest(`fulls=${checkCount(count)}`, count, ({ parent }) => parent === undefined)

const newest = (description: string, count: number, counts: (backup: RetainableBackup) => boolean): RetentionPolicy =>
  policyOf(description, (newestFirst, { restorable }) => {
    const names = new Set<string>()
    return newestFirst.filter((backup) => {
      const isEnough = names.size === count
      if (!isEnough && counts(backup) && restorable.has(backup.id)) names.add(nameOf(backup))
      return !isEnough
    })
  })

/**
 * Keeps at least `count` restorable backups, whatever else goes: when other policies and protections keep fewer, the newest ones more.
 * @throws Fault `invalid` `RETENTION_RULE_INVALID`.
 */
export const keepMinimum = (count: number): RetentionPolicy =>
  policyOf(
    `minimum=${checkCount(count)}`,
    (newestFirst, { kept, restorable }) => {
      const able = newestFirst.filter(({ id }) => restorable.has(id))
      const names = new Set(able.filter(({ id }) => kept.has(id)).map(nameOf))
      return able.filter((backup) => names.size < count && !names.has(nameOf(backup)) && names.add(nameOf(backup)))
    },
    true,
  )

/** Keeps everything. */
export const keepAll = (): RetentionPolicy => policyOf('all', (newestFirst) => newestFirst)

/**
 * Keeps backups that began at most `age` ago: `36h`, `14d`, `2w`, `6m` (months), `1y`, `1m15d`. Months and years are those of the calendar, in
 * UTC; a day has 24 hours.
 * @throws Fault `invalid` `RETENTION_RULE_INVALID` when `age` is no age.
 */
export function keepWithin(age: string): RetentionPolicy {
  beforeAge(age)
  return keepWhere(`within=${age}`, ({ startedAt }, { now }) => (startedAt ?? now) >= beforeAge(age, now))
}

/**
 * Keeps backups that began at a moment or later.
 * @throws Fault `invalid` `RETENTION_RULE_INVALID` when `moment` is none.
 */
export function keepSince(moment: Date): RetentionPolicy {
  if (!(moment.getTime() >= 0)) throw invalidRule('since')
  return keepWhere(`since=${moment.toISOString()}`, ({ startedAt = moment }) => startedAt >= moment)
}

/**
 * Keeps every moment of the last `age` restorable: the backups of that time, and for every branch of the log that grew in it the newest
 * backup finished before it that leads to the end of that branch.
 * @throws Fault `invalid` `RETENTION_RULE_INVALID` when `age` is no age.
 */
export function keepWindow(age: string): RetentionPolicy {
  beforeAge(age)
  return policyOf(`window=${age}`, (newestFirst, { now, branches, reaches, restorable }) => {
    const start = beforeAge(age, now)
    const isBefore = ({ startedAt, finishedAt, storedAt, log }: RetainableBackup): boolean =>
      !!startedAt && (finishedAt ?? storedAt ?? (log ? now : startedAt)) <= start
    const before = newestFirst.filter((backup) => isBefore(backup) && restorable.has(backup.id))
    const live = branches.filter((branch) => isLive(branch, start))
    const bases = [before[0], ...live.map(({ id }) => before.find((backup) => reaches(backup, id)))]
    return newestFirst.filter((backup) => !isBefore(backup) || bases.includes(backup))
  })
}

/**
 * The same votes, but backups kept only by them keep no more of the log than makes them consistent: they can be restored as they were
 * when they were finished, and to no later moment.
 */
export const archive = (policies: readonly RetentionPolicy[]): readonly RetentionPolicy[] =>
  policies.map((policy) => ({
    ...policy,
    description: policy.log === 'consistent' ? policy.description : `archive(${policy.description})`,
    log: 'consistent',
  }))

/** @throws Fault `invalid` `RETENTION_RULE_INVALID` when `count` is no whole number from 1 on. */
export function checkCount(count: number): number {
  if (Number.isSafeInteger(count) && count > 0) return count
  throw invalidRule(count)
}
