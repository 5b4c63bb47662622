import type { FaultCodeTable } from '@waltz/errors'

/** Codes thrown by this package. */
export const faultCodes: FaultCodeTable = {
  BACKUP_AMBIGUOUS: 'More than one backup carries the user data that was asked for. Choose one of the named backups by its name.',
  BACKUP_METADATA_NOT_FOUND:
    'The backup has no metadata.json. Releases before April 2019 wrote none; otherwise it was lost. Restoring works without it, details cannot be listed.',
  BACKUP_NONE: 'The repository holds no finished backup. Check the storage settings and the prefix, or make a backup first.',
  BACKUP_NOT_FOUND:
    'There is no finished backup of that name or with that user data. List the backups that exist with `waltz backup-list`.',
  JSON_FIELD_INVALID:
    'A field of a JSON object has another type or range than it must have. The object was damaged or written by something else.',
  JSON_INVALID: 'An object that must be JSON is not. It was damaged, or it is not what its name says.',
  JSON_TOO_LARGE: 'A single value in a JSON object is larger than any value that belongs there. The object is damaged.',
  JSON_TRUNCATED:
    'A JSON object ends in the middle. It was cut: store it again from another copy of the repository, or use another backup.',
  LEASE_HELD:
    'Another process works on the same backup right now. Wait for it, or, when it is dead, wait until its lease runs out and run the command again.',
  LEASE_LOST: 'Another process took over the lease because it was not renewed in time. Nothing was announced; run the command again.',
  NAME_NOT_UNICODE: 'A name cannot be written to JSON because it is not Unicode text. Rename the file or leave it out.',
  OBJECT_ENCRYPTED:
    'An object is encrypted and was not decrypted: no key is configured, or the command was not told to. The message says which kind of key it needs.',
  OBJECT_EXTENSION_UNKNOWN:
    'The name of a stored object ends in an extension that no codec of this version reads. Use a version that does, or check what the object is.',
  OBJECT_MISNAMED:
    'An object is compressed in another way than its extension says. Somebody renamed it or stored it under a wrong name; give a copy the right one.',
  RECORD_VERSION_UNSUPPORTED: 'An object was written by a newer version of Waltz. Use that version or a later one.',
  REMOVAL_FAILED: 'Something unexpected happened when one object was removed. It stays as it was; run the command again.',
  ROTATION_FAILED: 'Something unexpected happened to one object while its key was changed. It stays as it was; run the command again.',
  ROTATION_KEY_MISSING:
    'An object is under none of the configured keys. Add its key to WALTZ_CRYPTO_PREVIOUS_KEYS; if it is there, the object is damaged or not encrypted.',
  ROTATION_KEY_ONE_WAY:
    'The current key cannot open what it encrypts, so nothing could be read back before it replaces something. Configure the private key.',
  ROTATION_NOT_STORED:
    'The storage does not have the whole of an object that it said to have stored. The whole object lies under waltz/rotate/; copy it back.',
  ROTATION_OBJECT_CHANGED:
    'An object is not what was stored, or somebody replaced it while its key was being changed. It stays as it is; run the command again.',
  ROTATION_SIDE_KEPT:
    'An object that an earlier change of keys left under waltz/rotate/ may be the only good copy of another one. Compare them and keep the good one.',
  SENTINEL_INCONSISTENT: 'A sentinel names a parent backup but lacks the other fields of an increment. It was damaged or edited.',
  TABLESPACE_SPEC_INVALID:
    'A list of tablespaces (in a sentinel or a restore spec) is incomplete or unsafe. The message names the entry; correct the restore spec.',
}
