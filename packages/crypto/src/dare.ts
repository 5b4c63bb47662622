import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto'
import type { ByteSource } from '@waltz/bytes'
import type { CipherScheme } from './cipher.ts'
import { damagedFault, trailingFault, truncatedFault, unsupportedFormatFault, type CipherPlace } from './crypto-faults.ts'
import { unpredictableBytes } from './random.ts'
import { throughUnits, type UnitShape, type UnitWork } from './units.ts'

/** The authenticated ciphers of DARE, in the order of their numbers. */
export type DareCipher = 'aes-256-gcm' | 'chacha20-poly1305'

const CIPHERS: readonly DareCipher[] = ['aes-256-gcm', 'chacha20-poly1305']
const VERSION_1 = 0x10
const VERSION_2 = 0x20
const FINAL_BIT = 0x80
/** Version, cipher, length less one (u16 LE), 12 bytes of nonce. */
export const DARE_HEADER_BYTES = 16
const ADDITIONAL_BYTES = 4
const TAG_BYTES = 16
const PAYLOAD_BYTES = 65_536
const PACKAGE_BYTES = DARE_HEADER_BYTES + PAYLOAD_BYTES + TAG_BYTES
const SEQUENCE_AT = 12

/** How a stream of DARE 2.0 is written. */
export interface DareWriting {
  readonly key: KeyObject
  /** Default: AES-256-GCM. */
  readonly cipher?: DareCipher
  /** 12 bytes; made at random when left out. The same nonce must never be used twice with a key. */
  readonly nonce?: Uint8Array
  /** Stored before the stream. */
  readonly preamble?: Uint8Array
}

/** How a stream of DARE is read. */
export interface DareReading {
  readonly key: KeyObject
  readonly scheme: CipherScheme
  /** Where the stream begins in the stored object, for messages. */
  readonly offset: number
  /** Only AES-256-GCM and version 2.0, as WAL-G's Yandex scheme has it. Default: both ciphers, 1.0 and 2.0. */
  readonly strict?: boolean
}

/**
 * Encrypts into DARE 2.0 (RF 7.4.1): packages of 65 536 bytes, the last one marked. Nothing comes of an empty source. Authenticated,
 * ordered and protected against truncation, except of a stream to nothing.
 */
export async function* encryptDare(source: ByteSource, writing: DareWriting): AsyncGenerator<Uint8Array, void, undefined> {
  const cipher = writing.cipher ?? 'aes-256-gcm'
  const nonce = Buffer.from(writing.nonce ?? unpredictableBytes(12))
  nonce[0] = (nonce[0] ?? 0) & ~FINAL_BIT
  let sequence = 0
  const seal = (payload: Uint8Array, final: boolean, out: Uint8Array): number => {
    const header = Buffer.from(out.buffer, out.byteOffset, DARE_HEADER_BYTES)
    header[0] = VERSION_2
    header[1] = CIPHERS.indexOf(cipher)
    header.writeUInt16LE(payload.length - 1, 2)
    header.set(nonce, ADDITIONAL_BYTES)
    if (final) header[ADDITIONAL_BYTES] = (header[ADDITIONAL_BYTES] ?? 0) | FINAL_BIT
    const sealing = createCipheriv(cipher as 'aes-256-gcm', writing.key, packageNonce(header, sequence++), { authTagLength: TAG_BYTES })
    sealing.setAAD(header.subarray(0, ADDITIONAL_BYTES))
    moveInto(out, DARE_HEADER_BYTES, sealing.update(payload))
    sealing.final()
    out.set(sealing.getAuthTag(), DARE_HEADER_BYTES + payload.length)
    return DARE_HEADER_BYTES + payload.length + TAG_BYTES
  }
  yield* throughUnits(source, PLAIN_SHAPE, {
    ...(writing.preamble === undefined ? {} : { preamble: writing.preamble }),
    maxResultBytes: PACKAGE_BYTES,
    unit: (payload, block, at) => seal(payload, false, block.subarray(at)),
    end(rest) {
      const last = new Uint8Array(rest.length === 0 ? 0 : rest.length + DARE_HEADER_BYTES + TAG_BYTES)
      if (rest.length > 0) seal(rest, true, last)
      return last
    },
  })
}

