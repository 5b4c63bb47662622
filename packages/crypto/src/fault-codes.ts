import type { FaultCodeTable } from '@waltz/errors'

/** Codes thrown by this package. */
export const faultCodes: FaultCodeTable = {
  CRYPTO_DAMAGED:
    'An encrypted object was changed after it was written, or pieces of it were exchanged. Use another copy, or another backup.',
  CRYPTO_DISPOSED: 'A cipher was used after its key had been overwritten. This is a bug of whoever uses it.',
  CRYPTO_EMPTY_UNREADABLE:
    'An empty file that WAL-G stored uncompressed with libsodium: it wrote no header, and nobody can read it. The file is empty; store it again.',
  CRYPTO_ENGINE_MISSING:
    'A cipher needs a package that is not installed or does not load here. Install the package that the message names.',
  CRYPTO_FORMAT_UNSUPPORTED: 'An encrypted object is in a form that this cipher does not read. Check which program wrote it.',
  CRYPTO_GPG_FAILED:
    'The program gpg, which keeps the configured key, cannot be run. Install GnuPG, or configure the key itself instead of its id.',
  CRYPTO_GPG_KEY_MISSING:
    'The key ring of gpg does not give the configured key to this user. Import it there, or configure the key itself.',
  CRYPTO_KEY_CANNOT_ENCRYPT:
    'An OpenPGP key cannot be written for: it expired, was revoked, or is for signing only. Renew it, or configure another for writing.',
  CRYPTO_KEY_INVALID:
    'A key setting cannot work: wrong length, wrong encoding, not a key. Correct the setting; nothing was read or written.',
  CRYPTO_KEY_LOCKED: 'The private key is locked and no passphrase is configured, so nothing can be read. Configure the passphrase.',
  CRYPTO_KEY_MISMATCH:
    'The first encrypted piece of an object does not open: another key wrote it, or its beginning is damaged. Check the key, then the object.',
  CRYPTO_NO_CURRENT_KEY: 'Something is to be encrypted, but only keys for reading are configured. Configure the key for new objects.',
  CRYPTO_NO_KEY_FITS:
    'None of the configured keys opens an object. Add the key it was written with as a previous key, or check the object.',
  CRYPTO_PASSPHRASE_WRONG: 'The passphrase does not unlock every private key of the block. Correct it.',
  CRYPTO_PLAINTEXT_REFUSED:
    'An object is not encrypted although a key is configured. Find out who wrote it; allow plaintext when reading if it is to be trusted.',
  CRYPTO_PRIVATE_KEY_MISSING:
    'Only a public key, or a stub of a private one, is configured, so nothing can be read. Configure the private key.',
  CRYPTO_SERVICE_ANSWER: 'A key service answered with something that makes no sense. Check its endpoint, and what stands in between.',
  CRYPTO_SERVICE_DENIED: 'A key service refused the credentials, or does not allow them to use the key. Check both, and the clock.',
  CRYPTO_SERVICE_FAILED: 'A key service failed by itself or is too busy. Try again later.',
  CRYPTO_SERVICE_REFUSED:
    'A key service did not accept a request: no such key, a key that is disabled, a wrong region. Check the settings.',
  CRYPTO_SERVICE_UNREACHABLE: 'A key service cannot be reached. Check its endpoint, the network and the proxy settings.',
  CRYPTO_TRAILING_BYTES: 'An encrypted object goes on after its end. Something was appended to it: use another copy.',
  CRYPTO_TRUNCATED: 'An encrypted object ends too early. It was cut short: use another copy, or another backup.',
  CRYPTO_WRAPPED_KEY_LENGTH:
    'A key service wrapped a data key into a length that WAL-G could not read again. Use a symmetric key of the ordinary kind.',
  CRYPTO_WRAPPED_KEY_REFUSED:
    'A key service cannot open the data key at the head of an object: it belongs to another key or account, or is damaged.',
}
