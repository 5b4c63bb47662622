import type { FaultCodeTable } from '@waltz/errors'

/** Codes thrown by this package, and by the stores built on it. */
export const faultCodes: FaultCodeTable = {
  STORAGE_NOT_FOUND: 'The store answered that it has no object of this name. Check the name and the storage prefix.',
  STORAGE_ALREADY_EXISTS: 'A write that may only create found an object of this name. Nothing was changed.',
  STORAGE_KEY_INVALID:
    'An object name that no store can hold: empty, absolute, with empty, "." or ".." parts, or too long. Correct the name or prefix.',
  STORAGE_RANGE_INVALID:
    'A byte range that ends before it starts, or is not made of whole numbers. This is a mistake in the calling program.',
  STORAGE_SIZE_MISMATCH:
    'An upload had more or fewer bytes than announced. Nothing was stored. Whatever produced the bytes changed while it was read.',
  STORAGE_OBJECT_TOO_LARGE: 'The object is larger than this store takes. Nothing was stored. Use smaller parts or another store.',
  STORAGE_BODY_USED: 'The bytes of an opened object were read twice, or after it was closed. This is a mistake in the calling program.',
  STORAGE_OBJECT_CHANGED:
    'An object was replaced or deleted while it was read over a failing connection, so the rest would not match; or, in a transfer, the target has other bytes under its name. Read it again, or find out which of the two is right.',
  STORAGE_OBJECT_REPLACED:
    'A write that may only replace a certain version of an object found another one, or none. Nothing was changed. Read it again and decide anew.',
  STORAGE_CONDITIONAL_PUT_UNSUPPORTED:
    'This storage cannot create or replace an object on a condition, so two writers could overwrite each other. Nothing was written. `waltz storage probe` shows what the storage can do.',
  STORAGE_STALLED:
    'A request made no progress for too long and was cancelled, several times. Look at the network between this machine and the storage.',
  STORAGE_CHECKSUM_MISMATCH:
    'Bytes changed on their way to or from the storage, or inside of it: a checksum does not match. Nothing of them was used. Try again; if it persists, check the object with `waltz st cat`.',
  STORAGE_UNREACHABLE:
    'The storage could not be reached: no address for its name, no connection, or the connection broke. Check the endpoint, the network, the proxy settings.',
  STORAGE_THROTTLED: 'The storage asked to slow down, or was busy, again and again. Lower the concurrency, or try again later.',
  STORAGE_SERVER_FAILED:
    'The storage answered with an error of its own, several times. Try again later; its own log or status page tells more.',
  STORAGE_ACCESS_DENIED:
    'The storage refused: the credentials are wrong or expired, or lack a right. The message names the action. Check the credentials and the policy of the bucket or container.',
  STORAGE_BUCKET_MISSING: 'The bucket, container or share does not exist. Waltz never creates one. Check the prefix setting, or create it.',
  STORAGE_REQUEST_REFUSED:
    'The storage did not understand or accept a request: a setting does not fit this storage. The message holds its answer.',
  STORAGE_OPTIONS_INVALID: 'A setting of the storage has a value that cannot work. The message names it.',
  STORAGE_RETENTION_LOCKED:
    'The storage keeps this object until a date (object lock or retention), so it was not deleted or replaced. The message names the date where the storage tells it.',
  STORAGE_VERSIONS_UNSUPPORTED: 'This storage keeps no old versions of objects, so there are none to list or remove.',
  STORAGE_COPY_UNSUPPORTED: 'This storage cannot copy an object by itself. The caller reads and writes it instead.',
  STORAGE_QUOTA_EXCEEDED:
    'The storage is full, or a quota is used up. Nothing half-written is visible. Free some space or raise the quota.',
  STORAGE_CLOCK_SKEWED:
    'The clock of this machine differs too much from that of the storage, which therefore refuses signed requests. Set the clock.',
  STORAGE_PATTERN_INVALID: 'A pattern for names is not complete: a [ without its ], or a backslash at the end. Correct the pattern.',
  STORAGE_TRANSFER_NOT_SEEN:
    'An object that was copied cannot be found in its new place. Nothing was deleted from the old one. Raise --appearance-checks, or look at the target storage.',
  STORAGE_READ_ONLY: 'A write or delete was asked of a store that was opened for reading only.',
  STORAGE_WRAPPER_INVALID: 'A retry policy or limit has a value out of range. Correct the setting that the message names.',
}
