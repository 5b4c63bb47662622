import type { RestoredBackup, RestorePlan } from '@waltz/backup-kit'
import { formatLsn } from '@waltz/pg-structures'
import type { SettingWarning } from '@waltz/settings'
import { formatBytes } from './format-amount.ts'

/** A plan as people read it: one line per fact, the recovery settings as they would be written. */
export function renderPlan(plan: RestorePlan): string {
  const { backup, recovery } = plan
  const rows: (readonly [string, string])[] = [
    ['backup', backup.name],
    ['why', backup.reason],
    ...backup.passedOver.map(({ name, why }) => ['not taken', `${name} ${why}`] as const),
    ['taken', `${backup.startTime ?? 'unknown'} to ${backup.finishTime ?? 'unknown'}`],
    ['WAL position', `${lsnText(backup.startLsn)} to ${lsnText(backup.finishLsn)}`],
    ['server', `version ${backup.serverVersion}, system identifier ${backup.systemIdentifier}`],
    ['destination', `${plan.destination.path} (${plan.destination.state})`],
    ['parts', `${plan.parts.length}, ${formatBytes(plan.storedBytes)} stored, ${formatBytes(plan.uncompressedBytes)} of files`],
    ...plan.space.map(({ path, freeBytes }) => ['free space', `${formatBytes(freeBytes)} for ${path}`] as const),
    ...plan.tablespaces.map((one) => ['tablespace', `${one.name}: ${one.originalLocation} -> ${one.location}`] as const),
    ['WAL needed', walText(plan)],
    ['checked', plan.notFullyChecked.length === 0 ? 'every byte' : `not fully: ${plan.notFullyChecked.join('; ')}`],
    ['recovery', recovery === undefined ? 'no settings are written' : `${recovery.signalFile}, to ${recovery.target}`],
    ...plan.warnings.map((warning) => ['warning', warning] as const),
    ...plan.refusals.map((refusal) => ['REFUSED', refusal.message] as const),
  ]
  const width = Math.max(...rows.map(([title]) => title.length)) + 2
  const text = rows.map(([title, value]) => `${title.padEnd(width)}${value}\n`).join('')
  return recovery === undefined ? text : `${text}\nat the end of postgresql.auto.conf:\n${recovery.block}`
}

/** A plan for `--json`. */
export function planAsJson(plan: RestorePlan): unknown {
  const { backup, recovery, wal } = plan
  return {
    backup_name: backup.name,
    reason: backup.reason,
    not_taken: backup.passedOver,
    start_time: backup.startTime,
    finish_time: backup.finishTime,
    start_lsn: backup.startLsn,
    finish_lsn: backup.finishLsn,
    pg_version: backup.serverVersion,
    system_identifier: backup.systemIdentifier,
    destination: plan.destination.path,
    destination_state: plan.destination.state,
    parts: plan.parts.map((part) => ({ name: part.name, size: part.storedBytes })),
    compressed_size: plan.storedBytes,
    uncompressed_size: plan.uncompressedBytes,
    space: plan.space.map(({ path, freeBytes }) => ({ path, free: freeBytes })),
    tablespaces: plan.tablespaces.map((one) => ({ name: one.name, original_location: one.originalLocation, location: one.location })),
    ...(wal === undefined
      ? {}
      : {
          wal: {
            timeline: wal.timeline,
            first: wal.firstSegment,
            last: wal.lastSegment,
            segments: wal.segments,
            missing: wal.missing.count,
            missing_names: wal.missing.names,
            holes: wal.holes.count,
            hole_names: wal.holes.names,
          },
        }),
    ...(recovery === undefined
      ? {}
      : {
          recovery: {
            signal_file: recovery.signalFile,
            target: recovery.target,
            settings: Object.fromEntries(recovery.settings),
            required_variables: recovery.requiredVariables,
          },
        }),
    not_fully_checked: plan.notFullyChecked,
    warnings: plan.warnings,
    refusals: plan.refusals.map(({ kind, code, message }) => ({ kind, code, message })),
  }
}

/** A finished restore for `--json`. */
export function resultAsJson(result: RestoredBackup, seconds: number, settingWarnings: readonly SettingWarning[]): unknown {
  return {
    ...(planAsJson(result.plan) as Record<string, unknown>),
    files: result.files,
    directories: result.directories,
    bytes: result.bytes,
    seconds,
    retried_parts: result.retriedParts,
    started_over: result.startedOver,
    synced: result.synced,
    skipped: { count: result.skipped.count, members: result.skipped.members },
    vanished: { count: result.vanished.count, names: result.vanished.names },
    links: result.recordedLinks,
    warnings: [...result.warnings, ...settingWarnings.map((warning) => warning.message)],
  }
}

function walText({ wal }: RestorePlan): string {
  if (wal === undefined) return 'unknown'
  const missing = wal.missing.count === 0 ? 'all archived' : `${wal.missing.count} not archived: ${wal.missing.names.join(', ')}`
  return `${wal.firstSegment} to ${wal.lastSegment} (${wal.segments}), ${missing}`
}

function lsnText(position: Parameters<typeof formatLsn>[0] | undefined): string {
  return position === undefined ? 'unknown' : formatLsn(position)
}
