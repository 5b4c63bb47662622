import type { RetainableBackup } from './backup.ts'
import type { LogBranch } from './log.ts'
import { consistentAt, hasItsLog, type LogMap } from './log-map.ts'
import { byFrom } from './order.ts'
import type { RestorableWindow, RetentionDecision } from './plan.ts'

interface Stretch {
  readonly backup: RetainableBackup
  readonly from: bigint
  readonly to: bigint
}

/**
 * What can be restored of what can be restored now: backups without log first, each a point, then stretches of the branches, in the order of
 * these.
 */
export function restorableWindows(
  decisions: readonly RetentionDecision[],
  map: LogMap | undefined,
  branches: readonly LogBranch[],
): readonly RestorableWindow[] {
  const able = decisions.filter(({ restorable, backup }) => restorable && hasItsLog(backup, map)).map(({ backup }) => backup)
  const points = able.filter(({ log }) => !log || !map)
  const windows = points.map((backup) => windowOf(backup, momentOf(backup)))
  if (!map) return windows
  for (const { id: branch, runs } of branches) {
    const stretches = able.flatMap((backup) => stretchOn(branch, backup, map))
    for (const { backup, from, to } of mergeStretches(stretches)) {
      const toMoment = from === to ? momentOf(backup) : runs.find((run) => run.to === to)?.lastAt
      windows.push(windowOf(backup, toMoment, { branch, from, to }))
    }
  }
  return windows
}

/** What of a branch can be restored beginning with a backup: nothing, or one stretch. */
function stretchOn(branch: string, backup: RetainableBackup, map: LogMap): readonly Stretch[] {
  const { log } = backup
  if (!log || !map.reaches(log, branch)) return []
  const to = map.covered(branch, log.from)
  const from = log.branch === branch ? consistentAt(log) : map.ancestorsOf(branch).values().next().value
  return from === undefined || to < from || (to === from && log.branch !== branch) ? [] : [{ backup, from, to }]
}

/** Those of one branch, without overlaps. The first backup is the one that opens the window. */
function mergeStretches(stretches: readonly Stretch[]): readonly Stretch[] {
  const merged: Stretch[] = []
  for (const stretch of stretches.toSorted(byFrom)) {
    // Those that begin inside the last one end where it does: at the same gap.
    if ((merged.at(-1)?.to ?? -1n) < stretch.from) merged.push(stretch)
  }
  return merged
}

const momentOf = ({ finishedAt, startedAt }: RetainableBackup): Date | undefined => finishedAt ?? startedAt

const windowOf = (
  backup: RetainableBackup,
  toMoment: Date | undefined,
  where: Pick<RestorableWindow, 'branch' | 'from' | 'to'> = noWhere,
): RestorableWindow => ({ ...where, backup: backup.id, series: backup.series, fromMoment: momentOf(backup), toMoment })

const noWhere = { branch: undefined, from: undefined, to: undefined }
