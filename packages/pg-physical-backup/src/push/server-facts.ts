import { Fault } from '@waltz/errors'
import type { SystemIdentifier, TimelineId } from '@waltz/pg-structures'
import type { SqlConnection } from './sql-connection.ts'

/** The versions whose backup functions and files this package knows, as `server_version_num`. */
const OLDEST_VERSION = 130_000
const FIRST_UNKNOWN_VERSION = 190_000

/** What the server says of itself before a backup. */
export interface ServerFacts {
  /** `server_version_num`, for instance 150018. */
  readonly serverVersion: number
  readonly systemIdentifier: SystemIdentifier
  readonly dataDirectory: string
  readonly inRecovery: boolean
  /** Of the last checkpoint or restartpoint. */
  readonly timeline: TimelineId
  readonly walSegmentBytes: number
  readonly dataChecksums: boolean
  /** Whether the server archives its WAL: `archive_mode` on or always, and a command or a library to do it. */
  readonly archives: boolean
}

const FACTS = `select current_setting('server_version_num') as version,
  (select system_identifier from pg_control_system())::text as system_identifier,
  current_setting('data_directory') as data_directory,
  pg_is_in_recovery()::text as in_recovery,
  (select timeline_id from pg_control_checkpoint())::text as timeline,
  (select bytes_per_wal_segment from pg_control_init())::text as wal_segment_bytes,
  current_setting('data_checksums') as data_checksums,
  current_setting('archive_mode') as archive_mode,
  current_setting('archive_command') as archive_command,
  coalesce(current_setting('archive_library', true), '') as archive_library`

/**
 * Asks the server for its facts.
 * @throws Fault `unsupported` `SERVER_VERSION_UNSUPPORTED` for a release that is older or newer than what is known here.
 */
export async function readServerFacts(connection: SqlConnection): Promise<ServerFacts> {
  const [version] = await connection.query(
    `select current_setting('server_version_num') as version, current_setting('server_version') as name`,
  )
  const serverVersion = Number(version?.['version'])
  if (!(serverVersion >= OLDEST_VERSION && serverVersion < FIRST_UNKNOWN_VERSION)) {
    throw new Fault(
      'unsupported',
      'SERVER_VERSION_UNSUPPORTED',
      `this is PostgreSQL ${version?.['name'] ?? '?'}; backups are made of 13 to 18`,
      {
        hint: serverVersion < OLDEST_VERSION ? 'Upgrade the server.' : 'Upgrade Waltz.',
      },
    )
  }
  const [row = {}] = await connection.query(FACTS)
  const text = (name: string): string => row[name] ?? ''
  return {
    serverVersion,
    systemIdentifier: BigInt.asUintN(64, BigInt(text('system_identifier'))) as SystemIdentifier,
    dataDirectory: text('data_directory'),
    inRecovery: text('in_recovery') === 'true',
    timeline: Number(text('timeline')) as TimelineId,
    walSegmentBytes: Number(text('wal_segment_bytes')),
    dataChecksums: text('data_checksums') === 'on',
    archives: archives(text('archive_mode'), text('archive_command'), text('archive_library')),
  }
}

function archives(mode: string, command: string, library: string): boolean {
  if (mode !== 'on' && mode !== 'always') return false
  return library !== '' || (command !== '' && command !== '(disabled)')
}
