import { segmentNumberBefore, type Lsn, type TimelineId, segmentNumberFromName, type WalFileName } from '@waltz/pg-structures'
import { isFault } from '@waltz/errors'
import { backupFolder, backupsFolder, sentinelKey, walFolder } from '@waltz/repository'
import type { Catalogue, CatalogueEntry, CatalogueFindingKind } from './catalogue-entry.ts'
import type { SurveyedTimeline, WalSum, WalSurvey } from './survey-wal.ts'

/** What kind of garbage something is, or looks like. */
export type GarbageKind =
  /** The folder of a backup that was never finished. */
  | 'unfinished-backup'
  /** The same, of one that somebody may still be writing: not garbage yet. */
  | 'backup-being-written'
  /** A sentinel without the folder that it tells of. */
  | 'sentinel-without-backup'
  /** An increment that cannot be restored, because what it was made from is gone. */
  | 'increment-without-parent'
  /** WAL from before the start of every backup that could be rolled forward with it. */
  | 'wal-before-first-backup'
  /** WAL of a timeline of which neither a history file nor a backup tells where it came from. Deletions keep it: the file may come yet. */
  | 'wal-of-unknown-timeline'
  /** There is WAL, and no backup at all. */
  | 'wal-without-backup'
  /** Versions of objects that somebody deleted without them: no listing shows them. */
  | 'deleted-versions'
  /** Versions of objects that were replaced. */
  | 'replaced-versions'
  /** What is no part of a repository, as far as its name tells. Nothing of Waltz removes it. */
  | 'foreign'

/** A group of objects of one storage, with the reason why they are of no use. */
export interface GarbageFinding {
  readonly kind: GarbageKind
  readonly storage: string
  /** Whether nothing needs it: false for what must be left alone, or looked at first. */
  readonly removable: boolean
  /** The common beginning of the keys, or the first and the last key. */
  readonly where: string
  /** The backup, where it is one. */
  readonly backup: string | undefined
  readonly timeline: TimelineId | undefined
  readonly objects: number
  readonly bytes: number
  readonly oldestAt: Date | undefined
  readonly newestAt: Date | undefined
  readonly reason: string
}

/** What is of no use in a repository. Nothing is changed. */
export interface GarbageReport {
  readonly findings: readonly GarbageFinding[]
  /** Reasons why more, or less, may be garbage than is said. */
  readonly warnings: readonly string[]
}

/**
 * The first segment of a timeline that a backup of it may need; undefined for a timeline without one. Every backup counts that has a
 * sentinel, even one that cannot be read, and every one that is being written. Give it to `surveyWal`.
 */
export function firstNeededSegments(entries: readonly CatalogueEntry[], segmentBytes: number): ReadonlyMap<TimelineId, number> {
  const first = new Map<TimelineId, number>()
  for (const entry of entries) {
    if (entry.timeline === undefined || entry.status === 'unfinished') continue
    for (const segment of startsOf(entry, segmentBytes)) first.set(entry.timeline, Math.min(first.get(entry.timeline) ?? Infinity, segment))
  }
  return first
}

/** By the position and by the name, which need not agree: a standby names the segment of the byte before the start (RF 1.3). */
function startsOf({ startLsn, walFileName }: CatalogueEntry, segmentBytes: number): readonly number[] {
  const byPosition = startLsn === undefined ? [] : [segmentNumberBefore(startLsn, segmentBytes)]
  try {
    return [...byPosition, segmentNumberFromName(walFileName as WalFileName, segmentBytes)]
  } catch (error) {
    if (!isFault(error, 'invalid')) throw error
    return byPosition.length === 0 ? [0] : byPosition
  }
}

/**
 * Says what is of no use: by the catalogue, and, where it was looked through, by the archive. `cuts` is what `firstNeededSegments` gave and
 * the survey was parted by.
 */
export function findGarbage(
  catalogue: Catalogue,
  archive?: { readonly survey: WalSurvey; readonly cuts: ReadonlyMap<TimelineId, number> },
): GarbageReport {
  const warnings = [...catalogue.silent, ...(archive?.survey.silent ?? [])].map(
    ({ storage, why }) => `the storage ${storage} did not answer, and nothing is known of it: ${why}`,
  )
  const findings = [
    ...catalogue.entries.flatMap((entry) => ofEntry(entry, catalogue.takenAt)),
    ...catalogue.foreign.map(({ storage, sum, example }) =>
      finding('foreign', storage, {
        where: example,
        sum: { ...sum, oldestAt: undefined },
        reason: `objects in ${backupsFolder} that belong to no backup`,
      }),
    ),
  ]
  if (archive === undefined) return { findings, warnings: [...new Set(warnings)] }
  const walFindings = ofWal(catalogue, archive)
  return {
    findings: [...findings, ...walFindings.findings],
    warnings: [...new Set([...warnings, ...walFindings.warnings])],
  }
}

interface FindingParts {
  readonly where: string
  readonly sum: Pick<WalSum, 'objects' | 'bytes' | 'oldestAt' | 'newestAt'>
  readonly reason: string
  readonly backup?: string
  readonly timeline?: TimelineId
}

const NOT_REMOVABLE: ReadonlySet<GarbageKind> = new Set([
  'backup-being-written',
  'wal-without-backup',
  'wal-of-unknown-timeline',
  'foreign',
])

function finding(kind: GarbageKind, storage: string, { where, sum, reason, backup, timeline }: FindingParts): GarbageFinding {
  const { objects, bytes, oldestAt, newestAt } = sum
  return { kind, storage, removable: !NOT_REMOVABLE.has(kind), where, backup, timeline, objects, bytes, oldestAt, newestAt, reason }
}

