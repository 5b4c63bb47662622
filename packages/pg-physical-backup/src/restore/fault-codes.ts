import type { FaultCodeTable } from '@waltz/errors'

/** Codes thrown by the restore. */
export const restoreFaultCodes: FaultCodeTable = {
  BACKUP_CONTROL_DAMAGED: 'The part with the control file is damaged. Restore another backup.',
  BACKUP_CONTROL_MISMATCH: 'The control file belongs to another cluster than the backup. Objects were mixed; restore another backup.',
  BACKUP_FILE_LIST_INVALID: 'The file list of a backup is damaged or was replaced. Restore another backup.',
  BACKUP_FILE_LIST_MISSING:
    'files_metadata.json is missing although the backup must have it, so nothing tells whether its parts are complete. Restore another backup, or bring the object back.',
  BACKUP_INCREMENTAL: 'Incremental backups cannot be restored yet. Restore a full one.',
  BACKUP_LABEL_MISMATCH: 'The backup_label belongs to another backup of the same name. Restore another backup.',
  BACKUP_LABEL_MISSING: 'The backup holds no backup_label; a server started without it would keep damaged pages. Restore another backup.',
  BACKUP_PART_DAMAGED:
    'A stored part is not what was stored: its size or checksum differs. Restore another backup, or bring the object back.',
  BACKUP_PART_MISSING: 'A part of the backup is missing from the storage. Restore another backup, or bring the object back.',
  BACKUP_WAL_E: 'Backups made by WAL-E cannot be restored yet.',
  RECOVERY_TARGET_INVALID: 'A recovery target is not written as PostgreSQL takes it. The message says what is expected.',
  RECOVERY_TARGET_UNREACHABLE: 'No backup can reach the recovery target. The message shows the window that can be reached.',
  RECOVERY_VERSION_UNSUPPORTED: 'Recovery settings are written for PostgreSQL 12 and newer only. Restore without them.',
  RESTORE_ALREADY_COMPLETE: 'The restore into this folder had finished; only its marker was left. Delete the marker and start the server.',
  RESTORE_DESTINATION_INVALID:
    'The target cannot be used: not a folder, no parent, or overlapping with another folder in use. Choose another one.',
  RESTORE_DESTINATION_NOT_EMPTY: 'The target folder holds something. Give an empty folder or one that does not exist.',
  RESTORE_DESTINATION_RUNNING: 'The target is the folder of a server that runs or was killed (postmaster.pid). Restore elsewhere.',
  RESTORE_FAILED: 'Extracting a part failed for an unexpected reason. This is a bug: please report it with the message.',
  RESTORE_FILES_MISSING: 'Files that the backup lists are in none of its parts. Restore another backup.',
  RESTORE_FOREIGN_FILE: 'An interrupted restore was not cleared, because the folder holds a file that is not of the backup. Move it away.',
  RESTORE_IN_PROGRESS: 'Another restore is writing into the target right now. Wait, or restore elsewhere.',
  RESTORE_INTERRUPTED_OTHER: 'The target holds an interrupted restore of another backup. Finish that one, or delete the folder.',
  RESTORE_MARKER_UNREADABLE: 'The marker of an interrupted restore cannot be read. Look into the folder and delete it.',
  RESTORE_NO_SPACE: 'The file system of the target is full. Free space and run the same command again.',
  RESTORE_NOT_WRITABLE: 'The target may not be written. Run the restore as the user that shall own the files.',
  RESTORE_SELECTOR_MISSING: 'Nothing says which backup to restore. Give a name, LATEST, user data or a recovery target.',
  RESTORE_SPEC_INCOMPLETE: 'The restore spec leaves out a tablespace of the backup. Give every one a location.',
  RESTORE_TABLESPACE_NOT_EMPTY: 'A tablespace location holds something. Use a restore spec to put it elsewhere.',
  RESTORE_UNSAFE_MEMBER: 'A member of the backup would leave the target folder. The backup was damaged or tampered with.',
  RESTORE_WRITE_FAILED: 'Writing a restored file failed. Look at the file system of the target.',
}
