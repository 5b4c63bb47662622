import type { FaultCodeTable } from '@waltz/errors'

/** Codes thrown by this package; those of the contract are explained in `@waltz/storage`. */
export const faultCodes: FaultCodeTable = {
  STORAGE_ROOT_MISSING:
    'The folder that holds the repository is not there on the server, or is no folder. Check that its disk is mounted and that the path is right; it is never created for you.',
  STORAGE_KEY_INVALID:
    'The server cannot hold an object of this name: it is too long, has the form of a temporary name, or a folder stands there. Use another name or prefix.',
  STORAGE_SHORT_OBJECT:
    'A stored file became shorter while it was read. Something other than Waltz changed it; the copy cannot be trusted.',
  STORAGE_HOST_KEY_UNKNOWN:
    'The SSH server showed a key that is in no known_hosts file. Compare its fingerprint with the owner of the server and add the key, or give the fingerprint.',
  STORAGE_HOST_KEY_CHANGED:
    'The SSH server showed another key than the known one: it was set up anew, or somebody is in the way. Ask its owner before anything else.',
  STORAGE_HOST_KEY_REVOKED: 'The SSH server showed a key that known_hosts marks as revoked. Do not trust this server; ask its owner.',
  STORAGE_PRIVATE_KEY_INVALID:
    'The private key for the SSH server could not be read: it is no private key, or its passphrase is missing or wrong. Correct the setting.',
  STORAGE_CLOSED: 'A storage was used after it was closed. This is a mistake in the calling program.',
  STORAGE_SERVER_FAILED:
    'The server kept fewer bytes than were written, or failed in another way. Look at its disk and its log; try again.',
}
