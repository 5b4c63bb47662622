import { Fault } from '@waltz/errors'
import { formatLsn, segmentNumberFromName, type Lsn, type WalFileName } from '@waltz/pg-structures'
import { describeTarget, type RecoveryTarget, type TargetTimeline } from './recovery-target.ts'
import { formatMoment } from './target-time.ts'

/** A backup as the choice sees it. */
export interface BackupCandidate {
  readonly name: string
  readonly timeline: number
  readonly startLsn: Lsn | undefined
  readonly finishLsn: Lsn | undefined
  /** When the backup ended; for sentinels without times, when the sentinel was stored. */
  readonly finishedAtMs: number
  readonly increment: boolean
}

/** One timeline of the archive. */
export interface ArchivedTimeline {
  readonly timeline: number
  /** Its ancestors and where each was left, oldest first; empty where the archive has no history file of it. */
  readonly history: readonly { readonly timeline: number; readonly switchLsn: Lsn }[]
  readonly hasHistory: boolean
  /** The highest segment stored, and when the newest of its segments was stored. */
  readonly lastSegment: string | undefined
  readonly lastStoredAtMs: number | undefined
}

/** What the archive holds, without its segments. */
export interface ArchiveSurvey {
  readonly timelines: readonly ArchivedTimeline[]
}

/** What is asked of the choice. */
export interface ChoiceRequest {
  readonly target: RecoveryTarget
  readonly timeline: TargetTimeline
  /** Set when the user named a backup: then it is judged, not chosen. */
  readonly named?: string
}

/** The backup to restore, with the reasons. */
export interface BackupChoice {
  readonly backup: BackupCandidate
  /** The timeline that recovery will end on. */
  readonly timeline: number
  readonly reason: string
  /** Newer backups that were not taken, newest first, each with why. */
  readonly passedOver: readonly { readonly name: string; readonly why: string }[]
}

/**
 * The newest full backup from which recovery reaches the target: it ended before the target, it lies on the target
 * timeline's line of history, and the archive goes on up to the target. Pure.
 * @throws Fault `invalid` `RECOVERY_TARGET_UNREACHABLE` when no backup does, with the window that can be reached.
 */
export function chooseBackup(request: ChoiceRequest, candidates: readonly BackupCandidate[], survey: ArchiveSurvey): BackupChoice {
  const newestFirst = [...candidates].sort((a, b) => b.finishedAtMs - a.finishedAtMs || compareLsn(b.startLsn, a.startLsn))
  const passedOver: { name: string; why: string }[] = []
  for (const backup of newestFirst) {
    if (request.named !== undefined && backup.name !== request.named) continue
    const timeline = resolveTimeline(request.timeline, backup.timeline, survey)
    const why = reasonAgainst(request, backup, timeline, survey)
    if (why === undefined) return { backup, timeline, reason: reasonFor(request, backup, timeline), passedOver }
    passedOver.push({ name: backup.name, why })
  }
  throw unreachable(request, newestFirst, passedOver, survey)
}

/**
 * The timeline that PostgreSQL will follow from a backup: for `latest` it probes the history files one number after
 * the other and stops at the first that is not there (timeline.c findNewestTimeLine).
 */
export function resolveTimeline(timeline: TargetTimeline, from: number, survey: ArchiveSurvey): number {
  if (timeline === 'current') return from
  if (timeline !== 'latest') return timeline
  const known = new Set(survey.timelines.filter((one) => one.hasHistory).map((one) => one.timeline))
  let newest = from
  while (known.has(newest + 1)) newest++
  return newest
}

/**
 * Whether the archive reaches an LSN on the line of history of a timeline; the segment size comes from the control file
 * of the chosen backup. Other targets are not judged here.
 * @throws Fault `invalid` `RECOVERY_TARGET_UNREACHABLE`.
 */
export function checkLsnArchived(choice: BackupChoice, target: RecoveryTarget, survey: ArchiveSurvey, segmentBytes: number): void {
  if (target.kind !== 'lsn') return
  const ends = onLine(choice.timeline, survey).flatMap(({ lastSegment }) =>
    lastSegment === undefined ? [] : (segmentNumberFromName(lastSegment as WalFileName, segmentBytes) + 1) * segmentBytes,
  )
  const end = Math.max(...ends)
  if (target.lsn <= end) return
  const reached = ends.length === 0 ? 'there is no archived WAL to follow' : `the archived WAL ends before ${formatLsn(BigInt(end) as Lsn)}`
  throw new Fault('invalid', 'RECOVERY_TARGET_UNREACHABLE', `no backup can reach ${describeTarget(target)}: ${reached}`, {
    hint: 'If the old server still has newer WAL, archive it first with waltz wal-push.',
  })
}

/** The span of time between the first backup's end and the last archived segment, as text; undefined without either. */
export function reachableWindow(candidates: readonly BackupCandidate[], survey: ArchiveSurvey): string | undefined {
  const full = candidates.filter((one) => !one.increment)
  const first = full.reduce<BackupCandidate | undefined>((a, b) => (a === undefined || b.finishedAtMs < a.finishedAtMs ? b : a), undefined)
  const lastMs = Math.max(...survey.timelines.map((one) => one.lastStoredAtMs ?? -Infinity))
  if (first === undefined || lastMs === -Infinity) return undefined
  const lsn = first.finishLsn === undefined ? '' : ` (LSN ${formatLsn(first.finishLsn)})`
  const segment = survey.timelines.find((one) => one.lastStoredAtMs === lastMs)?.lastSegment ?? ''
  return `from ${moment(first.finishedAtMs)}${lsn}, the end of ${first.name}, to ${moment(lastMs)}, when segment ${segment} was archived`
}

