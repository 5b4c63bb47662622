import { createHash } from 'node:crypto'
import type { Cipher } from './cipher.ts'
import { disposedFault, keyInvalidFault } from './crypto-faults.ts'
import { LIBSODIUM_KEY_BYTES } from './libsodium-key.ts'
import { decryptStream, encryptStream, headFits, LIBSODIUM_HEAD_BYTES, type OpenStream } from './libsodium-stream.ts'
import { unpredictableBytes } from './random.ts'
import { HEADER_BYTES, loadSodium, type SodiumEngine, type SodiumEngineName } from './secretstream.ts'

export { libsodiumKey, type LibsodiumKeyText, type LibsodiumKeyTransform } from './libsodium-key.ts'
export type { SodiumEngineName } from './secretstream.ts'

/** What the libsodium cipher is made of. */
export interface LibsodiumOptions {
  /** 32 bytes, such as `libsodiumKey` makes of a setting. Copied: the caller's own may be overwritten afterwards. */
  readonly key: Uint8Array
  /** Default: `sodium-native`, or `libsodium-wrappers` where that does not load. */
  readonly engine?: SodiumEngineName
  /** Told at the first use which engine works. */
  readonly onEngine?: (engine: SodiumEngineName) => void
}

/**
 * WAL-G's libsodium cipher (RF 7.3): a secretstream header, then chunks of 8192 bytes, the last one shorter and marked. Reading insists
 * on that mark, so an object cut at the border of a chunk is found out. The library is loaded at the first use.
 * @throws Fault `invalid` `CRYPTO_KEY_INVALID` for a key that has not 32 bytes.
 */
export function libsodium(options: LibsodiumOptions): Cipher {
  if (options.key.length !== LIBSODIUM_KEY_BYTES) {
    throw keyInvalidFault(`a libsodium key has ${LIBSODIUM_KEY_BYTES} bytes, but ${options.key.length} were given`)
  }
  const key = Buffer.from(options.key)
  const keyName = createHash('sha256').update('waltz libsodium key\0').update(key).digest('hex').slice(0, 16)
  let engine: Promise<SodiumEngine> | undefined
  let disposed = false
  const load = async (): Promise<SodiumEngine> => {
    const loaded = await loadSodium(options.engine)
    options.onEngine?.(loaded.name)
    return loaded
  }
  const open: OpenStream = async (header) => {
    if (disposed) throw disposedFault('libsodium')
    const loaded = await (engine ??= load())
    if (disposed) throw disposedFault('libsodium')
    return loaded.open(header, key)
  }
  return {
    scheme: 'libsodium',
    keyName,
    canDecrypt: true,
    authenticates: 'before-release',
    headBytes: LIBSODIUM_HEAD_BYTES,
    encrypt: (source) => encryptStream(source, open, unpredictableBytes(HEADER_BYTES)),
    decrypt: (source) => decryptStream(source, open),
    fits: (head) => headFits(head, open),
    [Symbol.dispose]() {
      disposed = true
      key.fill(0)
    },
  }
}
