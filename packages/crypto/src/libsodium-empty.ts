import { Fault } from '@waltz/errors'

/** What WAL-G stores for an empty file without compression: a chunk without its header, made from uninitialised memory. */
export function emptyUnreadableFault(): Fault {
  return new Fault(
    'corrupt',
    'CRYPTO_EMPTY_UNREADABLE',
    'libsodium data of 17 bytes has no header: WAL-G writes this for an empty file without compression, and nobody can read it',
    { hint: 'the file was empty; store it again, with Waltz or with a compression', context: { scheme: 'libsodium', offset: 0 } },
  )
}
