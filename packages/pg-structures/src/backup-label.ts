import { Fault, isFault } from '@waltz/errors'
import { parseLsn, parseTimelineId } from './identifiers.ts'
import type { Lsn, TimelineId, WalFileName } from './names.ts'
import { parseWalFileName } from './wal-names.ts'

/** What `backup_label` or a `.backup` file says. Times are texts: the server writes them in its own time zone. */
export interface BackupLabel {
  readonly startLsn: Lsn
  readonly startWalFile: WalFileName
  readonly checkpointLsn: Lsn
  /** `streamed`, or `pg_start_backup` of exclusive backups. */
  readonly backupMethod: string | undefined
  /** `primary` (`master` before 13) or `standby`. */
  readonly backupFrom: string | undefined
  readonly startTime: string | undefined
  readonly label: string | undefined
  /** Undefined before PostgreSQL 11. */
  readonly startTimeline: TimelineId | undefined
  /** The next three are in `.backup` files only, where all are there. */
  readonly stopLsn: Lsn | undefined
  readonly stopWalFile: WalFileName | undefined
  readonly stopTime: string | undefined
  readonly stopTimeline: TimelineId | undefined
  /** PostgreSQL 17 and later, in the label of a server-made incremental backup. */
  readonly incrementalFromLsn: Lsn | undefined
  readonly incrementalFromTimeline: TimelineId | undefined
}

function location(value: string | undefined): readonly [Lsn, WalFileName] | undefined {
  const match = value === undefined ? null : /^(\S+) \(file (\S+)\)$/.exec(value)
  return match?.[1] === undefined || match[2] === undefined ? undefined : [parseLsn(match[1]), parseWalFileName(match[2])]
}

function decode(lines: ReadonlyMap<string, string>): BackupLabel {
  const optional = <Value>(key: string, parse: (text: string) => Value): Value | undefined => {
    const value = lines.get(key)
    return value === undefined ? undefined : parse(value)
  }
  const start = location(lines.get('START WAL LOCATION'))
  const checkpointLsn = optional('CHECKPOINT LOCATION', parseLsn)
  if (start === undefined || checkpointLsn === undefined) {
    throw new Fault('corrupt', 'BACKUP_LABEL_INVALID', 'a backup label lacks its START WAL LOCATION or CHECKPOINT LOCATION line')
  }
  const stop = location(lines.get('STOP WAL LOCATION'))
  return {
    startLsn: start[0],
    startWalFile: start[1],
    checkpointLsn,
    backupMethod: lines.get('BACKUP METHOD'),
    backupFrom: lines.get('BACKUP FROM'),
    startTime: lines.get('START TIME'),
    label: lines.get('LABEL'),
    startTimeline: optional('START TIMELINE', parseTimelineId),
    stopLsn: stop?.[0],
    stopWalFile: stop?.[1],
    stopTime: lines.get('STOP TIME'),
    stopTimeline: optional('STOP TIMELINE', parseTimelineId),
    incrementalFromLsn: optional('INCREMENTAL FROM LSN', parseLsn),
    incrementalFromTimeline: optional('INCREMENTAL FROM TLI', parseTimelineId),
  }
}

/**
 * Reads `backup_label`, or the `.backup` file that the server archives when a backup ends (build_backup_content of
 * xlogbackup.c). Unknown lines are passed over; of a repeated line the first counts.
 * @throws Fault `corrupt` `BACKUP_LABEL_INVALID` when the start or checkpoint line is missing or a value does not parse.
 */
export function parseBackupLabel(text: string): BackupLabel {
  const lines = new Map<string, string>()
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(': ')
    if (colon < 0) continue
    const key = line.slice(0, colon)
    if (!lines.has(key)) lines.set(key, line.slice(colon + 2))
  }
  try {
    return decode(lines)
  } catch (error) {
    if (!isFault(error, 'invalid')) throw error
    throw new Fault('corrupt', 'BACKUP_LABEL_INVALID', `a backup label holds an impossible value: ${error.message}`, { cause: error })
  }
}
