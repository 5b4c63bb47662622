import type { RetainableBackup } from './backup.ts'
import { checkInput } from './check-input.ts'
import { decide } from './decide.ts'
import type { RetainableLog } from './log.ts'
import { invalidRule } from './invalid-rule.ts'
import { createLogMap } from './log-map.ts'
import { planLog, sumOf } from './plan-log.ts'
import type { RetentionDecision, RetentionFinding, RetentionPlan } from './plan.ts'
import type { RetentionChoice, RetentionPolicy } from './policy.ts'
import { mergeRanges, subtractRanges, type Range } from './ranges.ts'
import { restorableWindows } from './windows.ts'

/** What a plan depends on besides backups and rules. */
export interface RetentionOptions {
  readonly now: Date
  /** Left out where there is none, or none is known: every complete backup can then be restored by itself. */
  readonly log?: RetainableLog | undefined
  /**
   * The series that policies judge. Default: the one of the newest complete backup. Backups of others are never removed by policy. A choice
   * names what it wants, whatever the series.
   */
  readonly series?: string | undefined
}

/** Reasons that nobody needs to look at; the others become findings. */
const EXPECTED = 'policy permanent ancestor newest live-branch not-chosen'

/**
 * Says which backups stay and which go, what of the log goes with them, why, and what can be restored before and after. Policies keep what
 * any of them wants; a choice removes what it names. Whatever either says, these stay: ancestors of what stays, and what is being written;
 * permanent backups, the newest restorable backup, and for every branch of the log that grew since, the newest one that reaches it (the last
 * three unless a choice says otherwise). Policies moreover never remove what they cannot judge: unfinished and unreadable backups, those
 * from the future, of another series, with unknown parents, or of which nothing says when they began.
 * @throws Fault `invalid` `RETENTION_INPUT_INVALID` for a list that contradicts itself, `RETENTION_RULE_INVALID` for no policy at all.
 */
export function planRetention(
  backups: readonly RetainableBackup[],
  rules: readonly RetentionPolicy[] | RetentionChoice,
  options: RetentionOptions,
): RetentionPlan {
  const { now, log } = options
  const isChoice = 'remove' in rules
  if (!isChoice && rules.length === 0) throw invalidRule('')
  checkInput(backups, options)
  const branches = log?.branches ?? []
  const stored = new Map(branches.map(({ id, runs }) => [id, mergeRanges(runs)]))
  const map = log && createLogMap(branches, stored)
  const decisions = decide(backups, rules, options, map)
  const keep = decisions.filter(({ keep }) => keep)
  const remove = decisions.filter(({ keep }) => !keep)
  const held = whyHeld(keep, isChoice)
  const plans = map ? planLog({ ...log, branches }, map, keep, !!held) : []
  const left = new Map(plans.map(({ branch, removable }) => [branch, subtractRanges(stored.get(branch) as readonly Range[], removable)]))
  return {
    now,
    decisions,
    keep,
    remove,
    log: plans,
    windowsBefore: restorableWindows(decisions, map, branches),
    windowsAfter: restorableWindows(keep, log && createLogMap(branches, left), branches),
    bytesFreed: { backups: sumOf(remove.map(({ backup }) => backup.bytes ?? 0)), log: sumOf(plans.map(({ bytesFreed }) => bytesFreed)) },
    findings: [...keep.flatMap(findingsOf), ...(held && branches[0] ? [held] : [])],
  }
}

function findingsOf({ backup: { id }, chosen, reasons }: RetentionDecision): readonly RetentionFinding[] {
  const unexpected = reasons.filter(({ kind }) => chosen || !EXPECTED.includes(kind))
  return unexpected.map(({ kind, text }) => ({ kind, text, backup: id }))
}

/** Why all of the log stays, if it does. */
function whyHeld(keep: readonly RetentionDecision[], isChoice: boolean): RetentionFinding | undefined {
  const kind = 'log-held'
  const unclear = keep.find(({ backup, log }) => !backup.log && log !== 'none')?.backup.id
  if (unclear !== undefined) return { kind, backup: unclear, text: `unknown is what ${unclear} needs` }
  return isChoice || keep.some(({ log }) => log === 'onward') ? undefined : { kind, backup: undefined, text: 'no backup uses it' }
}
