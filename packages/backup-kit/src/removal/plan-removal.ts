import { createHash, type Hash } from 'node:crypto'
import { Fault } from '@waltz/errors'
import type { TimelineHistory, TimelineId } from '@waltz/pg-structures'
import type { Sleep } from '@waltz/storage'
import type { KitSurroundings } from '../surroundings.ts'
import { collectObjects, type CollectedObjects } from './collect-objects.ts'
import { decide, type Decided } from './decide.ts'
import { createSpoolFolder } from './object-spool.ts'
import type { RemovalDecision, RemovalNote, RemovalPlan } from './removal-plan.ts'
import { formatPlanId, momentOfPlanId, type PlanRemovalOptions } from './removal-request.ts'
import type { WalScope } from './removal-scope.ts'
import type { RemovalStorage } from './removal-storage.ts'
import { surveyRepository, type RepositorySurvey } from './survey-repository.ts'

/** The opened parts that a deletion is planned and carried out with. */
export interface RemovalParts {
  readonly surroundings: KitSurroundings
  /** All storages but those that are left out. */
  readonly storages: readonly RemovalStorage[]
  readonly spoolFolder: string
  readonly sleep: Sleep
  readonly readHistory: (timeline: TimelineId) => Promise<TimelineHistory | undefined>
}

/** See `BackupKit.planRemoval`. */
export async function planRemovalWithParts(parts: RemovalParts, options: PlanRemovalOptions): Promise<RemovalPlan> {
  const until = options.planId === undefined ? undefined : momentOfPlanId(options.planId)
  if (options.planId !== undefined && until === undefined) {
    throw new Fault('invalid', 'PLAN_ID_INVALID', `${JSON.stringify(options.planId)} is not the identifier of a plan`, {
      hint: 'it is printed with the plan, such as 20260301T021044123Z-0123456789abcdef',
    })
  }
  const spools = createSpoolFolder(parts.spoolFolder)
  try {
    const survey = await surveyRepository({
      storages: parts.storages,
      now: () => until ?? parts.surroundings.now(),
      spools,
      until,
      readHistory: parts.readHistory,
      notes: [],
      observe: options.observe,
      signal: options.signal,
    })
    const now = until ?? new Date(Math.max(parts.surroundings.now().getTime(), ...survey.storages.map(({ newestMs }) => newestMs)))
    const decided = decide(survey, options, now)
    const collected = await collectObjects(survey, decided, spools)
    return { ...assemble(survey, decided, collected, { options, now }), [Symbol.asyncDispose]: () => spools[Symbol.asyncDispose]() }
  } catch (error) {
    await spools[Symbol.asyncDispose]()
    throw error
  }
}

function assemble(
  survey: RepositorySurvey,
  decided: Decided,
  collected: CollectedObjects,
  { options, now }: { readonly options: PlanRemovalOptions; readonly now: Date },
): Omit<RemovalPlan, typeof Symbol.asyncDispose> {
  const { plan, choice, byId } = decided
  const { sums } = collected
  const total = Object.values(sums).reduce((sum, { objects }) => sum + objects, 0)
  const interrupted = survey.storages.flatMap(({ storage, intents }) => intents.map((one) => ({ ...one, storage: storage.name })))
  return {
    id: formatPlanId(now, hashOf(decided, collected.hash, options, now)),
    command: options.command ?? options.wish.mode,
    now,
    storages: survey.storages.map(({ storage }) => storage.name),
    segmentBytes: survey.sizes.common,
    decisions: plan.decisions.flatMap((decision): readonly RemovalDecision[] => {
      const entry = byId.get(decision.backup.id)
      if (entry === undefined) return []
      const { keep, reasons, restorable, log } = decision
      const window = keep && restorable ? (log === 'onward' ? 'onward' : 'itself') : 'none'
      return [{ entry, keep, reasons, restorable, window, bytes: decision.backup.bytes ?? 0 }]
    }),
    wal: collected.wal,
    catchups: collected.catchups,
    sums,
    windowsBefore: plan.windowsBefore,
    windowsAfter: plan.windowsAfter,
    notes: notesOf(survey, decided, interrupted),
    interrupted,
    nothing: total === 0 && interrupted.length === 0 ? (choice.nothing ?? 'nothing that could go was found') : undefined,
    seenUntil: new Map(survey.storages.map(({ storage, newestMs }) => [storage.name, new Date(newestMs)])),
    walBefore: furthest(decided.scopes),
    objects: collected.objects,
  }
}

function furthest(scopes: readonly WalScope[]): string | undefined {
  const limits = scopes.map(({ before }) => before)
  return limits.includes('all') ? 'all' : limits.toSorted().at(-1)
}

function notesOf(survey: RepositorySurvey, { plan, choice }: Decided, interrupted: RemovalPlan['interrupted']): readonly RemovalNote[] {
  return [
    ...interrupted.map(({ intent, storage }) => ({
      kind: 'interrupted' as const,
      text: `the deletion \`${intent.command}\` of ${intent.startedAt} did not end in the storage ${storage}: what it began goes with this one`,
    })),
    ...(choice.nothing === undefined ? [] : [{ kind: 'note' as const, text: choice.nothing }]),
    ...choice.notes.map((text) => ({ kind: 'note' as const, text })),
    ...survey.notes.map((text) => ({ kind: 'note' as const, text })),
    // The table of backups says who is permanent and who is needed.
    ...plan.findings
      .filter(({ kind }) => kind !== 'permanent' && kind !== 'ancestor')
      .map(({ kind, text, backup }) => ({ kind, text: backup === undefined ? text : `${backup}: ${text}` })),
    ...survey.storages.flatMap(({ storage, foreign }) =>
      foreign.objects === 0
        ? []
        : [
            {
              kind: 'foreign' as const,
              text: `${foreign.objects} objects in the storage ${storage.name} belong to no repository and stay, such as ${foreign.example ?? ''}`,
            },
          ],
    ),
  ]
}

/** Over what goes, what stays and why, and the moment. */
function hashOf({ plan, byId, arrivedLater }: Decided, hash: Hash, { wish, byStartTime }: PlanRemovalOptions, now: Date): string {
  const facts = plan.keep.flatMap(({ backup, reasons }) => {
    const entry = byId.get(backup.id)
    if (entry === undefined || arrivedLater.has(entry)) return []
    const mark = entry.sentinel?.etag ?? String(entry.sentinel?.modifiedAtNs ?? entry.sentinel?.modifiedAt.getTime() ?? '')
    return [{ id: backup.id, mark, permanent: entry.permanent, reasons: reasons.map(({ kind }) => kind).toSorted() }]
  })
  facts.sort((left, right) => (left.id < right.id ? -1 : 1))
  // What policies come to is in the facts and in what goes; they need not be values.
  const asked = wish.mode === 'policies' ? { mode: wish.mode, series: wish.series } : wish
  const text = JSON.stringify({ version: 1, wish: asked, byStartTime: byStartTime === true, now, facts }, (_, value: unknown) =>
    typeof value === 'bigint' ? `${value}n` : value,
  )
  return createHash('sha256').update(hash.digest()).update(text).digest('hex')
}
