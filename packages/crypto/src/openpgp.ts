import type { Cipher } from './cipher.ts'
import { openCipher } from './openpgp/open-cipher.ts'
import type { OpenPgpEngine } from './openpgp/read-message.ts'

export { exportGpgKey, type GpgResult, type GpgRun } from './openpgp/gpg-key-ring.ts'
export type { OpenPgpEngine } from './openpgp/read-message.ts'

/** What the OpenPGP cipher is made of. */
export interface OpenPgpOptions {
  /**
   * One armoured key block: public keys suffice for writing, private keys serve both. Objects are written for every key in it. A
   * backslash followed by `n` stands for a line feed.
   */
  readonly armoredKeys: string
  /** Unlocks all private keys of the block; ignored where nothing is locked. */
  readonly passphrase?: string
  readonly now: () => Date
  /** Refuses keys that cannot write at once, instead of at the first object: they expired, were revoked, or are for signing only. */
  readonly mustEncrypt?: boolean
  /** Refuses keys that cannot read at once, instead of at the first object. */
  readonly mustDecrypt?: boolean
  /** Default: `own`. The other is slower by half and meant for comparisons. */
  readonly engine?: OpenPgpEngine
}

/**
 * WAL-G's OpenPGP cipher (RF 7.2), with keys from an armoured block. What is read is only known to be right when the stream ended without
 * a fault: the check of the format stands behind all data. Whoever takes bytes before must undo what was done with them when the
 * stream fails. Content of less than 256 KiB is handed out after the check.
 *
 * Reads what GnuPG and others write as well: AES, and everything else the library knows (other ciphers, AEAD, compression, signatures,
 * which are not checked). Refused: data without protection against changes, armoured messages, messages for a password only.
 * @throws Fault `invalid` `CRYPTO_KEY_INVALID`, `CRYPTO_PASSPHRASE_WRONG`, and with `mustEncrypt` and `mustDecrypt`
 *   `CRYPTO_KEY_CANNOT_ENCRYPT`, `CRYPTO_PRIVATE_KEY_MISSING`, `CRYPTO_KEY_LOCKED`; `unsupported` `CRYPTO_ENGINE_MISSING`.
 */
export async function openpgp(options: OpenPgpOptions): Promise<Cipher> {
  const { armoredKeys, passphrase, now } = options
  const opened = await openCipher({ armoredKeys, passphrase, now, engine: options.engine ?? 'own' })
  if (options.mustEncrypt === true) await opened.checkRecipients()
  if (options.mustDecrypt === true) opened.checkSecrets()
  return opened.cipher
}
