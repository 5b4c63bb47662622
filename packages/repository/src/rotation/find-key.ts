import { readAll } from '@waltz/bytes'
import { framingHeadBytes, isPlainFraming, recognizeFraming, type Cipher, type Framing } from '@waltz/crypto'
import type { CallOptions, ObjectStore } from '@waltz/storage'

/** A key with the name that people know it by: `current`, `previous 1`. */
export interface NamedKey {
  readonly label: string
  readonly cipher: Cipher
}

/** What the beginning of an object says about its key. */
export type KeyFinding =
  | { readonly kind: 'key'; readonly key: NamedKey }
  /** It begins like compressed data: it is not encrypted. */
  | { readonly kind: 'plain'; readonly framing: Framing }
  /** None of the keys; or it is stored without compression or with brotli, which have no mark, and is not encrypted. */
  | { readonly kind: 'none'; readonly framing: Framing | undefined }

/** The first bytes of an object, as many as these keys look at. Rejects like `get` of the store. */
export async function readHead(
  store: Pick<ObjectStore, 'get'>,
  key: string,
  options: CallOptions & { readonly keys: readonly NamedKey[] },
): Promise<Uint8Array> {
  const bytes = Math.max(framingHeadBytes, ...options.keys.map(({ cipher }) => cipher.headBytes))
  await using body = await store.get(key, {
    range: { start: 0, end: bytes },
    ...(options.signal !== undefined && { signal: options.signal }),
  })
  return await readAll(body, bytes)
}

/**
 * The first key that opens the object with this beginning. A key that cannot tell does not keep the others from being tried.
 * Rejects with what such a key said (a key service that does not answer) when no other one fits.
 */
export async function findKey(head: Uint8Array, keys: readonly NamedKey[]): Promise<KeyFinding> {
  let undecided: { readonly error: unknown } | undefined
  for (const key of keys) {
    if (!key.cipher.canDecrypt) continue
    try {
      if (await key.cipher.fits(head.subarray(0, key.cipher.headBytes))) return { kind: 'key', key }
    } catch (error) {
      undecided ??= { error }
    }
  }
  const framing = recognizeFraming(head.subarray(0, framingHeadBytes))
  if (framing !== undefined && isPlainFraming(framing)) return { kind: 'plain', framing }
  if (undecided !== undefined) throw undecided.error
  return { kind: 'none', framing }
}
