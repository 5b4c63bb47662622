import type { FaultCodeTable } from '@waltz/errors'

/** Codes thrown by this package. */
export const faultCodes: FaultCodeTable = {
  USAGE:
    'The command line has a mistake: an unknown command or flag, a missing value, too many or too few arguments. The message names it; --help shows what there is.',
  NOT_AVAILABLE_YET: 'The command or flag is known from WAL-G but Waltz cannot do it yet. Nothing was done.',
  CONFIG_FILE_UNREADABLE:
    'The config file does not exist, may not be read, or has no known extension (.json, .toml, .yaml, .yml, .dotenv, .env). Correct --config or WALG_CONFIG_PATH, or the permissions.',
  CONFIG_FILE_INVALID:
    'The config file is not what its extension says. The message names the line where it is known; values are not shown.',
  INSTALLATION_BROKEN:
    'A file of the installation is missing or damaged, or its native code does not load on this machine. Nothing more was done. Install it again, or copy the whole folder again.',
  LOG_DESTINATION_UNUSABLE:
    'The file that WALG_LOG_DESTINATION names cannot be opened for appending. Correct the setting or the permissions.',
  STORAGE_CHECK_FAILED:
    'Objects that were asked for are missing, or could not be read. The message names them. `waltz st ls` shows what is there.',
  STORAGE_PROBE_FAILED:
    'The storage does not keep a promise that backups rely on. The table above says which; with some storages another setting helps, others are not fit.',
  COPY_INCOMPLETE:
    'Some backups, or WAL, could not be copied; the log says why of each. Nothing that is announced in the target lacks anything. Run it again when that is mended: what is there is left out.',
  CRYPT_CHECK_FAILED:
    'Not everything that was looked at can be read with the configured keys. The table above says what; add the missing key to WALTZ_CRYPTO_PREVIOUS_KEYS.',
  CRYPT_ROTATION_INCOMPLETE:
    'Some objects could not be brought under the current key and stayed as they were. The log says why. Keep the previous keys, and run it again.',
  LOCAL_FILE_EXISTS: 'A download never replaces a file. Nothing was downloaded. Name another file, or move that one away.',
  LOCAL_FILE_UNUSABLE: 'A local file or folder cannot be read or written, or is not what is needed here. The message says why.',
  TRANSFER_SPLITS_CHAIN:
    'A backup that others are increments of, or that is one itself, cannot be moved alone: the rest would be of no use. Leave the name out, which moves chains whole.',
  TRANSFER_INCOMPLETE:
    'Some objects could not be moved; the log names them. Whatever belongs together is whole in the source or in the target. Run the same command again: what is there already is left out.',
  BACKUP_NOT_FOUND: 'The storage has no finished backup of this name. `waltz backup-list` shows which there are.',
  REMOVAL_INCOMPLETE:
    'Some objects that were to be deleted could not be: the message names the first, the output all. What was begun is noted in the repository; the next deletion goes on with it.',
}
