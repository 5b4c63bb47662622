import { Fault } from '@waltz/errors'
import { keyInvalidFault } from '../crypto-faults.ts'

/** Why a key block cannot decrypt. */
export type MissingSecret = 'public' | 'stub' | 'locked'

const MISSING: Readonly<Record<MissingSecret, { readonly what: string; readonly hint: string }>> = {
  public: { what: 'holds no private key', hint: 'configure the private key block; a public one is enough for writing only' },
  stub: {
    what: 'holds only a stub of the private key for decrypting',
    hint: 'the private part was left out when the key was exported, or is on a card: export it from where it is',
  },
  locked: { what: 'is locked with a passphrase, and none is given', hint: 'configure the passphrase of the key' },
}

/** A key that can only write: `invalid` `CRYPTO_PRIVATE_KEY_MISSING` or, without its passphrase, `CRYPTO_KEY_LOCKED`. */
export function missingSecretFault(why: MissingSecret, keyName: string): Fault {
  const { what, hint } = MISSING[why]
  const code = why === 'locked' ? 'CRYPTO_KEY_LOCKED' : 'CRYPTO_PRIVATE_KEY_MISSING'
  return new Fault('invalid', code, `the OpenPGP key ${keyName} ${what}`, { hint, context: { key: keyName } })
}

/** A passphrase that does not unlock a key: `invalid` `CRYPTO_PASSPHRASE_WRONG`. */
export function wrongPassphraseFault(keyName: string): Fault {
  return new Fault('invalid', 'CRYPTO_PASSPHRASE_WRONG', `the passphrase does not unlock all of the OpenPGP key ${keyName}`, {
    hint: 'correct the passphrase; all keys of the block, with their subkeys, must have the same',
    context: { key: keyName },
  })
}

/** A key under which nothing can be written: `invalid` `CRYPTO_KEY_CANNOT_ENCRYPT`. `reason` is the library's, about dates and flags. */
export function cannotEncryptFault(keyName: string, reason: string): Fault {
  return new Fault(
    'invalid',
    'CRYPTO_KEY_CANNOT_ENCRYPT',
    `nothing can be encrypted for the OpenPGP key ${keyName}: ${firstLine(reason)}`,
    {
      hint: 'the key has expired, was revoked, or is not meant for encryption: renew it, or configure another one for writing',
      context: { key: keyName },
    },
  )
}

/** An error about a module goes on with paths of this machine. */
const firstLine = (text: string): string => text.split('\n')[0] ?? ''

/** A message for other recipients: `corrupt` `CRYPTO_KEY_MISMATCH`. Keys are named by their ids. */
export function noRecipientFault(wanted: readonly string[], had: readonly string[]): Fault {
  const message = `the message is encrypted for ${listed(wanted)}, but the private keys at hand are ${listed(had)}`
  return new Fault('corrupt', 'CRYPTO_KEY_MISMATCH', message, {
    hint: 'configure the private key of one of the recipients, as a previous key if it is not in use any more',
    context: { scheme: 'openpgp', offset: 0, wanted: wanted.join(','), had: had.join(',') },
  })
}

const listed = (ids: readonly string[]): string => (ids.length === 0 ? 'none' : ids.join(', '))

/** A key text that is none: `invalid` `CRYPTO_KEY_INVALID`. */
export function notAKeyBlockFault(what: string): Fault {
  return keyInvalidFault(`the OpenPGP key ${what}`, 'it must be one armoured key block, as `gpg --armor --export` writes it')
}