/** Copies a result of `node:crypto` and frees it: 64 KiB each time would pile up before the garbage collector sees a reason to run. */
function moveInto(out: Uint8Array, at: number, result: Buffer): void {
  out.set(result, at)
  const { buffer } = result
  if (buffer instanceof ArrayBuffer && buffer.byteLength === result.length) buffer.transfer(0)
}

const PLAIN_SHAPE: UnitShape = { headBytes: 0, maxBytes: PAYLOAD_BYTES, keepsLast: true }

/** The nonce of the cipher: that of the header, its last four bytes (LE) combined with the number of the package. */
function packageNonce(header: Buffer, sequence: number): Buffer {
  const nonce = Buffer.from(header.subarray(ADDITIONAL_BYTES, DARE_HEADER_BYTES))
  nonce.writeUInt32LE((nonce.readUInt32LE(8) ^ sequence) >>> 0, 8)
  return nonce
}

/**
 * Decrypts DARE 2.0, and 1.0 unless strict. Only whole packages that authenticate in their order are passed on.
 * Throws `corrupt` `CRYPTO_DAMAGED`, `CRYPTO_TRUNCATED` or `CRYPTO_TRAILING_BYTES` with the offset in the stored object, and
 * `unsupported` `CRYPTO_FORMAT_UNSUPPORTED` for a cipher that strict reading excludes.
 */
export function decryptDare(source: ByteSource, reading: DareReading): AsyncGenerator<Uint8Array, void, undefined> {
  const state: ReadingState = { offset: reading.offset, sequence: 0, first: undefined, ended: false }
  const place = (offset: number): CipherPlace => ({ scheme: reading.scheme, offset })
  const shape: UnitShape = {
    headBytes: DARE_HEADER_BYTES,
    maxBytes: PACKAGE_BYTES,
    unitBytes(head) {
      checkHeader(head, state, reading)
      return DARE_HEADER_BYTES + (head[2] ?? 0) + (head[3] ?? 0) * 256 + 1 + TAG_BYTES
    },
  }
  const work: UnitWork = {
    maxResultBytes: PAYLOAD_BYTES,
    unit(stored, block, at) {
      const length = openPackage(Buffer.from(stored.buffer, stored.byteOffset, stored.length), block.subarray(at), { state, reading })
      state.offset += stored.length
      state.sequence++
      return length
    },
    end(rest) {
      const end = place(state.offset + rest.length)
      if (state.ended && rest.length > 0) throw trailingFault(place(state.offset))
      if (rest.length > 0) throw truncatedFault(end, 'the rest of a package')
      if (state.first?.[0] === VERSION_2 && !state.ended) throw truncatedFault(end, 'a package marked as the last')
      return new Uint8Array(0)
    },
  }
  return throughUnits(source, shape, work)
}

interface ReadingState {
  /** Where the package at hand begins in the stored object. */
  offset: number
  sequence: number
  /** The header of the first package. */
  first: Buffer | undefined
  ended: boolean
}

/** Whether bytes can be the header of a package: a known version and cipher. */
export function isDareHeader(head: Uint8Array): boolean {
  return (head[0] === VERSION_1 || head[0] === VERSION_2) && CIPHERS[head[1] ?? -1] !== undefined
}

