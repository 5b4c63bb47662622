import type { FaultCodeTable } from '@waltz/errors'

/** Codes thrown by this package; those of the contract and of networks are explained in `@waltz/storage`. */
export const faultCodes: FaultCodeTable = {
  S3_UPLOAD_GONE:
    'The parts of an upload were removed while it was running: by a rule of the bucket that removes unfinished uploads too early, or by another program. Nothing was stored; store it again.',
  S3_OBJECT_ARCHIVED:
    'The object lies in an archive class and cannot be read at once. Restore it there first, and use another storage class for backups.',
  STORAGE_KEY_INVALID: "The name has the form of one of Waltz's own small objects (.waltz-claim, .waltz-probe). Use another name.",
  STORAGE_ALREADY_EXISTS:
    'Another writer is storing a large object under this name at the moment, or was killed while it did. Wait for it; after a day its claim counts for nothing.',
}
