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
    'An object was replaced or deleted while it was read over a failing connection, so the rest would not match. Read it again.',
  STORAGE_READ_ONLY: 'A write or delete was asked of a store that was opened for reading only.',
  STORAGE_WRAPPER_INVALID: 'A retry policy or limit has a value out of range. Correct the setting that the message names.',
}
