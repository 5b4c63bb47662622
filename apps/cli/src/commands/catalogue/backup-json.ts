import type { CatalogueEntry, RestorableWindow } from '@waltz/backup-kit'
import { formatTimestamp } from '@waltz/repository'
import { allStatuses, depthOf, kindOf, shownStatus, type BackupView } from './backup-view.ts'

/** Members of a JSON object in their order. */
export type Members = Map<string, unknown>

/**
 * A backup for programs: WAL-G's members under WAL-G's names (CMD 3.3), and what Waltz knows beyond. Unknown is null; positions and the
 * system identifier are numbers of up to 64 bits.
 */
export function backupMembers({ entry, wal }: BackupView): Members {
  return new Map<string, unknown>([
    ['backup_name', entry.name],
    ['storage_name', entry.storage],
    ['status', shownStatus(entry)],
    ['statuses', allStatuses(entry)],
    [
      'findings',
      entry.findings.map(
        ({ kind, message }) =>
          new Map([
            ['kind', kind],
            ['message', message],
          ]),
      ),
    ],
    ['time', timeOf(entry)],
    ['wal_file_name', entry.walFileName],
    ...factMembers(entry),
    ['type', kindOf(entry) ?? null],
    ['increment_depth', depthOf(entry)],
    ['parent', entry.increment?.parent ?? null],
    ['full', entry.increment?.full ?? null],
    ['stored_objects', entry.folder?.objects ?? null],
    ['stored_bytes', entry.folder?.bytes ?? null],
    ['user_data', entry.userData ?? null],
    ...(wal === undefined
      ? []
      : [
          [
            'needed_wal',
            new Map([
              ['first', wal.first],
              ['last', wal.last],
            ]),
          ] as const,
          [
            'missing_wal',
            wal.missing.map(
              ({ first, last, segments }) =>
                new Map<string, unknown>([
                  ['first', first],
                  ['last', last],
                  ['segments', segments],
                ]),
            ),
          ] as const,
          ['windows', wal.windows.map(windowMembers)] as const,
        ]),
  ])
}

function factMembers(entry: CatalogueEntry): readonly (readonly [string, unknown])[] {
  return [
    ['start_time', entry.startedAt ?? null],
    ['finish_time', entry.finishedAt ?? null],
    ['hostname', entry.hostname],
    ['data_dir', entry.dataDirectory],
    ['pg_version', entry.serverVersion ?? null],
    ['timeline', entry.timeline ?? null],
    ['start_lsn', entry.startLsn ?? null],
    ['finish_lsn', entry.finishLsn ?? null],
    ['system_identifier', entry.systemIdentifier ?? null],
    ['is_permanent', entry.permanent],
    ['uncompressed_size', entry.restoredBytes ?? null],
    ['compressed_size', entry.storedBytes ?? null],
    ['data_dir_size', entry.dataDirectoryBytes ?? null],
  ].map(([name, value]) => [name as string, value instanceof Date ? isoOf(value) : value] as const)
}

function windowMembers({ timeline, fromLsn, fromTime, untilLsn, untilTime, endsInGap }: RestorableWindow): Members {
  return new Map<string, unknown>([
    ['timeline', timeline],
    ['from_lsn', fromLsn],
    ['from_time', isoOf(fromTime)],
    ['until_lsn', untilLsn],
    ['until_time', isoOf(untilTime)],
    ['ends_in_gap', endsInGap],
  ])
}

function isoOf(time: Date | undefined): string | null {
  if (time === undefined) return null
  return formatTimestamp({ ns: BigInt(time.getTime()) * 1_000_000n, offsetMinutes: 0 }, 'nanoseconds')
}

/** When its sentinel was stored. */
function timeOf({ sentinel }: CatalogueEntry): string | null {
  if (sentinel === undefined) return null
  const ns = sentinel.modifiedAtNs ?? BigInt(sentinel.modifiedAt.getTime()) * 1_000_000n
  return formatTimestamp({ ns, offsetMinutes: 0 }, 'nanoseconds')
}
