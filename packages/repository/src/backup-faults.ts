import { Fault } from '@waltz/errors'

const LIST_HINT = 'List the backups with `waltz backup-list`.'

/** The fault for a name that no backup has: `not-found` `BACKUP_NOT_FOUND`. */
export function backupNotFoundFault(name: string, cause?: unknown): Fault {
  return new Fault('not-found', 'BACKUP_NOT_FOUND', `there is no backup named ${JSON.stringify(name)}`, {
    context: { backup: name },
    hint: LIST_HINT,
    cause,
  })
}

/** The fault for the latest of none: `not-found` `BACKUP_NONE`. */
export function noBackupFault(): Fault {
  return new Fault('not-found', 'BACKUP_NONE', 'there is no backup in the repository', {
    hint: 'Make one with `waltz backup-push`, or check the storage settings.',
  })
}

/** The fault for a backup without `metadata.json`, which lies under `key`: `not-found` `BACKUP_METADATA_NOT_FOUND`. */
export function metadataNotFoundFault(name: string, key: string, cause?: unknown): Fault {
  return new Fault('not-found', 'BACKUP_METADATA_NOT_FOUND', `the backup ${name} has no metadata.json`, {
    context: { backup: name, key },
    cause,
  })
}
