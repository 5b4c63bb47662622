import type { FaultCodeTable } from '@waltz/errors'

/** Codes thrown by this package. */
export const faultCodes: FaultCodeTable = {
  BACKUP_WAL_MISSING:
    'WAL that the backup needs is neither in the archive nor in pg_wal. On a standby, check that the primary archives to this repository and let it switch its segment.',
  DATA_DIRECTORY_UNSUITABLE: 'No data directory was named, or it is not one that can be backed up.',
  SERVER_ADDRESS_INVALID:
    'A file that belongs to the address of the server (a certificate, a key, a password file) is missing or cannot be read. Correct PGSSLROOTCERT, PGSSLCERT, PGSSLKEY or PGPASSFILE.',
  SERVER_CERTIFICATE_REFUSED:
    "The server's certificate is not signed by an authority that is trusted, or names another host. Correct PGSSLROOTCERT or PGHOST.",
  SERVER_DATABASE_UNKNOWN: 'The database to connect to does not exist. Set PGDATABASE; `postgres` exists nearly everywhere.',
  SERVER_DENIED:
    'The server refused the user, or a right that the backup needs. Use a superuser, or grant the rights that the documentation lists.',
  SERVER_QUERY_FAILED: "The server answered a statement of the backup with an error. The message is the server's own; its log says more.",
  STORAGE_NOT_CONFIGURED:
    'No storage is configured. Set WALG_FILE_PREFIX to the absolute path of an existing folder, in the environment or in a config file.',
  SERVER_UNAVAILABLE: 'The server did not answer, or closed the connection. Check that it runs and that PGHOST and PGPORT are right.',
}
