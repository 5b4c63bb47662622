import type { FaultCodeTable } from '@waltz/errors'

/** Codes thrown by this package. */
export const faultCodes: FaultCodeTable = {
  PG_LSN_INVALID: 'A text is not a WAL position. Write it as PostgreSQL does: two hexadecimal numbers with a slash, like 0/3000028.',
  PG_TIMELINE_INVALID: 'A text or number is not a timeline. Timelines are whole numbers from 1 to 4294967295.',
  PG_SYSTEM_IDENTIFIER_INVALID:
    'A text is not a system identifier: a decimal number below 2^64. `pg_controldata` prints the right one as "Database system identifier".',
  WAL_NAME_INVALID:
    'A name is not one of a WAL segment, .partial, .backup or .history file. Pass the file name as PostgreSQL gives it (%f).',
  WAL_SEGMENT_SIZE_MISMATCH:
    'A WAL file name cannot exist with this segment size. Set the segment size of the server (`SHOW wal_segment_size`).',
  WAL_PAGE_TOO_SHORT: 'The bytes end before a WAL page header does. The segment was cut: copy it again from its source.',
  PG_CONTROL_CORRUPT:
    'The control file is too short or its fields are impossible. Check that global/pg_control is whole and belongs to PostgreSQL on a little-endian machine.',
  PG_CONTROL_UNSUPPORTED: 'The control file was written by a PostgreSQL version that is not known here (9.6 to 18 are).',
  TIMELINE_HISTORY_INVALID:
    'A timeline history file breaks its own format. Copy it again from pg_wal of the server that made the timeline.',
  BACKUP_LABEL_INVALID:
    'A backup label or backup history file lacks a line that PostgreSQL always writes. It was cut or edited: use another backup.',
}
