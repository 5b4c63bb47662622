import { createHash, type Hash } from 'node:crypto'
import { Fault } from '@waltz/errors'
import type { TimelineHistory, TimelineId } from '@waltz/pg-structures'
import type { RetentionDecision, RetentionFinding, RetentionReason } from '@waltz/retention-policy'
import type { Sleep } from '@waltz/storage'
import type { KitSurroundings } from '../surroundings.ts'
import { collectObjects, type CollectedObjects } from './collect-objects.ts'
import { decide, type Decided } from './decide.ts'
import { explainReason, reasonContext } from './explain-reason.ts'
import { explainWal } from './explain-wal.ts'
import { createSpoolFolder } from './object-spool.ts'
import type { RemovalDecision, RemovalNote, RemovalPlan } from './removal-plan.ts'
import { formatPlanId, momentOfPlanId, type PlanRemovalOptions } from './removal-request.ts'
import { walMayBeNeededElsewhere, type WalScope } from './removal-scope.ts'
import type { RemovalStorage } from './removal-storage.ts'
import { surveyRepository, type RepositorySurvey } from './survey-repository.ts'

/** The opened parts that a deletion is planned and carried out with. */
export interface RemovalParts {
  readonly surroundings: KitSurroundings
  /** All storages but those that are left out. */
  readonly storages: readonly RemovalStorage[]
  /** Names of those that are left out: they may hold anything. */
  readonly leftOut?: readonly string[]
  readonly spoolFolder: string
  /** How long what has no sentinel and no lease counts as being written after its newest object; 24 hours unless given. */
  readonly writtenWithinMs?: number
  readonly sleep: Sleep
  readonly readHistory: (timeline: TimelineId) => Promise<TimelineHistory | undefined>
}

const DAY_MS = 86_400_000

/** See `BackupKit.planRemoval`. */
export async function planRemovalWithParts(parts: RemovalParts, options: PlanRemovalOptions): Promise<RemovalPlan> {
  const until = options.planId === undefined ? undefined : momentOfPlanId(options.planId)
  if (options.planId !== undefined && until === undefined) {
    throw new Fault('invalid', 'PLAN_ID_INVALID', `${JSON.stringify(options.planId)} is not the identifier of a plan`, {
      hint: 'it is printed with the plan, such as 20260301T021044123Z-0123456789abcdef',
    })
  }
  const { leftOut = [] } = parts
  const spools = createSpoolFolder(parts.spoolFolder)
  try {
    const survey = await surveyRepository({
      storages: parts.storages,
      leftOut,
      now: () => (until === undefined ? parts.surroundings.now() : earlier(until, parts)),
      spools,
      until,
      writtenWithinMs: parts.writtenWithinMs ?? DAY_MS,
      readHistory: parts.readHistory,
      notes: leftOut.map((name) => leftOutText(name, walMayBeNeededElsewhere(leftOut, options.wish))),
      observe: options.observe,
      signal: options.signal,
    })
    const seen = until ?? new Date(Math.max(parts.surroundings.now().getTime(), ...survey.storages.map(({ newestMs }) => newestMs)))
    const now = earlier(seen, parts)
    const decided = decide(survey, options, { now, until })
    const collected = await collectObjects(survey, decided, spools)
    return { ...assemble(survey, decided, collected, { options, now, seen }), [Symbol.asyncDispose]: () => spools[Symbol.asyncDispose]() }
  } catch (error) {
    await spools[Symbol.asyncDispose]()
    throw error
  }
}

/** A store's clock may be ahead of this machine's by so much. */
const CLOCK_MARGIN_MS = 3_600_000

/** By what age is judged: an object that bears a time far in the future must not make all others old. */
function earlier(seen: Date, { surroundings }: RemovalParts): Date {
  return new Date(Math.min(seen.getTime(), surroundings.now().getTime() + CLOCK_MARGIN_MS))
}

