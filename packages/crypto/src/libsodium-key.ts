import { Buffer } from 'node:buffer'
import { keyInvalidFault } from './crypto-faults.ts'

/** How the text of a libsodium key becomes its 32 bytes (`WALG_LIBSODIUM_KEY_TRANSFORM`). */
export type LibsodiumKeyTransform = 'none' | 'hex' | 'base64'

/** Bytes of a libsodium key. */
export const LIBSODIUM_KEY_BYTES = 32

/** WAL-G's least length of a key that is taken as it is. */
const LEAST_TEXT_BYTES = 25

/** The text of a key: from a setting it is taken as it is, from a file white space around it is removed (RF 7.3). */
export interface LibsodiumKeyText {
  readonly text: string | Uint8Array
  readonly from: 'setting' | 'file'
  readonly transform?: LibsodiumKeyTransform
}

/**
 * The 32 bytes of a key from its text (RF 7.3, SET 3.7): `none` takes the bytes of the text (25 or more; the first 32, filled up with
 * zero bytes), `hex` and `base64` must hold exactly 32 bytes, base64 in its standard alphabet with padding.
 * @throws Fault `invalid` `CRYPTO_KEY_INVALID`, which tells lengths but nothing of the key.
 */
export function libsodiumKey({ text, from, transform = 'none' }: LibsodiumKeyText): Uint8Array {
  const given = Buffer.from(text)
  const bytes = from === 'file' ? trimmed(given) : given
  try {
    switch (transform) {
      case 'none':
        return plainKey(bytes)
      case 'hex':
        return hexKey(bytes.toString('latin1'))
      case 'base64':
        return base64Key(bytes.toString('latin1'))
      default:
        throw keyInvalidFault(
          'the libsodium key transform is not one of none, hex, base64',
          'set WALG_LIBSODIUM_KEY_TRANSFORM to one of these, or leave it out for none',
        )
    }
  } finally {
    given.fill(0)
  }
}

/** White space as Go's strings.TrimSpace knows it, within ASCII: a key file is not expected to end in anything else. */
function trimmed(bytes: Buffer): Buffer {
  const isSpace = (byte: number | undefined): boolean => byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d)
  let start = 0
  let end = bytes.length
  while (start < end && isSpace(bytes[start])) start++
  while (end > start && isSpace(bytes[end - 1])) end--
  return bytes.subarray(start, end)
}

function plainKey(bytes: Buffer): Uint8Array {
  if (bytes.length < LEAST_TEXT_BYTES) {
    throw keyInvalidFault(
      `the libsodium key has ${bytes.length} bytes, but at least ${LEAST_TEXT_BYTES} are needed`,
      'use 32 random bytes; if the key is written as hex or base64, set WALG_LIBSODIUM_KEY_TRANSFORM',
    )
  }
  const key = new Uint8Array(LIBSODIUM_KEY_BYTES)
  key.set(bytes.subarray(0, LIBSODIUM_KEY_BYTES))
  return key
}

function hexKey(text: string): Uint8Array {
  if (!/^[0-9a-fA-F]*$/.test(text)) throw keyInvalidFault('the libsodium key is not hexadecimal', HINTS.hex)
  if (text.length !== 2 * LIBSODIUM_KEY_BYTES) {
    throw keyInvalidFault(`the libsodium key has ${text.length} hexadecimal digits, but 64 are needed`, HINTS.hex)
  }
  return new Uint8Array(Buffer.from(text, 'hex'))
}

function base64Key(text: string): Uint8Array {
  // Go's decoder skips line ends inside.
  const joined = text.replace(/[\r\n]/g, '')
  if (joined.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(joined)) {
    throw keyInvalidFault('the libsodium key is not base64 with padding', HINTS.base64)
  }
  const decoded = Buffer.from(joined, 'base64')
  if (decoded.length !== LIBSODIUM_KEY_BYTES) {
    throw keyInvalidFault(`the libsodium key holds ${decoded.length} bytes in base64, but 32 are needed`, HINTS.base64)
  }
  const key = new Uint8Array(decoded)
  decoded.fill(0)
  return key
}

const HINTS = {
  hex: 'write 32 bytes as 64 hexadecimal digits, such as `openssl rand -hex 32` makes',
  base64: 'write 32 bytes in base64, such as `openssl rand -base64 32` makes',
} as const