function ofEntry(entry: CatalogueEntry, now: Date): readonly GarbageFinding[] {
  const { name, storage } = entry
  const sum = sumOfEntry(entry)
  const parts = { where: backupFolder(name), sum, backup: name, ...(entry.timeline !== undefined && { timeline: entry.timeline }) }
  const age = ageText(now, sum.newestAt)
  if (entry.status === 'unfinished')
    return [finding('unfinished-backup', storage, { ...parts, reason: `it was never finished, and its newest object is ${age} old` })]
  if (entry.status === 'being-written')
    return [finding('backup-being-written', storage, { ...parts, reason: `it has no sentinel yet, and its newest object is ${age} old` })]
  return entry.findings.flatMap(({ kind, message }) => ofFinding(entry, { kind, reason: message, parts }))
}

function ofFinding(
  entry: CatalogueEntry,
  { kind, reason, parts }: { readonly kind: CatalogueFindingKind; readonly reason: string; readonly parts: Omit<FindingParts, 'reason'> },
): readonly GarbageFinding[] {
  const where = sentinelKey(entry.name)
  if (kind === 'folder-missing') return [finding('sentinel-without-backup', entry.storage, { ...parts, where, reason })]
  if (kind !== 'lost-parent' && kind !== 'parent-cycle') return []
  const permanent = entry.permanent ? '; it is permanent' : ''
  return [{ ...finding('increment-without-parent', entry.storage, { ...parts, reason: reason + permanent }), removable: !entry.permanent }]
}

function sumOfEntry({ folder, sentinel }: CatalogueEntry): FindingParts['sum'] {
  return {
    objects: (folder?.objects ?? 0) + (sentinel === undefined ? 0 : 1),
    bytes: (folder?.bytes ?? 0) + (sentinel?.size ?? 0),
    oldestAt: undefined,
    newestAt: folder?.newestAt ?? sentinel?.modifiedAt,
  }
}

function ageText(now: Date, then: Date | undefined): string {
  if (then === undefined) return 'of unknown age, which counts as'
  const hours = Math.max(0, now.getTime() - then.getTime()) / 3_600_000
  if (hours < 1) return `${Math.floor(hours * 60)} min`
  return hours < 72 ? `${Math.floor(hours)} h` : `${Math.floor(hours / 24)} days`
}

function ofWal(
  catalogue: Catalogue,
  { survey, cuts }: { readonly survey: WalSurvey; readonly cuts: ReadonlyMap<TimelineId, number> },
): { readonly findings: readonly GarbageFinding[]; readonly warnings: readonly string[] } {
  const findings: GarbageFinding[] = []
  const warnings: string[] = []
  for (const timeline of survey.timelines) {
    if (timeline.problem !== undefined)
      warnings.push(`the history of timeline ${timeline.timeline} cannot be read, so its WAL counts as needed: ${timeline.problem.message}`)
    const verdict = judgeTimeline(catalogue, timeline, cuts)
    for (const { storage, before, after } of timeline.sums) {
      if (verdict.before !== undefined && before.objects > 0) findings.push(ofSum(storage, timeline, { ...verdict.before, sum: before }))
      if (verdict.after !== undefined && after.objects > 0) findings.push(ofSum(storage, timeline, { ...verdict.after, sum: after }))
    }
  }
  for (const { storage, sum } of survey.foreign)
    findings.push(
      finding('foreign', storage, {
        where: rangeText(sum),
        sum,
        reason: `objects in ${walFolder} that are no WAL of segments of ${survey.segmentBytes} bytes`,
      }),
    )
  return { findings, warnings }
}

interface Verdict {
  readonly kind: GarbageKind
  readonly reason: string
}

/** Why WAL before and from the first needed segment is of no use; undefined where it is of use. */
function judgeTimeline(
  { entries }: Catalogue,
  { timeline, history, hasHistory, problem }: SurveyedTimeline,
  cuts: ReadonlyMap<TimelineId, number>,
): { readonly before?: Verdict; readonly after?: Verdict } {
  const all = (verdict: Verdict): { readonly before: Verdict; readonly after: Verdict } => ({ before: verdict, after: verdict })
  if (cuts.size === 0) return all({ kind: 'wal-without-backup', reason: 'there is no backup that could be rolled forward with it' })
  // What cannot be read might lead to a backup.
  if (problem !== undefined) return {}
  const leadsHere = entries.some((entry) => entry.status !== 'unfinished' && isAncestorOf(entry, history))
  if (leadsHere) return {}
  if (cuts.has(timeline))
    return { before: { kind: 'wal-before-first-backup', reason: `it is older than the first backup of timeline ${timeline}` } }
  if (timeline !== 1 && !hasHistory)
    return all({ kind: 'wal-of-unknown-timeline', reason: `timeline ${timeline} has no history file and no backup: nothing leads to it` })
  return all({
    kind: 'wal-before-first-backup',
    reason: `no backup leads to timeline ${timeline}: those that could are gone, or began later`,
  })
}

/** Whether the timeline with this history left the backup's own after the backup began. */
function isAncestorOf({ timeline, startLsn }: CatalogueEntry, history: SurveyedTimeline['history']): boolean {
  return history?.switches.some((left) => left.timeline === timeline && (startLsn ?? (0n as Lsn)) <= left.switchLsn) ?? false
}

function ofSum(storage: string, { timeline }: SurveyedTimeline, { kind, reason, sum }: Verdict & { readonly sum: WalSum }): GarbageFinding {
  return finding(kind, storage, { where: rangeText(sum), sum, reason, timeline })
}

function rangeText({ first = '', last = '' }: WalSum): string {
  return first === last ? first : `${first} to ${last.slice(walFolder.length)}`
}
