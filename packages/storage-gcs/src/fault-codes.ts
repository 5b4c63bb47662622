import type { FaultCodeTable } from '@waltz/errors'

/** Codes thrown by this package; those of the contract are explained in `@waltz/storage`. */
export const faultCodes: FaultCodeTable = {
  GCS_CREDENTIALS_MISSING:
    'No usable Google credentials were found: the key file cannot be read or is no credentials file, or nothing offers application default credentials. Set GOOGLE_APPLICATION_CREDENTIALS to the JSON key of a service account.',
  GCS_TIMED_OUT:
    'An operation took longer than GCS_CONTEXT_TIMEOUT allows and was cancelled. Raise it, or look at why the storage is slow.',
  GCS_CRC_UNAVAILABLE:
    'The native CRC-32C could not be loaded, so nothing can be verified. Install the dependencies again on this machine, with this version of Node.',
  GCS_STORE_CLOSED: 'The store was used after it was disposed of. This is a mistake in the calling program.',
  STORAGE_KEY_INVALID: 'The name lies where the store keeps pieces of uploads. Use another name or prefix, or another folder for pieces.',
  STORAGE_SERVER_FAILED: 'The storage lost an upload in the middle, or failed in another way. Store the object again.',
}
