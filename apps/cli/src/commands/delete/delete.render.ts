import {
  totalOf,
  type ObjectSum,
  type RemovalDecision,
  type RemovalEvent,
  type RemovalPhase,
  type RemovalPlan,
  type RemovalResult,
} from '@waltz/backup-kit'
import type { Log } from '../../log.ts'
import { formatBytes } from '../../format-amount.ts'
import { renderPlainTable } from '../../render-table.ts'

type Window = RemovalPlan['windowsBefore'][number]

const FOLDERS: Readonly<Record<RemovalPhase, string>> = {
  sentinels: 'basebackups_005/ (sentinels)',
  backups: 'basebackups_005/',
  catchups: 'catchup_005/',
  wal: 'wal_005/',
  waltz: 'waltz/',
}

/** The plan for people: backups, backups for standbys, WAL, what can be restored before and after, and what should be known. */
export function renderRemovalPlan(plan: RemovalPlan): string {
  const parts = [
    plan.decisions.length === 0 ? '' : backupTable(plan),
    plan.catchups.some(({ keep }) => !keep)
      ? renderPlainTable(
          ['catchup', 'storage', 'what', 'size', 'why'],
          plan.catchups.map(({ name, storage, keep, bytes, reason }) => [name, storage, whatText(keep), formatBytes(bytes), reason]),
        )
      : '',
    plan.wal.some(({ removed }) => removed.objects > 0) ? walTable(plan) : '',
    [...windowLines('can be restored now', plan.windowsBefore), ...windowLines('can be restored after', plan.windowsAfter)].join(''),
    plan.notes.map(({ text }) => `note: ${text}\n`).join(''),
    plan.nothing === undefined ? `deletes ${sumText(totalOf(plan.sums))}\nplan ${plan.id}\n` : `nothing to delete: ${plan.nothing}\n`,
  ]
  return parts.filter((part) => part !== '').join('\n')
}

function backupTable({ decisions }: RemovalPlan): string {
  return renderPlainTable(
    ['backup', 'storage', 'started', 'what', 'size', 'restores', 'why'],
    decisions.map(({ entry, keep, reasons, bytes, window }) => [
      entry.name,
      entry.storage,
      entry.startedAt?.toISOString() ?? '-',
      whatText(keep),
      formatBytes(bytes),
      WINDOWS[window],
      reasons.map(({ text }) => text).join('; '),
    ]),
  )
}

const whatText = (keep: boolean): string => (keep ? 'keep' : 'delete')
const WINDOWS: Readonly<Record<RemovalDecision['window'], string>> = { onward: 'any time after it', itself: 'itself', none: '-' }

function walTable({ wal }: RemovalPlan): string {
  return renderPlainTable(
    ['timeline', 'storage', 'deletes', 'size', 'from', 'to', 'keeps', 'why'],
    wal.map(({ timeline, storage, removed, kept, removedFrom, removedTo, reason }) => [
      String(timeline),
      storage,
      String(removed.objects),
      formatBytes(removed.bytes),
      removedFrom ?? '-',
      removedTo ?? '-',
      String(kept.objects),
      reason,
    ]),
  )
}

function windowLines(title: string, windows: readonly Window[]): readonly string[] {
  if (windows.length === 0) return [`${title}: nothing\n`]
  return windows.map((window) => `${title}: ${windowText(window)}\n`)
}

function windowText({ fromMoment, toMoment, branch, backup }: Window): string {
  const from = fromMoment?.toISOString() ?? 'an unknown time'
  const to = toMoment?.toISOString() ?? 'an unknown time'
  const span = from === to ? from : `${from} to ${to}`
  return `${span}${branch === undefined ? '' : `, timeline ${branch}`}, beginning with ${backup}`
}

function sumText({ objects, bytes }: ObjectSum): string {
  return `${objects} ${objects === 1 ? 'object' : 'objects'} (${formatBytes(bytes)})`
}

const MOST_ROWS = 50

