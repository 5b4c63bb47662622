import type { FaultCodeTable } from '@waltz/errors'
import { restoreFaultCodes } from './restore/fault-codes.ts'

/** Codes thrown by this package. */
export const faultCodes: FaultCodeTable = {
  BACKUP_CORRUPT_PAGES:
    'Pages of the data directory are corrupt and WALTZ_CORRUPT_PAGES is `fail`. Repair the relations that the log names, or set `report`.',
  BACKUP_PARTS_CHANGED:
    'The storage does not hold the parts that were stored, or holds others: the backup is not announced. Find out what else writes or deletes there.',
  BACKUP_NAME_TAKEN:
    'A finished backup has the same name: both start in the same WAL segment. On a standby run CHECKPOINT on the primary, then the backup again.',
  BACKUP_TIMELINE_CHANGED: 'The standby followed another timeline during the backup. Run the backup again.',
  CONTROL_FILE_DAMAGED:
    'The checksum of global/pg_control stays wrong, however often it is read. Check the disk of the data directory before anything else.',
  DATA_DIRECTORY_MISMATCH: 'The directory is not the data directory of the server that PGHOST and PGPORT lead to. Correct one of them.',
  DATA_DIRECTORY_UNREADABLE:
    'Something in the data directory exists and cannot be read. Run the backup as the user that owns the data directory.',
  DATA_DIRECTORY_UNSUITABLE: 'The directory is not a data directory that can be backed up. Give the data directory of a running server.',
  DATA_FILE_UNREADABLE: 'A file of the data directory exists and cannot be read. Check its permissions, and the disk.',
  SERVER_CONNECTION_LOST:
    'The session with the server ended during the backup, and the server left backup mode. Look at its log, then run the backup again.',
  SERVER_VERSION_UNSUPPORTED: 'The server is older or newer than the releases that backups are made of.',
  SPOOL_FAILED: 'A temporary list could not be written. Free some space in the temporary folder, or set WALTZ_SPOOL_DIR to another one.',
  ...restoreFaultCodes,
}
