import { Buffer } from 'node:buffer'
import { BLOCK_BYTES, FIELD, type Field } from './layout.ts'

/** A header block as it lies, before PAX records and long names are applied. */
export interface RawHeader {
  readonly typeFlag: string
  /** Prefix and name joined. */
  readonly name: Uint8Array
  readonly linkName: Uint8Array
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly modifiedAtSeconds: number
  readonly userName: Uint8Array
  readonly groupName: Uint8Array
}

const SPACE = 0x20

/** Why a block is no header; a text for the message. */
export class HeaderProblem {
  readonly what: string
  constructor(what: string) {
    this.what = what
  }
}

/** Whether a block, or the rest of a chunk, is all zeros. */
export function isZero(bytes: Uint8Array): boolean {
  for (let index = 0; index < bytes.length; index += 1) if (bytes[index] !== 0) return false
  return true
}

/** Reads a 512-byte header of any of the formats V7, ustar, PAX and GNU, or says what is wrong with it. */
export function decodeHeader(block: Uint8Array): RawHeader | HeaderProblem {
  if (!checksumMatches(block)) return new HeaderProblem('it does not match its checksum')
  const numbers = {
    mode: numberIn(block, FIELD.mode),
    uid: numberIn(block, FIELD.uid),
    gid: numberIn(block, FIELD.gid),
    size: numberIn(block, FIELD.size),
    modifiedAtSeconds: numberIn(block, FIELD.modified),
  }
  for (const [what, value] of Object.entries(numbers)) {
    if (value === undefined) return new HeaderProblem(`its field ${what} is not a number`)
    if (value < 0 && what !== 'modifiedAtSeconds') return new HeaderProblem(`its field ${what} is negative`)
  }
  const isUstar = Buffer.from(block.subarray(FIELD.magic[0], FIELD.magic[0] + 6)).toString('latin1') === 'ustar\0'
  return {
    ...(numbers as Record<keyof typeof numbers, number>),
    typeFlag: String.fromCharCode(block[FIELD.type[0]] ?? 0),
    name: isUstar ? joinName(textIn(block, FIELD.prefix), textIn(block, FIELD.name)) : textIn(block, FIELD.name),
    linkName: textIn(block, FIELD.linkName),
    userName: textIn(block, FIELD.userName),
    groupName: textIn(block, FIELD.groupName),
  }
}

/** The sum of all bytes with the checksum field taken as spaces; some old writers summed signed bytes. */
function checksumMatches(block: Uint8Array): boolean {
  const stated = numberIn(block, FIELD.checksum)
  let unsigned = 8 * SPACE
  let high = 0
  for (let at = 0; at < BLOCK_BYTES; at += 1) {
    if (at === FIELD.checksum[0]) at += FIELD.checksum[1]
    const byte = block[at] ?? 0
    unsigned += byte
    if (byte >= 0x80) high += 1
  }
  return stated === unsigned || stated === unsigned - 256 * high
}

function joinName(prefix: Uint8Array, name: Uint8Array): Uint8Array {
  return prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from('/'), name])
}

function textIn(block: Uint8Array, [start, length]: Field): Uint8Array {
  const field = block.subarray(start, start + length)
  const end = field.indexOf(0)
  return end < 0 ? field : field.subarray(0, end)
}

/** Octal digits between spaces and NULs, or the base-256 form of GNU; undefined for anything else or beyond 2^53. */
function numberIn(block: Uint8Array, [start, length]: Field): number | undefined {
  const first = block[start] ?? 0
  if ((first & 0x80) !== 0) return base256(block.subarray(start, start + length))
  const digits = trimmed(block.subarray(start, start + length))
  let value = 0
  for (const byte of digits) {
    if (byte < 0x30 || byte > 0x37) return undefined
    value = value * 8 + byte - 0x30
  }
  return value
}

/** Without the spaces and NULs around it. */
function trimmed(field: Uint8Array): Uint8Array {
  const isBlank = (byte: number | undefined): boolean => byte === SPACE || byte === 0
  let from = 0
  let to = field.length
  while (from < to && isBlank(field[from])) from += 1
  while (to > from && isBlank(field[to - 1])) to -= 1
  return field.subarray(from, to)
}

function base256(field: Uint8Array): number | undefined {
  const negative = (field[0] ?? 0) === 0xff
  let value = negative ? -1n : BigInt((field[0] ?? 0) & 0x7f)
  for (const byte of field.subarray(1)) value = value * 256n + BigInt(byte)
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : undefined
}
