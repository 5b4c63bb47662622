import type { FaultCodeTable } from '@waltz/errors'

/** Codes thrown by this package; those of the contract are explained in `@waltz/storage`. */
export const faultCodes: FaultCodeTable = {
  STORAGE_KEY_INVALID:
    'Azure cannot hold a blob of this name, or would change it: a backslash, a part that ends in a dot, a control character, more than 1024 characters. Use another name or prefix.',
  STORAGE_STALLED:
    'A request moved no byte for too long, or was not done within AZURE_TRY_TIMEOUT, several times. Look at the network, raise the time-out or lower AZURE_BUFFER_SIZE.',
  AZURE_BLOCKS_LOST:
    'Another program stored or removed the same name while it was uploaded, which discards the blocks of all other uploads. Nothing was stored. Store it again.',
  AZURE_FOREIGN_BLOCKS:
    'An unfinished upload of another program lies under this name, and its blocks do not go together with those of Waltz. Remove it with `waltz storage orphans`, or wait a week.',
  AZURE_UPLOAD_ACTIVE:
    'An unfinished upload was not removed because another one of the same name has begun meanwhile. List the unfinished uploads again.',
  AZURE_BLOB_LEASED:
    'Somebody holds a lease on the blob, so it cannot be changed or deleted. Find out who, or break the lease in the portal.',
  AZURE_BLOB_ARCHIVED: 'The blob is in the archive tier and cannot be read. Rehydrate it to the hot or cool tier first; that takes hours.',
  AZURE_LISTING_UNORDERED:
    'The account lists blobs in an order that cannot be relied upon, as accounts with a hierarchical namespace do. Use an account without.',
  AZURE_STORE_CLOSED: 'A store was used after it was disposed of. This is a mistake in the calling program.',
}
