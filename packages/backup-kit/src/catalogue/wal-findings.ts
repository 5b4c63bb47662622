import { segmentName, segmentNumberBefore, segmentNumberOf, segmentStart, type Lsn, type TimelineId } from '@waltz/pg-structures'
import type { CatalogueEntry, CatalogueFinding } from './catalogue-entry.ts'
import type { SurveyedTimeline, WalSurvey } from './survey-wal.ts'
import { missingIn, runAt, type WalRun } from './wal-runs.ts'

/** How far a backup can be rolled forward. */
export interface RestorableWindow {
  /** Where that ends: the timeline that is followed. */
  readonly timeline: TimelineId
  /** From the end of the backup: before, it is not consistent. */
  readonly fromLsn: Lsn
  readonly fromTime: Date | undefined
  /** The first position that cannot be reached. */
  readonly untilLsn: Lsn
  /** When the last segment was stored, which is later than all that is in it; undefined where the window ends within a segment. */
  readonly untilTime: Date | undefined
  /** Whether it ends because a segment is missing although later ones are there. */
  readonly endsInGap: boolean
}

/** What the archive means for one backup. */
export interface BackupWal {
  /** The segments that it cannot be restored without, both ends included. */
  readonly first: string
  readonly last: string
  readonly missing: readonly { readonly first: string; readonly last: string; readonly segments: number }[]
  /** One for each timeline that it can be rolled forward to; none when it cannot be restored. By timeline, then by position. */
  readonly windows: readonly RestorableWindow[]
  readonly finding: CatalogueFinding | undefined
}

interface Archive {
  readonly survey: WalSurvey
  readonly timelines: ReadonlyMap<TimelineId, SurveyedTimeline>
  readonly entries: readonly CatalogueEntry[]
}

/**
 * What the archive means for each backup that tells of its positions: WAL that is missing, and how far it can be rolled forward along
 * every timeline that left its own after its end. Backups without positions (WAL-E, damaged ones) are left out.
 */
export function walOfBackups(entries: readonly CatalogueEntry[], survey: WalSurvey): ReadonlyMap<CatalogueEntry, BackupWal> {
  const archive: Archive = { survey, timelines: new Map(survey.timelines.map((timeline) => [timeline.timeline, timeline])), entries }
  const result = new Map<CatalogueEntry, BackupWal>()
  const limits = limitsOf(archive)
  for (const entry of entries) {
    const { startLsn, finishLsn, timeline } = entry
    if (entry.status !== 'complete' || startLsn === undefined || finishLsn === undefined || timeline === undefined) continue
    result.set(entry, walOfBackup(archive, limits, { entry, startLsn, finishLsn, timeline }))
  }
  return result
}

interface Positioned {
  readonly entry: CatalogueEntry
  readonly startLsn: Lsn
  readonly finishLsn: Lsn
  readonly timeline: TimelineId
}

function walOfBackup(archive: Archive, limits: Limits, backup: Positioned): BackupWal {
  const { segmentBytes } = archive.survey
  const { timeline, startLsn, finishLsn } = backup
  const [first, last] = [segmentNumberOf(startLsn, segmentBytes), segmentNumberBefore(finishLsn, segmentBytes)]
  const name = (number: number): string => segmentName(timeline, number, segmentBytes)
  const missing = missingIn(archive.timelines.get(timeline)?.runs ?? [], first, Math.max(first, last))
  const ranges = missing.map((range) => ({ first: name(range.first), last: name(range.last), segments: range.last - range.first + 1 }))
  const windows = missing.length === 0 ? windowsOf(archive, limits, backup) : []
  return { first: name(first), last: name(Math.max(first, last)), missing: ranges, windows, finding: findingOf(archive, backup, missing) }
}

function findingOf(archive: Archive, backup: Positioned, missing: ReturnType<typeof missingIn>): CatalogueFinding | undefined {
  const [firstGap] = missing
  const lastGap = missing.at(-1)
  if (firstGap === undefined || lastGap === undefined) return undefined
  const { segmentBytes } = archive.survey
  const count = missing.reduce((sum, { first, last }) => sum + last - first + 1, 0)
  const name = segmentName(backup.timeline, firstGap.first, segmentBytes)
  const what =
    count === 1 ? `${name}, which it needs, is not archived` : `${count} segments that it needs are not archived, the first is ${name}`
  const may = archive.survey.silent.length > 0 ? `; not every storage was looked through` : ''
  // What comes later is only there when what came before was archived, or lost.
  const isAtEnd = missing.length === 1 && !hasLater(archive, backup.timeline, firstGap.last)
  return isAtEnd ? { kind: 'wal-not-yet-archived', message: `${what} yet${may}` } : { kind: 'wal-missing', message: what + may }
}

function hasLater({ timelines }: Archive, timeline: TimelineId, segment: number): boolean {
  return [...timelines.values()].some((one) => one.timeline >= timeline && (one.runs.at(-1)?.last ?? -1) > segment)
}

/** The first segment of each timeline that belongs to another cluster than the one with this identifier. */
type Limits = (systemIdentifier: bigint | undefined, timeline: TimelineId, after: number) => number

/**
 * After pg_upgrade the new cluster goes on in the same archive, on timeline 1 again, where the old one ended: what follows is not the old
 * cluster's. Its first backup tells at the latest where that is.
 */
