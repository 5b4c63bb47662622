import type { FaultCodeTable } from '@waltz/errors'

/** Codes thrown by this package. */
export const faultCodes: FaultCodeTable = {
  BACKUP_WAL_MISSING:
    'WAL that the backup needs is neither in the archive nor in pg_wal. On a standby, check that the primary archives to this repository and let it switch its segment.',
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
    'Something was found in no storage, but not every storage answered, so it cannot be said that it is nowhere. Try again, or leave the storage out with WALTZ_FAILOVER_IGNORE.',
  STORAGE_TRIAL_TIMEOUT:
    'A storage did not answer within WALG_FAILOVER_STORAGES_CHECK_TIMEOUT when it was tried, so it counts as dead. Others are used.',
  STORAGE_LOST:
    'The storage that a backup was being written to failed in the middle. Nothing of the backup counts. Run it again: it goes to the first storage that is alive.',
  BACKUP_IN_SEVERAL_STORAGES:
    'More than one storage has a backup with this user data. Choose one by its name, or a storage with --target-storage.',
  SERVER_UNAVAILABLE: 'The server did not answer, or closed the connection. Check that it runs and that PGHOST and PGPORT are right.',
}
