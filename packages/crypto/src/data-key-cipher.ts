import type { ByteSource } from '@waltz/bytes'
import { isFault } from '@waltz/errors'
import type { Cipher, CipherScheme } from './cipher.ts'
import { disposedFault, truncatedFault } from './crypto-faults.ts'
import { DARE_HEADER_BYTES, decryptDare, encryptDare, isDareHeader, type DareCipher } from './dare.ts'
import { createDataKeys, type DataKeySource } from './data-keys.ts'
import { splitHead } from './split-head.ts'

/** What stands before the DARE stream. */
export interface DataKeyFraming {
  readonly scheme: CipherScheme
  /** Bytes before the wrapped key. */
  readonly prefixBytes: number
  /** The longest wrapped key that is read. */
  readonly maxWrappedBytes: number
  /** The length of the wrapped key, from the prefix. Throws `corrupt` or `unsupported` for a prefix that is none. */
  wrappedBytes(prefix: Uint8Array): number
  /** The bytes to store before the stream. Throws when a wrapped key cannot be stored. */
  encode(wrapped: Uint8Array): Uint8Array
}

/** What a cipher with wrapped data keys is made of. */
export interface DataKeyCipherOptions {
  readonly framing: DataKeyFraming
  readonly keyName: string
  readonly source: DataKeySource
  readonly writes?: DareCipher
  readonly strict?: boolean
}

/**
 * The two schemes that store a wrapped data key and a DARE stream. One data key serves all that one cipher writes, because WAL-G reads
 * the parts of a backup at the same time under one key; on read each stream has its own.
 */
export function createDataKeyCipher(options: DataKeyCipherOptions): Cipher {
  const { framing } = options
  const keys = createDataKeys(options.source)
  let disposed = false
  const live = (): void => {
    if (disposed) throw disposedFault(framing.scheme)
  }
  async function* encrypt(source: ByteSource): AsyncGenerator<Uint8Array, void, undefined> {
    live()
    const { key, wrapped } = await keys.current()
    yield* encryptDare(source, { key, cipher: options.writes ?? 'aes-256-gcm', preamble: framing.encode(wrapped) })
  }
  async function* decrypt(source: ByteSource): AsyncGenerator<Uint8Array, void, undefined> {
    live()
    const prefix = await splitHead(source, framing.prefixBytes)
    try {
      const length = framing.wrappedBytes(whole(prefix.head, framing.prefixBytes, 0))
      const wrapped = await splitHead(prefix.body, length)
      const offset = framing.prefixBytes + length
      const key = await keys.unwrap(whole(wrapped.head, length, framing.prefixBytes))
      yield* decryptDare(wrapped.body, { key, scheme: framing.scheme, offset, strict: options.strict ?? false })
    } finally {
      await prefix.body.close()
    }
  }
  const whole = (bytes: Uint8Array, length: number, offset: number): Uint8Array => {
    if (bytes.length >= length) return bytes
    throw truncatedFault({ scheme: framing.scheme, offset: offset + bytes.length }, 'the rest of the wrapped data key')
  }
  return {
    scheme: framing.scheme,
    keyName: options.keyName,
    canDecrypt: true,
    authenticates: 'before-release',
    encrypt,
    decrypt,
    headBytes: framing.prefixBytes + framing.maxWrappedBytes + DARE_HEADER_BYTES,
    async fits(head) {
      live()
      const wrapped = wrappedKeyIn(head, framing)
      return wrapped !== undefined && keys.unwrap(wrapped).then(() => true, notOurs)
    },
    [Symbol.dispose]() {
      disposed = true
      keys.clear()
    },
  }
}

/** The wrapped key at the head of an object, when the framing is this one. */
function wrappedKeyIn(head: Uint8Array, framing: DataKeyFraming): Uint8Array | undefined {
  if (head.length < framing.prefixBytes) return undefined
  let length: number
  try {
    length = framing.wrappedBytes(head.subarray(0, framing.prefixBytes))
  } catch {
    return undefined
  }
  const end = framing.prefixBytes + length
  if (head.length < end || (head.length > end && !isDareHeader(head.subarray(end)))) return undefined
  return head.subarray(framing.prefixBytes, end)
}

/** A key that the service says it cannot open is another's; everything else leaves that open. */
function notOurs(error: unknown): false {
  if (isFault(error) && error.code === 'CRYPTO_WRAPPED_KEY_REFUSED') return false
  throw error
}
