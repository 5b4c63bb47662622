/** A service that holds a key which never leaves it, and wraps other keys under it. */
export interface KeyService {
  /** The id of the key in the service; not a secret. */
  readonly keyId: string
  /** Wraps a data key of 32 bytes. */
  wrap(dataKey: Uint8Array): Promise<Uint8Array>
  /**
   * The data key in `wrapped`. Rejects with `corrupt` `CRYPTO_WRAPPED_KEY_REFUSED` when the service says that it is none of its keys
   * or damaged, and with other faults when it could not tell.
   */
  unwrap(wrapped: Uint8Array): Promise<Uint8Array>
}