/** Whether a header is one, may be read, and belongs to the same stream as the first. */
function checkHeader(head: Uint8Array, state: ReadingState, { scheme, strict }: DareReading): void {
  const place = { scheme, offset: state.offset }
  if (state.ended) throw trailingFault(place)
  if (!isDareHeader(head)) throw damagedFault(place, 'there is no header of a package')
  if (strict === true && (head[0] !== VERSION_2 || head[1] !== 0)) {
    throw unsupportedFormatFault(place, 'is not DARE 2.0 with AES-256-GCM, the only form of this scheme')
  }
  const first = state.first
  if (first === undefined) return
  if (head[0] !== first[0] || head[1] !== first[1]) throw damagedFault(place, 'a package is of another stream than the first')
}

interface PackageReading {
  readonly state: ReadingState
  readonly reading: DareReading
}

/** Opens one package into `out`; returns how long its content is. */
function openPackage(stored: Buffer, out: Uint8Array, { state, reading }: PackageReading): number {
  const place = { scheme: reading.scheme, offset: state.offset }
  const length = stored.length - DARE_HEADER_BYTES - TAG_BYTES
  const header = stored.subarray(0, DARE_HEADER_BYTES)
  const nonce =
    header[0] === VERSION_2 ? secondVersionNonce(header, length, { state, reading }) : firstVersionNonce(header, { state, reading })
  const opening = createDecipheriv((CIPHERS[header[1] ?? 0] ?? 'aes-256-gcm') as 'aes-256-gcm', reading.key, nonce, {
    authTagLength: TAG_BYTES,
  })
  opening.setAAD(header.subarray(0, ADDITIONAL_BYTES))
  opening.setAuthTag(stored.subarray(stored.length - TAG_BYTES))
  const plain = opening.update(stored.subarray(DARE_HEADER_BYTES, DARE_HEADER_BYTES + length))
  try {
    opening.final()
  } catch {
    plain.fill(0)
    const cause = state.sequence === 0 ? 'was changed, or written with another data key' : 'was changed, or is not where it belongs'
    throw damagedFault(place, `package ${state.sequence} ${cause}`)
  }
  moveInto(out, 0, plain)
  state.first ??= Buffer.from(header)
  return length
}

function secondVersionNonce(header: Buffer, length: number, { state, reading }: PackageReading): Buffer {
  const place = { scheme: reading.scheme, offset: state.offset }
  const final = ((header[ADDITIONAL_BYTES] ?? 0) & FINAL_BIT) !== 0
  if (!final && length !== PAYLOAD_BYTES) throw damagedFault(place, `package ${state.sequence} is short but not the last`)
  if (state.first !== undefined && !sameNonce(header, state.first)) {
    throw damagedFault(place, `package ${state.sequence} is of another stream than the first`)
  }
  // Believed only when the package authenticates, which it must for anything to be passed on: the bit is part of the nonce.
  state.ended = final
  return packageNonce(header, state.sequence)
}

/** Whether two headers have the same nonce, the mark of the last package aside. */
function sameNonce(a: Buffer, b: Buffer): boolean {
  const marks = ((a[ADDITIONAL_BYTES] ?? 0) ^ (b[ADDITIONAL_BYTES] ?? 0)) & ~FINAL_BIT
  return marks === 0 && a.subarray(ADDITIONAL_BYTES + 1, DARE_HEADER_BYTES).equals(b.subarray(ADDITIONAL_BYTES + 1, DARE_HEADER_BYTES))
}

/** Version 1.0 has the number of the package (u32 LE) in the first four bytes of its nonce and no mark at the end. */
function firstVersionNonce(header: Buffer, { state, reading }: PackageReading): Buffer {
  const place = { scheme: reading.scheme, offset: state.offset }
  if (header.readUInt32LE(ADDITIONAL_BYTES) !== state.sequence) {
    throw damagedFault(place, `a package has another number than ${state.sequence}`)
  }
  if (state.first !== undefined && !header.subarray(8).equals(state.first.subarray(8))) {
    throw damagedFault(place, `package ${state.sequence} is of another stream than the first`)
  }
  return header.subarray(ADDITIONAL_BYTES, SEQUENCE_AT + 4)
}