function assemble(
  survey: RepositorySurvey,
  decided: Decided,
  collected: CollectedObjects,
  { options, now, seen }: { readonly options: PlanRemovalOptions; readonly now: Date; readonly seen: Date },
): Omit<RemovalPlan, typeof Symbol.asyncDispose> {
  const { plan, choice, byId } = decided
  const { sums } = collected
  const explain = createExplainer(decided, options)
  const total = Object.values(sums).reduce((sum, { objects }) => sum + objects, 0)
  const interrupted = survey.storages.flatMap(({ storage, intents }) => intents.map((one) => ({ ...one, storage: storage.name })))
  const endedNotes = survey.storages.flatMap(({ storage, endedNotes: ended }) => ended.map((one) => ({ ...one, storage: storage.name })))
  return {
    id: formatPlanId(seen, hashOf(decided, collected.hash, options, now)),
    command: options.command ?? options.wish.mode,
    now,
    storages: survey.storages.map(({ storage }) => storage.name),
    leftOut: survey.leftOut,
    segmentBytes: survey.sizes.common,
    decisions: plan.decisions.flatMap((decision): readonly RemovalDecision[] => {
      const entry = byId.get(decision.backup.id)
      if (entry === undefined) return []
      const { keep, restorable, log } = decision
      const reasons = decision.reasons.map((reason) => explain(reason, decision))
      const window = keep && restorable ? (log === 'onward' ? 'onward' : 'itself') : 'none'
      return [{ entry, keep, reasons, restorable, window, bytes: decision.backup.bytes ?? 0 }]
    }),
    wal: collected.wal.map((sum) => ({ ...sum, reason: explainWal(sum, decided) })),
    catchups: collected.catchups,
    sums,
    windowsBefore: plan.windowsBefore,
    windowsAfter: plan.windowsAfter,
    notes: notesOf(survey, decided, { interrupted, explain }),
    interrupted,
    endedNotes,
    nothing: total === 0 && interrupted.length === 0 ? (choice.nothing ?? 'nothing that could go was found') : undefined,
    seenUntil: new Map(survey.storages.map(({ storage, newestMs }) => [storage.name, new Date(newestMs)])),
    walBefore: furthest(decided.scopes),
    objects: collected.objects,
  }
}

function leftOutText(name: string, keepsWal: boolean): string {
  const wal = keepsWal ? ', and all WAL stays, because backups in it may need it' : ''
  return `the storage ${name} is left out (WALTZ_FAILOVER_IGNORE): nothing in it was looked at or goes${wal}`
}

function furthest(scopes: readonly WalScope[]): string | undefined {
  const limits = scopes.map(({ before }) => before)
  return limits.includes('all') ? 'all' : limits.toSorted().at(-1)
}

type Explainer = (reason: RetentionReason, decision: RetentionDecision) => RetentionReason

function createExplainer({ plan, choice, byId }: Decided, { wish }: PlanRemovalOptions): Explainer {
  const context = reasonContext(
    wish,
    choice,
    plan.decisions.flatMap(({ backup }) => byId.get(backup.id) ?? []),
  )
  return (reason, decision) => {
    const entry = byId.get(decision.backup.id)
    return entry === undefined ? reason : explainReason(reason, decision, { ...context, entry })
  }
}

function notesOf(
  survey: RepositorySurvey,
  { plan, choice }: Decided,
  { interrupted, explain }: Pick<RemovalPlan, 'interrupted'> & { readonly explain: Explainer },
): readonly RemovalNote[] {
  const decisions = new Map(plan.decisions.map((decision) => [decision.backup.id, decision]))
  const textOf = ({ kind, text, backup }: RetentionFinding): string => {
    if (backup === undefined) return `all WAL stays: ${text}`
    const decision = decisions.get(backup)
    const reason = decision?.reasons.find((one) => one.kind === kind && one.text === text)
    if (kind === 'log-held') return `all WAL stays: nothing says what WAL ${backup} needs`
    return `${backup}: ${decision === undefined || reason === undefined ? text : explain(reason, decision).text}`
  }
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
      .map((finding) => ({ kind: finding.kind, text: textOf(finding) })),
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
    // What is being written may be finished any time; what it protects is among what stays all the same.
    if (entry === undefined || arrivedLater.has(entry) || entry.status === 'being-written') return []
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
