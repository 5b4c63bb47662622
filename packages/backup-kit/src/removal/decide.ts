import {
  newestFirst,
  planRetention,
  type RetainableBackup,
  type RetentionDecision,
  type RetentionPlan,
  type RetentionPolicy,
} from '@waltz/retention-policy'
import type { CatalogueEntry } from '../catalogue/catalogue-entry.ts'
import { choiceContext, pinnedEntries, type Choice, type ChoiceContext } from './choose.ts'
import { chooseBefore, chooseRetain } from './choose-mark.ts'
import { chooseEverything, chooseGarbage, chooseTarget } from './choose-objects.ts'
import { condemnedNames, isCondemned, scopesOfIntents } from './condemned.ts'
import type { PlanRemovalOptions, RemovalWish } from './removal-request.ts'
import { areasOf, createWalRule, walMayBeNeededElsewhere, keepAllWal, type WalRule, type WalScope } from './removal-scope.ts'
import { branchesOf, hasSegment, idOf, retainable } from './retainable-backups.ts'
import type { RepositorySurvey } from './survey-repository.ts'

/** What was decided, before single objects are looked at. */
export interface Decided {
  readonly choice: Choice
  readonly plan: RetentionPlan
  readonly arrivedLater: ReadonlySet<CatalogueEntry>
  readonly byId: ReadonlyMap<string, CatalogueEntry>
  readonly scopes: readonly WalScope[]
  /** No WAL goes, for the sake of storages that are left out. */
  readonly keepsWal: boolean
  readonly walRule: WalRule
  /** Nothing that belongs to a backup stays, in any storage. */
  readonly nothingStays: boolean
}

/** Chooses what a wish means, and lets the planner decide what of it may go. @throws Fault of the wish, see `BackupKit.planRemoval`. */
export function decide(
  survey: RepositorySurvey,
  options: PlanRemovalOptions,
  { now, until }: { readonly now: Date; readonly until: Date | undefined },
): Decided {
  const { wish } = options
  const condemned = condemnedNames(survey)
  const { entries, retainables, arrivedLater, byId } = present(survey, {
    until,
    abandoned: (entry) => isCondemned(entry, condemned) || isForced(entry, wish),
  })
  const context = choiceContext(entries, { now, arrivedLater, byStartTime: options.byStartTime === true })
  const keepsWal = walMayBeNeededElsewhere(survey.leftOut, wish)
  const wanted = chosen(wish, context)
  const choice: Choice = keepsWal ? { ...wanted, walBefore: undefined, wholeRepository: false } : wanted
  const remove = new Map(choice.remove)
  for (const entry of entries)
    if (isCondemned(entry, condemned)) remove.set(idOf(entry), 'a deletion that did not end removed its sentinel')
  const scopes: readonly WalScope[] = keepsWal
    ? []
    : [...(choice.walBefore === undefined ? [] : [{ before: choice.walBefore, untilMs: until?.getTime() }]), ...scopesOfIntents(survey)]
  const plan = planBackups(survey, retainables, { wish, scopes, choice: { ...choice, remove }, context })
  const held = plan.findings.some(({ kind }) => kind === 'log-held')
  const walRule = held ? keepAllWal : createWalRule(scopes, plan.log, survey.sizes.common)
  return { choice, plan, arrivedLater, byId, scopes, keepsWal, walRule, nothingStays: plan.keep.length === 0 }
}

interface Present {
  /** By real start, newest first. */
  readonly entries: readonly CatalogueEntry[]
  readonly retainables: readonly RetainableBackup[]
  readonly arrivedLater: ReadonlySet<CatalogueEntry>
  readonly byId: ReadonlyMap<string, CatalogueEntry>
}

