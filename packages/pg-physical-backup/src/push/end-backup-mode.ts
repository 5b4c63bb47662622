import { Fault } from '@waltz/errors'
import { formatLsn, parseBackupLabel, parseLsn, type Lsn } from '@waltz/pg-structures'
import type { ServerFacts } from './server-facts.ts'
import type { SqlConnection } from './sql-connection.ts'

/** What the server says when a backup ends. */
export interface BackupEnd {
  readonly finishLsn: Lsn
  /** Contents of `backup_label`. */
  readonly backupLabel: string
  /** Contents of `tablespace_map`; empty without tablespaces. */
  readonly tablespaceMap: string
}

/** What the end is compared with. */
export interface EndOptions {
  readonly facts: ServerFacts
  readonly startLsn: Lsn
  /** 0 for no limit. */
  readonly timeoutMs: number
}

/**
 * Ends the backup of a session without waiting for the archiver, and makes sure that what the server says fits what is
 * known of its start: one timeline all the way, and the label of this very backup.
 * @throws Fault `conflict` `BACKUP_TIMELINE_CHANGED`; `corrupt` `BACKUP_LABEL_INVALID`; what the connection says.
 */
export async function endBackupMode(connection: SqlConnection, options: EndOptions): Promise<BackupEnd> {
  const { facts, startLsn, timeoutMs } = options
  await connection.query(`select set_config('statement_timeout', '${Math.ceil(timeoutMs)}', false)`)
  const call = facts.serverVersion >= 150_000 ? 'pg_backup_stop(wait_for_archive => false)' : 'pg_stop_backup(false, false)'
  const [row] = await connection
    .query(`select lsn::text as lsn, labelfile, spcmapfile from ${call}`)
    .catch(async (error: unknown) => Promise.reject((await promotion(connection, facts)) ?? error))
  await connection.query(`select set_config('statement_timeout', '0', false)`)
  const end: BackupEnd = {
    finishLsn: parseLsn(row?.['lsn'] ?? ''),
    backupLabel: row?.['labelfile'] ?? '',
    tablespaceMap: row?.['spcmapfile'] ?? '',
  }
  const label = parseBackupLabel(end.backupLabel)
  if (label.startLsn !== startLsn) {
    throw new Fault(
      'internal',
      'ASSERTION_FAILED',
      `the server ended a backup that began at ${formatLsn(label.startLsn)}, not at ${formatLsn(startLsn)}`,
    )
  }
  await requireOneTimeline(connection, facts, label.startTimeline)
  return end
}

/** The server refuses to end the backup of a standby that was promoted meanwhile. */
async function promotion(connection: SqlConnection, { inRecovery, timeline }: ServerFacts): Promise<Fault | undefined> {
  if (!inRecovery) return undefined
  const rows = await connection.query('select pg_is_in_recovery()::text as in_recovery').catch(() => [])
  return rows[0]?.['in_recovery'] === 'false' ? timelineFault(timeline, 'another one: it was promoted') : undefined
}

/**
 * On a standby the position where the backup ends is the minimum recovery point, which has a timeline of its own: the checkpoint in
 * pg_control may still be on the old timeline when replay has long followed another one.
 */
async function requireOneTimeline(connection: SqlConnection, facts: ServerFacts, started: number | undefined): Promise<void> {
  if (started !== undefined && started !== facts.timeline) throw timelineFault(started, String(facts.timeline))
  if (!facts.inRecovery) return
  const [row] = await connection.query(`select (select timeline_id from pg_control_checkpoint())::text as checkpoint,
    (select min_recovery_end_timeline from pg_control_recovery())::text as replayed`)
  for (const now of [row?.['checkpoint'], row?.['replayed']]) {
    if (now !== undefined && now !== null && now !== '0' && Number(now) !== facts.timeline) throw timelineFault(facts.timeline, now)
  }
}

function timelineFault(from: number, to: string): Fault {
  return new Fault('conflict', 'BACKUP_TIMELINE_CHANGED', `the server went from timeline ${from} to ${to} during the backup`, {
    hint: 'Run the backup again.',
  })
}
