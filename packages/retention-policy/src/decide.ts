import type { RetainableBackup } from './backup.ts'
import { createLinks, idOf, spread } from './chains.ts'
import { askPolicies, spareFromChoice, type Ballot } from './judge.ts'
import { hasItsLog, type LogMap } from './log-map.ts'
import { newestFirst } from './order.ts'
import type { RetentionDecision, RetentionReason } from './plan.ts'
import type { RetentionOptions } from './plan-retention.ts'
import type { RetentionChoice, RetentionPolicy } from './policy.ts'

/** Decides on every backup, newest first. */
export function decide(
  backups: readonly RetainableBackup[],
  rules: readonly RetentionPolicy[] | RetentionChoice,
  { now, log, series }: RetentionOptions,
  map: LogMap | undefined,
): readonly RetentionDecision[] {
  const [parentsOf, childrenOf] = createLinks(backups)
  const complete = new Set(backups.filter(({ state = 'complete' }) => state === 'complete').map(idOf))
  const fulls = backups.filter(({ id, parent }) => parent === undefined && complete.has(id)).map(idOf)
  const sound = spread(fulls, (id) => childrenOf(id).filter((child) => complete.has(child)))
  const votes = new Map<string, Map<string, RetentionReason>>()
  const ballot: Ballot = {
    now,
    newestFirst: newestFirst(backups),
    sound,
    restorable: new Set(backups.filter((backup) => sound.has(backup.id) && hasItsLog(backup, map)).map(idOf)),
    branches: log?.branches ?? [],
    reaches: (backup, branch) => !!map?.reaches(backup.log, branch),
    keep(id, kind, log = 'onward', text = kind.replaceAll('-', ' ')) {
      votes.set(id, (votes.get(id) ?? new Map<string, RetentionReason>()).set(kind + text + log, { kind, text, log }))
    },
    keptIds() {
      // A map that grows while it is walked is walked to its new end.
      for (const id of votes.keys())
        for (const parent of parentsOf(id)) if (!votes.has(parent)) ballot.keep(parent, 'ancestor', 'consistent', `${id} depends on it`)
      return new Set(votes.keys())
    },
  }
  const choice = 'remove' in rules ? rules.remove : undefined
  if ('remove' in rules) spareFromChoice(ballot, rules)
  else askPolicies(ballot, rules, series)
  ballot.keptIds()
  return ballot.newestFirst.map((backup) => {
    const { id } = backup
    const chosen = choice?.get(id)
    const cast = votes.get(id)
    const otherwise: RetentionReason = { kind: choice ? 'chosen' : 'no-policy', text: chosen ?? 'no policy', log: 'none' }
    const reasons = [...(cast?.values() ?? [otherwise])]
    const need = (['onward', 'consistent'] as const).find((need) => reasons.some(({ log }) => log === need)) ?? 'none'
    return { backup, keep: !!cast, reasons, log: need, chosen: chosen !== undefined, restorable: ballot.restorable.has(id) }
  })
}
