import { concatBytes, type ByteSource } from '@waltz/bytes'
import { damagedFault, keyInvalidFault, truncatedFault, unsupportedFormatFault, type CipherPlace } from '../crypto-faults.ts'
import { splitHead, type SplitSource } from '../split-head.ts'

const MAGIC: Uint8Array = Buffer.from('envelope-yc-kms', 'latin1')
const VERSION = 1
const LENGTH_BYTES = 4
/** Up to and with the length of the key id. */
const FIXED_BYTES = MAGIC.length + 1 + LENGTH_BYTES
/** WAL-G writes no longer header (RF 7.6), so a longer one is damaged. */
export const MAX_ENVELOPE_BYTES = 8192

const placeAt = (offset: number): CipherPlace => ({ scheme: 'envelope-openpgp', offset })

/**
 * Magic, version, key id and wrapped key (RF 7.6).
 * @throws Fault `invalid` `CRYPTO_KEY_INVALID` when it is longer than the format allows.
 */
export function encodeEnvelopeHeader(keyId: string, wrapped: Uint8Array): Uint8Array {
  const id = Buffer.from(keyId, 'utf8')
  const header = concatBytes([MAGIC, Uint8Array.of(VERSION), encodeLength(id.length), id, encodeLength(wrapped.length), wrapped])
  if (header.length > MAX_ENVELOPE_BYTES) {
    const message = `the wrapped OpenPGP key has ${wrapped.length} bytes; with its id the header of an object would be longer than 8192`
    throw keyInvalidFault(message, 'wrap a shorter key, such as one for elliptic curves, without pictures and foreign signatures')
  }
  return header
}

function encodeLength(length: number): Uint8Array {
  const bytes = new Uint8Array(LENGTH_BYTES)
  new DataView(bytes.buffer).setUint32(0, length, true)
  return bytes
}

const lengthAt = (bytes: Uint8Array, at: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset + at, LENGTH_BYTES).getUint32(0, true)

/** A header that was read. Its key id says nothing that the wrapped key does not. */
export interface EnvelopeHeader {
  readonly wrapped: Uint8Array
  readonly headerBytes: number
}

/** The header at the beginning of `head`; undefined when there is none or it is cut off. */
export function parseEnvelopeHeader(head: Uint8Array): EnvelopeHeader | undefined {
  if (head.length < FIXED_BYTES || !isMagic(head)) return undefined
  const wrappedAt = FIXED_BYTES + lengthAt(head, MAGIC.length + 1) + LENGTH_BYTES
  if (wrappedAt > Math.min(head.length, MAX_ENVELOPE_BYTES)) return undefined
  const headerBytes = wrappedAt + lengthAt(head, wrappedAt - LENGTH_BYTES)
  if (headerBytes > Math.min(head.length, MAX_ENVELOPE_BYTES)) return undefined
  return { wrapped: head.subarray(wrappedAt, headerBytes), headerBytes }
}

const isMagic = (head: Uint8Array): boolean =>
  Buffer.compare(head.subarray(0, MAGIC.length + 1), concatBytes([MAGIC, Uint8Array.of(VERSION)])) === 0

/**
 * Reads the header of a stored object and hands on what follows.
 * @throws Fault `corrupt` `CRYPTO_TRUNCATED`, `CRYPTO_DAMAGED`, `unsupported` `CRYPTO_FORMAT_UNSUPPORTED`.
 */
export async function readEnvelopeHeader(source: ByteSource): Promise<EnvelopeHeader & { readonly body: SplitSource['body'] }> {
  const fixed = await splitHead(source, FIXED_BYTES)
  try {
    checkMagic(fixed.head)
    const idBytes = lengthAt(whole(fixed.head, FIXED_BYTES, 0), MAGIC.length + 1)
    const beforeWrapped = bounded(FIXED_BYTES + idBytes + LENGTH_BYTES, MAGIC.length + 1)
    const id = await splitHead(fixed.body, idBytes + LENGTH_BYTES)
    const wrappedBytes = lengthAt(whole(id.head, idBytes + LENGTH_BYTES, FIXED_BYTES), idBytes)
    const headerBytes = bounded(beforeWrapped + wrappedBytes, beforeWrapped - LENGTH_BYTES)
    const wrapped = await splitHead(id.body, wrappedBytes)
    return { wrapped: whole(wrapped.head, wrappedBytes, beforeWrapped), headerBytes, body: wrapped.body }
  } catch (error) {
    await fixed.body.close()
    throw error
  }
}

function checkMagic(head: Uint8Array): void {
  const magic = head.subarray(0, MAGIC.length)
  if (Buffer.compare(magic, MAGIC.subarray(0, magic.length)) !== 0) throw damagedFault(placeAt(0), 'it does not begin with envelope-yc-kms')
  const version = head[MAGIC.length]
  if (version !== undefined && version !== VERSION)
    throw unsupportedFormatFault(placeAt(MAGIC.length), `is of version ${version} instead of 1`)
}

function whole(bytes: Uint8Array, length: number, offset: number): Uint8Array {
  if (bytes.length >= length) return bytes
  throw truncatedFault(placeAt(offset + bytes.length), 'the rest of the header')
}

function bounded(headerBytes: number, offset: number): number {
  if (headerBytes <= MAX_ENVELOPE_BYTES) return headerBytes
  throw damagedFault(placeAt(offset), `a header of ${headerBytes} bytes is announced, more than ${MAX_ENVELOPE_BYTES}`)
}
