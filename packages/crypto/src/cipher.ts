import type { ByteSource } from '@waltz/bytes'

/** The ways in which WAL-G encrypts (RF 7.1). */
export type CipherScheme = 'openpgp' | 'envelope-openpgp' | 'aws-kms' | 'yandex-kms' | 'libsodium'

/**
 * A cipher that holds its key. What it writes WAL-G opens with the same key, and the other way round. Disposing of it overwrites its
 * key where the runtime allows; it cannot be used afterwards.
 */
export interface Cipher extends Disposable {
  readonly scheme: CipherScheme
  /**
   * Tells keys apart without telling anything of them: the fingerprints of an OpenPGP key, the id of a key in a key service, a one-way
   * hash of a libsodium key. The same key always has the same name.
   */
  readonly keyName: string
  /** Whether it can `decrypt`; an OpenPGP cipher made from a public key cannot. */
  readonly canDecrypt: boolean
  /**
   * When decrypted bytes are known to be right: `before-release`, or only `at-the-end` for formats whose check stands behind all
   * data; then whoever takes them must undo what was done with them when the stream fails.
   */
  readonly authenticates: 'before-release' | 'at-the-end'
  /** One message per source. A failure of the source passes through unchanged. */
  encrypt(source: ByteSource): ByteSource
  /**
   * Throws `corrupt` with the offset in the stored bytes when they are damaged, cut, reordered or go on after their end, or when the key
   * is another one; where the two can be told apart, the code says which. A failure of the source passes through unchanged.
   */
  decrypt(source: ByteSource): ByteSource
  /** How many bytes from the start of an object `fits` looks at, at most. */
  readonly headBytes: number
  /**
   * Whether the key opens the object that begins with `head`: its first `headBytes` bytes, or all of it when it is shorter. May ask a key
   * service. False when the framing is another scheme's; rejects when that cannot be told, such as for a key service that does not answer.
   */
  fits(head: Uint8Array): Promise<boolean>
}
