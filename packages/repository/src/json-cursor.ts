import { Buffer } from 'node:buffer'
import { Fault } from '@waltz/errors'
import { decodeStrictly } from './json-text.ts'

/** A single key, string or record longer than this is damage, not data. */
const MAX_PENDING_BYTES = 16 * 1_048_576

/** A window on a JSON document that arrives in chunks. The functions below move `at`; on lack of bytes they leave it. */
export interface JsonCursor {
  readonly origin: string
  bytes: Buffer
  /** Index of the next byte in `bytes`. */
  at: number
  /** Offset of `bytes[0]` in the document. */
  base: number
  /** What `readString` read last. */
  text: string
}

/** A cursor before the first chunk. */
export function jsonCursor(origin: string): JsonCursor {
  return { origin, bytes: Buffer.alloc(0), at: 0, base: 0, text: '' }
}

/**
 * Adds the next chunk behind the bytes that are not consumed yet.
 * @throws Fault `corrupt` `JSON_TOO_LARGE` when a single value does not fit into 16 MiB.
 */
export function feed(cursor: JsonCursor, chunk: Uint8Array): void {
  const rest = cursor.bytes.length - cursor.at
  cursor.base += cursor.at
  if (rest > MAX_PENDING_BYTES) {
    throw new Fault(
      'corrupt',
      'JSON_TOO_LARGE',
      `${cursor.origin}: the value at byte ${cursor.base} is longer than ${MAX_PENDING_BYTES} bytes`,
      {
        context: { key: cursor.origin, offset: cursor.base },
      },
    )
  }
  const next = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  cursor.bytes = rest === 0 ? next : Buffer.concat([cursor.bytes.subarray(cursor.at), next])
  cursor.at = 0
}

/** The fault for bytes that cannot stand where they are. */
export function unexpected(cursor: JsonCursor, expected: string, at: number = cursor.at): Fault {
  const byte = cursor.bytes[at] ?? 0
  const found = byte > 0x20 && byte < 0x7f ? `'${String.fromCharCode(byte)}'` : `byte 0x${byte.toString(16).padStart(2, '0')}`
  const offset = cursor.base + at
  return new Fault(
    'corrupt',
    'JSON_INVALID',
    `${cursor.origin} is not valid JSON: ${expected} expected at byte ${offset}, found ${found}`,
    {
      context: { key: cursor.origin, offset },
    },
  )
}

/** Skips white space; the next byte, not consumed, or -1 when the bytes run out. */
export function peekByte(cursor: JsonCursor): number {
  const { bytes } = cursor
  let { at } = cursor
  while (at < bytes.length) {
    const byte = bytes[at] as number
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) {
      cursor.at = at
      return byte
    }
    at++
  }
  cursor.at = at
  return -1
}

/**
 * Reads the string at the cursor (which stands on its opening quote) into `text`; false when it is not all there.
 * @throws Fault `corrupt` `JSON_INVALID` for control characters, bad escapes and bad UTF-8.
 */
export function readString(cursor: JsonCursor): boolean {
  const { bytes, at } = cursor
  if (bytes[at] !== 0x22) throw unexpected(cursor, 'a string')
  let seen = 0
  let escaped = false
  for (let index = at + 1; index < bytes.length; index++) {
    const byte = bytes[index] as number
    if (byte === 0x22) {
      cursor.text = seen < 0x80 && !escaped ? bytes.toString('latin1', at + 1, index) : decodeString(cursor, at, index + 1)
      cursor.at = index + 1
      return true
    }
    if (byte < 0x20) throw unexpected(cursor, 'text without control characters', index)
    if (byte === 0x5c) {
      escaped = true
      index++
    } else seen |= byte
  }
  return false
}

function decodeString(cursor: JsonCursor, start: number, end: number): string {
  try {
    return JSON.parse(decodeStrictly(cursor.bytes.subarray(start, end))) as string
  } catch {
    throw unexpected(cursor, 'valid escapes and UTF-8 in the string', start)
  }
}

/**
 * The key of the next member, with the cursor moved behind its colon and white space, on the value; undefined (and
 * the cursor unmoved) unless at least the first byte of the value is there too.
 */
export function readKey(cursor: JsonCursor): string | undefined {
  const start = cursor.at
  const complete = readString(cursor) && peekByte(cursor) >= 0
  if (complete) {
    if (cursor.bytes[cursor.at] !== 0x3a) throw unexpected(cursor, "':'")
    cursor.at++
    if (peekByte(cursor) >= 0) return cursor.text
  }
  cursor.at = start
  return undefined
}

/** The bytes of the whole value at the cursor, consumed; undefined, and the cursor unmoved, when it is not all there. */
export function readValue(cursor: JsonCursor): Buffer | undefined {
  const end = valueEnd(cursor)
  if (end === -1) return undefined
  const value = cursor.bytes.subarray(cursor.at, end)
  cursor.at = end
  return value
}

/**
 * Skips a string, number or word; false when it is not all there.
 * @throws Fault `corrupt` `JSON_INVALID` for anything that is none.
 */
export function skipScalar(cursor: JsonCursor): boolean {
  if (cursor.bytes[cursor.at] === 0x22) return readString(cursor)
  const start = cursor.at
  const value = readValue(cursor)
  if (value === undefined) return false
  if (!/^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/.test(value.toString('latin1')))
    throw unexpected(cursor, 'a value', start)
  return true
}

/** Finds the end by brackets and quotes alone: whoever parses the value sees the rest. */
// oxlint-disable-next-line complexity -- a hot loop over bytes
function valueEnd({ bytes, at }: JsonCursor): number {
  let depth = 0
  let quoted = false
  for (let index = at; index < bytes.length; index++) {
    const byte = bytes[index] as number
    if (quoted) {
      if (byte === 0x5c) index++
      else if (byte === 0x22) {
        quoted = false
        if (depth === 0) return index + 1
      }
    } else if (byte === 0x22) quoted = true
    else if (byte === 0x7b || byte === 0x5b) depth++
    else if (byte === 0x7d || byte === 0x5d) {
      depth--
      // A bracket of the container ends a number or a word.
      if (depth <= 0) return depth === 0 ? index + 1 : index
    } else if (depth === 0 && (byte === 0x2c || byte <= 0x20)) return index
  }
  return -1
}
