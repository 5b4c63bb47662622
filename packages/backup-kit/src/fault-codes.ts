import type { FaultCodeTable } from '@waltz/errors'

/** Codes thrown by this package. */
export const faultCodes: FaultCodeTable = {
  BACKUP_AMBIGUOUS:
    'More than one backup is meant by the beginning of a name, or carries the user data that was asked for. Write the whole name.',
  BACKUP_NEEDED:
    'A permanent backup was made from the backup that shall no longer be permanent, and needs it. Mark the dependent backup as impermanent first.',
  BACKUP_NOT_FOUND: 'There is no backup of that name or with that user data. List the backups with `waltz backup-list`.',
  BACKUP_PARENT_LOST:
    'A backup that an increment was made from is gone, so the increment cannot be restored. Choose another backup; `waltz garbage` lists such increments.',
  BACKUP_WAL_MISSING:
    'WAL that the backup needs is neither in the archive nor in pg_wal. On a standby, check that the primary archives to this repository and let it switch its segment.',
  COPY_BACKUP_UNFINISHED: 'The backup to copy has no sentinel: it is being made, or was never finished. Copy it when it is finished.',
  COPY_CHAIN_BROKEN:
    'The backup to copy is an increment, and one of its ancestors is missing, or it is its own ancestor. It cannot be restored, here or there.',
  COPY_CLUSTER_FOREIGN:
    'Source and target belong to different clusters, or the source holds several. Nothing was copied. Use a prefix of its own for each cluster, or insist with --allow-other-cluster.',
  COPY_CONFLICT:
    'The target has an object of the same name with other content. Nothing was replaced. Find out which one is right, and remove the other. A permanent mark on one side only is no conflict: that of the target stays.',
  COPY_DELETION_PENDING:
    'A deletion in the target is at work or was interrupted, and would remove what the copy relies on. Wait for it, or finish it with the same waltz delete command.',
  COPY_FAILED: 'An object could not be copied for a reason that nobody thought of. The message says what happened.',
  COPY_KEY_ABSENT: 'Objects are to be encrypted with the key of the target, and the target has none. Put it into its config file.',
  COPY_NO_BACKUPS: 'There is no backup to copy. Check the storage settings of the source.',
  COPY_NOT_STORED:
    'The target does not give back what was sent. What arrived was removed there where that is allowed. Run the copy again; check the storage when it happens again.',
  COPY_ONE_REPOSITORY: 'Source and target are the same repository. Give the target another prefix or another storage.',
  COPY_SOURCE_DAMAGED:
    'An object of the source is not what the manifest of its backup says, or cannot be read to its end. Nothing of it was stored. The backup is damaged.',
  COPY_SOURCE_GONE:
    'A backup went from the source while it was copied, so that what was read of it may not be all. It was not announced. Copy when no deletion is at work.',
  COPY_SOURCE_INCOMPLETE: 'A backup of the source lacks a part. It was not announced in the target. It cannot be restored.',
  COPY_TARGET_GONE:
    'WAL or a parent that a backup needs was removed from the target while it was copied. It was not announced. Copy again when no deletion is at work.',
  COPY_WAL_MISSING:
    'WAL that the copy would need is not in the source. Nothing was copied. Archive it, choose other backups, or copy what there is with --allow-missing-wal.',
  DATA_DIRECTORY_UNSUITABLE: 'No data directory was named, or it is not one that can be backed up.',
  ENCRYPTION_ADDRESS_INVALID: 'A setting that names the address of a key service holds none. Write it with https:// and a host.',
  ENCRYPTION_KEYS_SEVERAL:
    'Keys of several kinds are set, and only one can be the current one. Keep one, and move the others to WALTZ_CRYPTO_PREVIOUS_KEYS.',
  ENCRYPTION_KEY_ABSENT:
    'A setting that only belongs to a key is set, and the key is not. Objects would be stored as they are, so nothing is done. Set the key, or remove that setting.',
  ENCRYPTION_PREVIOUS_KEYS_INVALID:
    'WALTZ_CRYPTO_PREVIOUS_KEYS is no list of keys. The message says which entry is wrong, and the hint shows how one looks.',
  SERVER_ADDRESS_INVALID:
    'A file that belongs to the address of the server (a certificate, a key, a password file) is missing or cannot be read. Correct PGSSLROOTCERT, PGSSLCERT, PGSSLKEY or PGPASSFILE.',
  SERVER_CERTIFICATE_REFUSED:
    "The server's certificate is not signed by an authority that is trusted, or names another host. Correct PGSSLROOTCERT or PGHOST.",
  SERVER_DATABASE_UNKNOWN: 'The database to connect to does not exist. Set PGDATABASE; `postgres` exists nearly everywhere.',
  SERVER_DENIED:
    'The server refused the user, or a right that the backup needs. Use a superuser, or grant the rights that the documentation lists.',
  SERVER_QUERY_FAILED: "The server answered a statement of the backup with an error. The message is the server's own; its log says more.",
  STORAGE_NOT_CONFIGURED:
    'No storage is configured. Set one of the prefix settings, such as WALG_FILE_PREFIX or WALG_S3_PREFIX, in the environment or in a config file.',
  STORAGE_PREFIX_INVALID:
    'A prefix setting such as WALG_S3_PREFIX is no address with a scheme, a bucket, container or host, and a path. The message names it. Correct it.',
  STORAGE_SETTING_INVALID:
    'A setting of the storage is missing, excludes another one, or cannot be served. The message names it and the hint says what to do.',
  STORAGE_FILE_UNUSABLE:
    'A file that a setting names (a private key, credentials, certificates) is missing, may not be read, or holds something else. Correct the setting that the message names.',
  STORAGE_UNKNOWN:
    'No storage has the name that was asked for, or WALTZ_FAILOVER_IGNORE leaves it out. The hint lists the names that there are.',
  STORAGE_NONE_ALIVE:
    'None of several storages answers when it is tried, so nothing can be written. The message says what each of them lacks. Correct one, or try again later.',
  STORAGE_PARTLY_UNAVAILABLE:
    'One of several storages did not answer. So it cannot be said that something is nowhere, and nothing is deleted, because backups that are not seen may need it. Try again, or leave the storage out with WALTZ_FAILOVER_IGNORE.',
  STORAGE_TRIAL_TIMEOUT:
    'A storage did not answer within WALG_FAILOVER_STORAGES_CHECK_TIMEOUT when it was tried, so it counts as dead. Others are used.',
  STORAGE_LOST:
    'The storage that a backup was being written to failed in the middle. Nothing of the backup counts. Run it again: it goes to the first storage that is alive.',
  BACKUP_IN_SEVERAL_STORAGES:
    'More than one storage has a backup with this user data. Choose one by its name, or a storage with --target-storage.',
  PLAN_CHANGED:
    'What a plan was made from has changed since: an object that it removes, or a fact that protects what stays. Nothing was deleted. Look at a new plan and confirm that.',
  PLAN_ID_INVALID: 'The text given with --plan is not the identifier of a plan. It is printed with every plan.',
  REMOVAL_CLOCK_WRONG:
    'The clock of this machine is more than an hour ahead of that of a storage, so that everything looks older than it is. Nothing was deleted. Set the clock that is wrong.',
  REMOVAL_IN_USE:
    'A backup that was to be deleted may be what another one is made from that is being written or cannot be read. Nothing was deleted. Wait for it, or delete that one first.',
  REMOVAL_LIST_LOST:
    'The list of what a deletion has found, in the temporary folder, was cut short by another program. Nothing more was deleted. Run the command again.',
  REMOVAL_OVERTAKEN:
    'While a deletion was planned, a backup that would go was marked as permanent, or another was begun that may be made from it. Nothing was deleted. Look at a new plan.',
  REMOVAL_PERMANENT: 'Permanent backups would be deleted. Nothing was. Mark them as impermanent first, or, for everything, use FORCE.',
  REMOVAL_TARGET_INCREMENTAL:
    'What is older than an increment cannot be deleted, because the increment depends on it. Use FIND_FULL, or name a full backup.',
  REMOVAL_TIME_INVALID: 'A time has no zone, or lies in the future. Write it like 2026-03-01T02:10:44Z. Nothing was deleted.',
  SERVER_UNAVAILABLE: 'The server did not answer, or closed the connection. Check that it runs and that PGHOST and PGPORT are right.',
}
