import { newestFirst, planRetention, type RetainableBackup, type RetentionPlan } from '@waltz/retention-policy'
import type { CatalogueEntry } from '../catalogue/catalogue-entry.ts'
import { choiceContext, type Choice, type ChoiceContext } from './choose.ts'
import { chooseBefore, chooseRetain } from './choose-mark.ts'
import { chooseEverything, chooseGarbage, chooseTarget } from './choose-objects.ts'
import { condemnedNames, isCondemned, scopesOfIntents } from './condemned.ts'
import type { PlanRemovalOptions, RemovalWish } from './removal-request.ts'
import { areasOf, createWalRule, type WalScope } from './removal-scope.ts'
import { branchesOf, hasSegment, idOf, retainable } from './retainable-backups.ts'
import type { RepositorySurvey } from './survey-repository.ts'

/** What was decided, before single objects are looked at. */
export interface Decided {
  readonly choice: Choice
  readonly plan: RetentionPlan
  readonly arrivedLater: ReadonlySet<CatalogueEntry>
  readonly byId: ReadonlyMap<string, CatalogueEntry>
  readonly scopes: readonly WalScope[]
  readonly walGoes: ReturnType<typeof createWalRule>
  /** Nothing that belongs to a backup stays, in any storage. */
  readonly nothingStays: boolean
}

/** Chooses what a wish means, and lets the planner decide what of it may go. @throws Fault of the wish, see `BackupKit.planRemoval`. */
export function decide(survey: RepositorySurvey, options: PlanRemovalOptions, now: Date): Decided {
  const until = options.planId === undefined ? undefined : now
  const { wish } = options
  const condemned = condemnedNames(survey)
  const { entries, retainables, arrivedLater, byId } = present(survey, {
    until,
    abandoned: (entry) => isCondemned(entry, condemned) || isForced(entry, wish),
  })
  const choice = chosen(wish, choiceContext(entries, { now, arrivedLater, byStartTime: options.byStartTime === true }))
  const remove = new Map(choice.remove)
  for (const entry of entries)
    if (isCondemned(entry, condemned)) remove.set(idOf(entry), 'a deletion that did not end removed its sentinel')
  const scopes: readonly WalScope[] = [
    ...(choice.walBefore === undefined ? [] : [{ before: choice.walBefore, untilMs: until?.getTime() }]),
    ...scopesOfIntents(survey),
  ]
  const plan = planBackups(survey, retainables, { wish, scopes, choice: { ...choice, remove }, now })
  const held = plan.findings.some(({ kind }) => kind === 'log-held')
  const walGoes = held ? () => false : createWalRule(scopes, plan.log, survey.sizes.common)
  return { choice, plan, arrivedLater, byId, scopes, walGoes, nothingStays: plan.keep.length === 0 }
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
  readonly now: Date
}

function planBackups(
  survey: RepositorySurvey,
  retainables: readonly RetainableBackup[],
  { wish, scopes, choice, now }: Question,
): RetentionPlan {
  const branches = branchesOf(survey.timelines, survey.histories, survey.sizes.common)
  if (wish.mode === 'policies') return planRetention(retainables, wish.policies, { now, log: { branches }, series: wish.series })
  const removable = areasOf(
    scopes,
    survey.timelines.map(({ timeline }) => timeline),
  )
  const { remove, evenPermanent, evenNewest } = choice
  return planRetention(retainables, { remove, evenPermanent, evenNewest }, { now, log: { branches, removable } })
}
