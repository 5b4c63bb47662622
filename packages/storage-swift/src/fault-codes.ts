import type { FaultCodeTable } from '@waltz/errors'

/** Codes thrown by this package, besides those of `@waltz/storage`. */
export const faultCodes: FaultCodeTable = {
  STORAGE_OBJECT_TOO_LARGE:
    'The object is larger than Swift takes in one request. Nothing was stored. Announce its size, or have large objects stored in segments.',
  SWIFT_PKGCLOUD_MISSING:
    'The engine pkgcloud was asked for, and the package of that name is not installed where Waltz is, or cannot be loaded. Install it, or set WALTZ_SWIFT_ENGINE to own.',
}