function present(
  { catalogue, sizes }: RepositorySurvey,
  { until, abandoned }: { readonly until: Date | undefined; readonly abandoned: (entry: CatalogueEntry) => boolean },
): Present {
  // Other databases' backups have names without a segment; they need no WAL, and nobody asks for them.
  const asItIs = catalogue.entries
    .filter(hasSegment)
    .map((entry): CatalogueEntry => (abandoned(entry) ? { ...entry, status: 'unfinished' } : entry))
  const arrivedLater = new Set(until === undefined ? [] : asItIs.filter((entry) => arrivedAt(entry) > until))
  // What came after the plan is not judged by it, and protected as if it were still coming.
  const retainables = asItIs.map((entry) => ({
    ...retainable(entry, sizes),
    ...(arrivedLater.has(entry) && { state: 'being-written' as const }),
  }))
  const byId = new Map(asItIs.map((entry) => [idOf(entry), entry]))
  return { entries: newestFirst(retainables).flatMap(({ id }) => byId.get(id) ?? []), retainables, arrivedLater, byId }
}

function arrivedAt({ sentinel, folder }: CatalogueEntry): Date {
  return sentinel?.modifiedAt ?? folder?.newestAt ?? new Date(0)
}

/** `everything FORCE` waits for nobody but those who hold a lease. */
function isForced(entry: CatalogueEntry, wish: RemovalWish): boolean {
  return wish.mode === 'everything' && wish.force === true && entry.status === 'being-written' && entry.leaseObject === undefined
}

function chosen(wish: RemovalWish, context: ChoiceContext): Choice {
  if (wish.mode === 'retain') return chooseRetain(context, wish)
  if (wish.mode === 'before') return chooseBefore(context, wish)
  if (wish.mode === 'everything') return chooseEverything(context, wish)
  if (wish.mode === 'target') return chooseTarget(context, wish)
  if (wish.mode === 'garbage') return chooseGarbage(context, wish)
  return { remove: new Map(), walBefore: 'all', catchupsBefore: undefined, notes: [] }
}

interface Question {
  readonly wish: RemovalWish
  readonly scopes: readonly WalScope[]
  readonly choice: Choice
  readonly context: ChoiceContext
}

function planBackups(
  survey: RepositorySurvey,
  retainables: readonly RetainableBackup[],
  { wish, scopes, choice, context }: Question,
): RetentionPlan {
  const { now } = context
  const branches = branchesOf(survey.timelines, survey.histories, survey.sizes.common)
  if (wish.mode === 'policies') {
    // Policies judge backups; what an interrupted deletion left is none, and goes whatever they say.
    const judged = retainables.filter(({ id }) => !choice.remove.has(id))
    const log = choice.walBefore === undefined ? { branches, removable: [] } : { branches }
    const policies = wish.policies.length === 0 ? [] : [...wish.policies, keepPinned(context)]
    return withLeftovers(planRetention(judged, policies, { now, log, series: wish.series }), retainables, choice.remove)
  }
  const removable = areasOf(
    scopes,
    survey.timelines.map(({ timeline }) => timeline),
  )
  const { remove, evenPermanent, evenNewest } = choice
  return planRetention(retainables, { remove, evenPermanent, evenNewest }, { now, log: { branches, removable } })
}

/** A running increment does not say what it is made from; its name does, as far as the segment. */
function keepPinned(context: ChoiceContext): RetentionPolicy {
  const reasons = new Map(pinnedEntries(context).map(({ entry, by }) => [idOf(entry), `${idOf(by)}, which may depend on it`]))
  return { description: 'what unfinished backups may depend on', log: 'consistent', reasonsToKeep: () => reasons }
}

function withLeftovers(plan: RetentionPlan, backups: readonly RetainableBackup[], left: Choice['remove']): RetentionPlan {
  const gone = backups.flatMap((backup): readonly RetentionDecision[] => {
    const text = left.get(backup.id)
    if (text === undefined) return []
    return [{ backup, keep: false, reasons: [{ kind: 'chosen', text, log: 'none' }], log: 'none', chosen: true, restorable: false }]
  })
  const bytes = gone.reduce((sum, { backup }) => sum + (backup.bytes ?? 0), plan.bytesFreed.backups)
  return {
    ...plan,
    decisions: [...plan.decisions, ...gone],
    remove: [...plan.remove, ...gone],
    bytesFreed: { ...plan.bytesFreed, backups: bytes },
  }
}