function reasonAgainst(request: ChoiceRequest, backup: BackupCandidate, timeline: number, survey: ArchiveSurvey): string | undefined {
  if (backup.increment) return 'is incremental, which is not available yet'
  if (timeline !== backup.timeline) {
    const left = leftAt(backup.timeline, timeline, survey)
    if (left === undefined) return `is on timeline ${backup.timeline}, which is not in the history of timeline ${timeline}`
    if (backup.finishLsn !== undefined && backup.finishLsn > left)
      return `ended at ${formatLsn(backup.finishLsn)}, after its timeline was left at ${formatLsn(left)}`
  }
  return reasonAgainstTarget(request.target, backup, timeline, survey)
}

function reasonAgainstTarget(target: RecoveryTarget, backup: BackupCandidate, timeline: number, survey: ArchiveSurvey): string | undefined {
  if (target.kind === 'lsn' && backup.finishLsn !== undefined && backup.finishLsn > target.lsn)
    return `ended at ${formatLsn(backup.finishLsn)}, after the target`
  if (target.kind !== 'time') return undefined
  if (backup.finishedAtMs * 1000 >= target.time.epochMicros) return `ended ${moment(backup.finishedAtMs)}, after the target`
  const archivedMs = lastStoredOnLine(timeline, survey)
  if (archivedMs === undefined) return 'has no archived WAL to follow'
  return target.time.epochMicros > latestMomentMs(archivedMs) * 1000 ? `is followed by WAL up to ${moment(archivedMs)} only` : undefined
}

/**
 * The last moment that a time of storing may stand for: SFTP and most HTTP headers cut it to whole seconds, and a target between that
 * second and the true moment can be reached.
 */
function latestMomentMs(storedAtMs: number): number {
  return storedAtMs % 1000 === 0 ? storedAtMs + 999 : storedAtMs
}

/**
 * Where the line of history of `timeline` leaves the timeline `ancestor` for good; undefined when it was never on it.
 * A recovery that stopped before its target timeline began leaves switches that step back, so all later ones count.
 */
export function leftAt(ancestor: number, timeline: number, survey: ArchiveSurvey): Lsn | undefined {
  const history = survey.timelines.find((one) => one.timeline === timeline)?.history ?? []
  const index = history.findIndex((one) => one.timeline === ancestor)
  if (index === -1) return undefined
  return history
    .slice(index)
    .reduce<Lsn | undefined>((least, one) => (least === undefined || one.switchLsn < least ? one.switchLsn : least), undefined)
}

/** The timelines that lead to one, itself included. */
function onLine(timeline: number, survey: ArchiveSurvey): readonly ArchivedTimeline[] {
  const end = survey.timelines.find((one) => one.timeline === timeline)
  const line = new Set([timeline, ...(end?.history ?? []).map((one) => one.timeline)])
  return survey.timelines.filter((one) => line.has(one.timeline))
}

function lastStoredOnLine(timeline: number, survey: ArchiveSurvey): number | undefined {
  const times = onLine(timeline, survey).flatMap((one) => one.lastStoredAtMs ?? [])
  return times.length === 0 ? undefined : Math.max(...times)
}

function reasonFor(request: ChoiceRequest, backup: BackupCandidate, timeline: number): string {
  const on =
    timeline === backup.timeline ? `on timeline ${timeline}` : `on timeline ${backup.timeline}, from which timeline ${timeline} comes`
  const ended = `ended ${moment(backup.finishedAtMs)}`
  if (request.named !== undefined) return `named on the command line; ${ended}, ${on}`
  const { kind } = request.target
  if (kind === 'time' || kind === 'lsn')
    return `the newest full backup that ended before ${describeTarget(request.target)}; ${ended}, ${on}`
  const guess =
    kind === 'end' || kind === 'immediate'
      ? ''
      : `; nothing tells where ${describeTarget(request.target)} lies, so name an older backup if recovery ends before it`
  return `the newest full backup; ${ended}, ${on}${guess}`
}

function unreachable(
  request: ChoiceRequest,
  candidates: readonly BackupCandidate[],
  passedOver: readonly { readonly name: string; readonly why: string }[],
  survey: ArchiveSurvey,
): Fault {
  const window = reachableWindow(candidates, survey)
  const listed = passedOver.slice(0, 3).map((one) => `${one.name} ${one.why}`)
  if (passedOver.length > 3) listed.push(`${passedOver.length - 3} more`)
  const what = request.named === undefined ? 'no backup can reach' : `backup ${request.named} cannot reach`
  const why = listed.length === 0 ? 'there is no such backup' : listed.join('; ')
  return new Fault('invalid', 'RECOVERY_TARGET_UNREACHABLE', `${what} ${describeTarget(request.target)}: ${why}`, {
    hint:
      window === undefined
        ? 'There is no finished full backup with archived WAL behind it.'
        : `What can be reached goes ${window}. If the old server still has newer WAL, archive it first with waltz wal-push.`,
    context: window === undefined ? {} : { window },
  })
}

function compareLsn(a: Lsn | undefined, b: Lsn | undefined): number {
  const left = a ?? 0n
  const right = b ?? 0n
  return left < right ? -1 : left > right ? 1 : 0
}

function moment(epochMs: number): string {
  return formatMoment(Math.round(epochMs * 1000), 0)
}
