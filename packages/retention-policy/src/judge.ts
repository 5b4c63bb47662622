import type { RetainableBackup } from './backup.ts'
import { nameOf } from './chains.ts'
import type { LogBranch, LogNeed } from './log.ts'
import { startMoments } from './order.ts'
import type { ReasonKind } from './plan.ts'
import type { PolicyContext, RetentionChoice, RetentionPolicy } from './policy.ts'

/** What votes are cast with. */
export interface Ballot extends Omit<PolicyContext, 'kept'> {
  readonly newestFirst: readonly RetainableBackup[]
  /** Complete, and so are all they depend on: what can be restored if its log is there. */
  readonly sound: ReadonlySet<string>
  /** Keeps a backup. The text says the kind when there is none. */
  readonly keep: (id: string, kind: ReasonKind, log?: LogNeed, text?: string) => void
  /** What stays so far, ancestors included. */
  readonly keptIds: () => ReadonlySet<string>
}

/** Keeps what was not chosen, and of what was chosen what nothing may remove or the choice does not say it may. */
export function spareFromChoice(ballot: Ballot, { remove, evenPermanent, evenNewest }: RetentionChoice): void {
  const { newestFirst, keep, now } = ballot
  for (const { id, permanent, state } of newestFirst) {
    if (!remove.has(id)) keep(id, 'not-chosen', state === 'unfinished' ? 'none' : 'onward')
    else if (state === 'being-written') keep(id, state)
    else if (permanent && !evenPermanent) keep(id, 'permanent', 'consistent')
  }
  if (evenNewest) return
  for (const candidates of [newestFirst.filter(({ startedAt = now }) => startedAt <= now), newestFirst])
    keepNewest(ballot, candidates, (id) => remove.has(id))
}

/** Keeps what policies cannot judge, what is protected, and what a policy wants. */
export function askPolicies(ballot: Ballot, policies: readonly RetentionPolicy[], series: string | undefined): void {
  const { newestFirst, keep } = ballot
  const judged = newestFirst.filter(isJudged(ballot))
  const ours = series ?? judged.find(({ series }) => series)?.series
  const isOurs = ({ series }: RetainableBackup): boolean => !series || series === ours
  const group = judged.filter(isOurs)
  for (const backup of judged) if (!isOurs(backup)) keep(backup.id, 'other-series')
  for (const { id, permanent } of newestFirst) if (permanent) keep(id, 'permanent', 'consistent')
  keepNewest(ballot, group, () => true)
  for (const policy of policies.toSorted((a, b) => Number(!!a.asksLast) - Number(!!b.asksLast))) {
    const reasons = policy.reasonsToKeep(group, { ...ballot, kept: ballot.keptIds() })
    const texts = new Map<string, string | undefined>()
    for (const backup of group) if (reasons.has(backup.id)) texts.set(nameOf(backup), reasons.get(backup.id))
    for (const backup of group) if (texts.has(nameOf(backup))) keep(backup.id, 'policy', policy.log, texts.get(nameOf(backup)))
  }
}

/** Whether policies may judge a backup. Keeps it otherwise. */
function isJudged({ now, sound, keep, newestFirst }: Ballot): (backup: RetainableBackup) => boolean {
  const momentOf = startMoments(newestFirst)
  return ({ id, state = 'complete', startedAt = now }) => {
    const problem =
      state !== 'complete'
        ? state
        : startedAt > now
          ? 'from-the-future'
          : !sound.has(id)
            ? 'unknown-parent'
            : momentOf(id) === -Infinity && 'undated'
    if (problem) keep(id, problem, problem === 'unfinished' ? 'none' : 'onward')
    return !problem
  }
}

/**
 * Keeps of these candidates, where they are guarded, the newest that can be restored, with its copies; also the newest that could but for its
 * log, which may still be on its way; and for every branch of the log that grew after the newest one, the newest that leads to its end.
 */
function keepNewest(ballot: Ballot, candidates: readonly RetainableBackup[], isGuarded: (id: string) => boolean): void {
  const able = candidates.filter(({ id }) => ballot.restorable.has(id))
  const [newest] = able
  const keepAll = (kind: ReasonKind, found: RetainableBackup | undefined): void => {
    for (const copy of candidates) if (found && nameOf(copy) === nameOf(found) && isGuarded(copy.id)) ballot.keep(copy.id, kind)
  }
  keepAll('newest', newest)
  const sound = candidates.find(({ id }) => ballot.sound.has(id))
  keepAll('newest', sound)
  for (const branch of ballot.branches) {
    const tip = able.find((backup) => ballot.reaches(backup, branch.id))
    if (tip !== newest && isLive(branch, newest?.finishedAt ?? newest?.startedAt)) keepAll('live-branch', tip)
  }
}

/** Whether a branch grew after a moment, as far as is known. */
export function isLive({ runs }: LogBranch, since: Date | undefined): boolean {
  const last = runs.at(-1)
  return !!last && !(last.lastAt && since && last.lastAt <= since)
}