/** What stays although it was to go, and until when a lock keeps it. Empty when nothing does. */
export function renderFailures({ failures, failed, locked }: RemovalResult): string {
  if (failed === 0) return ''
  const rows = failures
    .slice(0, MOST_ROWS)
    .map(({ key, storage, fault, lock }) => [key, storage, lock === undefined ? '-' : lockText(lock), fault.message])
  const more = failed > rows.length ? `and ${failed - rows.length} more\n` : ''
  const end = locked.until === undefined ? '' : `; the last of the locks ends at ${locked.until.toISOString()}`
  const sum = locked.objects === 0 ? '' : `${locked.objects} ${locked.objects === 1 ? 'object is' : 'objects are'} locked${end}\n`
  return `${renderPlainTable(['stays', 'storage', 'locked until', 'why'], rows)}${more}${sum}`
}

function lockText({ until, held = false }: NonNullable<RemovalResult['failures'][number]['lock']>): string {
  const end = until?.toISOString()
  return held ? [end, 'the hold is lifted'].filter(Boolean).join(', and ') : (end ?? 'an unknown time')
}

/** How many objects go of each folder, on standard error: scripts look there for the folder and the count (CMD 14). */
export function sayRemovalSums(plan: RemovalPlan, log: Log): void {
  for (const phase of Object.keys(FOLDERS) as readonly RemovalPhase[]) {
    const sum = plan.sums[phase]
    if (sum.objects > 0) log.info(`Objects marked for deletion in ${FOLDERS[phase]}: ${sumText(sum)}`)
  }
  if (plan.nothing !== undefined) log.info(`No backup found for deletion: ${plan.nothing}`)
}

/** What happens while a plan is made and carried out. */
export function logRemovalEvent(log: Log): (event: RemovalEvent) => void {
  return (event) => {
    if (event.type === 'removal-warning') log.warn(event.message)
    else if (event.type === 'removal-listed') log.debug(`storage ${event.storage}: ${event.objects} objects listed`)
    else log.debug(`storage ${event.storage}: ${event.objects} objects deleted (${formatBytes(event.bytes)})`)
  }
}

/** The plan for programs, with what was done where something was. One line. */
export function renderRemovalJson(plan: RemovalPlan, result?: RemovalResult): string {
  const document = {
    plan: plan.id,
    command: plan.command,
    dry_run: result === undefined,
    now: plan.now,
    storages: plan.storages,
    left_out: plan.leftOut,
    wal_segment_bytes: plan.segmentBytes ?? null,
    backups: plan.decisions.map(jsonOfDecision),
    catchups: plan.catchups,
    wal: plan.wal.map(({ storage, timeline, kept, removed, removedFrom, removedTo, reason }) => ({
      storage,
      timeline,
      kept,
      removed,
      removed_from: removedFrom ?? null,
      removed_to: removedTo ?? null,
      reason,
    })),
    deletes: { ...plan.sums, total: totalOf(plan.sums) },
    restorable_before: plan.windowsBefore.map(jsonOfWindow),
    restorable_after: plan.windowsAfter.map(jsonOfWindow),
    interrupted: plan.interrupted.map(({ storage, intent }) => ({ storage, command: intent.command, started_at: intent.startedAt })),
    notes: plan.notes,
    nothing: plan.nothing ?? null,
    ...(result !== undefined && {
      result: {
        deleted: result.removed,
        failed: result.failed,
        not_tried: result.notTried,
        locked: { objects: result.locked.objects, until: result.locked.until ?? null },
        failures: result.failures.map(({ storage, key, fault, lock }) => ({
          storage,
          key,
          code: fault.code,
          message: fault.message,
          locked_until: lock?.until ?? null,
          held: lock?.held === true,
        })),
      },
    }),
  }
  return `${JSON.stringify(document)}\n`
}

function jsonOfDecision({ entry, keep, reasons, bytes, restorable, window }: RemovalDecision): Record<string, unknown> {
  return {
    backup_name: entry.name,
    storage_name: entry.storage,
    start_time: entry.startedAt ?? null,
    status: entry.status,
    keep,
    reasons,
    bytes,
    restorable,
    window,
    is_permanent: entry.permanent,
    parent: entry.increment?.parent ?? null,
  }
}

function jsonOfWindow({ branch, backup, fromMoment, toMoment }: Window): Record<string, unknown> {
  return { timeline: branch === undefined ? null : Number(branch), backup, from: fromMoment ?? null, to: toMoment ?? null }
}