function limitsOf({ entries, survey }: Archive): Limits {
  const starts = entries.flatMap(({ timeline, startLsn, systemIdentifier }) =>
    timeline === undefined || startLsn === undefined || systemIdentifier === undefined
      ? []
      : [{ timeline, systemIdentifier, segment: segmentNumberOf(startLsn, survey.segmentBytes) }],
  )
  const identifiers = new Set(starts.map(({ systemIdentifier }) => systemIdentifier))
  if (identifiers.size < 2) return () => Infinity
  return (identifier, timeline, after) => {
    if (identifier === undefined) return Infinity
    const others = starts.filter((one) => one.systemIdentifier !== identifier && one.timeline === timeline && one.segment > after)
    return others.reduce((least, { segment }) => Math.min(least, segment), Infinity)
  }
}

/** One way to recover: timelines with the segments that each gives, both ends as half-open ranges; the last one has no end. */
interface Leg {
  readonly timeline: TimelineId
  readonly first: number
  readonly end: number
  /** Where the next timeline left this one; undefined for the last leg. */
  readonly switchLsn: Lsn | undefined
}

function windowsOf(archive: Archive, limits: Limits, backup: Positioned): readonly RestorableWindow[] {
  const windows = new Map<string, RestorableWindow>()
  for (const legs of pathsFrom(archive, backup)) {
    const end = follow(archive, legs, (timeline, after) => limits(backup.entry.systemIdentifier, timeline, after))
    // A timeline that cannot be reached at all ends where its ancestor does.
    const window = { ...end, fromLsn: backup.finishLsn, fromTime: backup.entry.finishedAt }
    if (window.untilLsn < backup.finishLsn) continue
    windows.set(`${window.timeline}/${window.untilLsn}`, window)
  }
  return [...windows.values()].toSorted((left, right) => left.timeline - right.timeline || Number(left.untilLsn - right.untilLsn))
}

/** The backup's own timeline, and every one that left it, or one of its descendants, after the end of the backup. */
function pathsFrom({ survey, timelines }: Archive, { timeline, startLsn, finishLsn }: Positioned): readonly (readonly Leg[])[] {
  const { segmentBytes } = survey
  const first = segmentNumberOf(startLsn, segmentBytes)
  const paths: (readonly Leg[])[] = [[{ timeline, first, end: Infinity, switchLsn: undefined }]]
  for (const descendant of timelines.values()) {
    const switches = descendant.history?.switches ?? []
    const from = switches.findIndex((entry) => entry.timeline === timeline)
    if (from === -1 || (switches[from]?.switchLsn ?? 0n) < finishLsn) continue
    const legs: Leg[] = []
    let begin = first
    for (const { timeline: left, switchLsn } of switches.slice(from)) {
      const end = Math.max(begin, segmentNumberOf(switchLsn, segmentBytes))
      legs.push({ timeline: left, first: begin, end, switchLsn })
      // The segment of the switch is read from the newer timeline, whose file begins with a copy of the older one's.
      begin = end
    }
    paths.push([...legs, { timeline: descendant.timeline, first: begin, end: Infinity, switchLsn: undefined }])
  }
  return paths
}

type End = Pick<RestorableWindow, 'timeline' | 'untilLsn' | 'untilTime' | 'endsInGap'>

function follow(archive: Archive, legs: readonly Leg[], limit: (timeline: TimelineId, after: number) => number): End {
  const { segmentBytes } = archive.survey
  let before: Leg | undefined
  for (const leg of legs) {
    const runs = archive.timelines.get(leg.timeline)?.runs ?? []
    const run = runAt(runs, leg.first)
    const end = Math.min(leg.end, limit(leg.timeline, leg.first))
    if (leg.first < end && run === undefined) return endBefore(archive, leg, before)
    const reached = Math.min(end, (run?.last ?? leg.first - 1) + 1)
    if (reached < leg.end) return endOf({ leg, run, reached, runs, segmentBytes })
    before = leg
  }
  // Every leg but the last ends where the next begins, and the last one never ends.
  return endBefore(archive, legs.at(-1) as Leg, before)
}

function endOf(at: {
  readonly leg: Leg
  readonly run: WalRun | undefined
  readonly reached: number
  readonly runs: readonly WalRun[]
  readonly segmentBytes: number
}): End {
  const { leg, run, reached, runs, segmentBytes } = at
  const isRunEnd = run !== undefined && reached === run.last + 1
  return {
    timeline: leg.timeline,
    untilLsn: segmentStart(reached, segmentBytes),
    untilTime: isRunEnd ? run.lastStoredAt : undefined,
    endsInGap: isRunEnd && ((runs.at(-1)?.last ?? 0) >= reached || leg.switchLsn !== undefined),
  }
}

/** The newer timeline's first segment is missing: the older one's file leads to the switch, if it is there. */
function endBefore(archive: Archive, leg: Leg, before: Leg | undefined): End {
  const { segmentBytes } = archive.survey
  const older = before === undefined ? undefined : runAt(archive.timelines.get(before.timeline)?.runs ?? [], leg.first)
  const start = segmentStart(leg.first, segmentBytes)
  return {
    timeline: before?.timeline ?? leg.timeline,
    untilLsn: older === undefined ? start : (before?.switchLsn ?? start),
    untilTime: undefined,
    endsInGap: (archive.timelines.get(leg.timeline)?.runs.length ?? 0) > 0,
  }
}
