import { assert } from '@waltz/errors'
import { checkedTypeFlag } from './check-entry.ts'
import type { TarEntry } from './entry.ts'
import { BLOCK_BYTES, FIELD, type Field } from './layout.ts'

const NAME_BYTES = 100
const PREFIX_BYTES = 155
const SLASH = 0x2f
const SPACE = 0x20
const DIGIT_0 = 0x30
const MAX_INT = 0x7fffffff

/**
 * Writes the header of `entry` at `offset` of `target` when plain ustar can hold it, with the bytes that Go's
 * archive/tar and so WAL-G would write (RF 3.4), and leaves next to nothing to collect. Returns the bytes written, 512, or 0 when
 * the entry needs a PAX header: `encodeTarHeader` makes that one.
 * @throws Fault `invalid` `TAR_ENTRY_INVALID` for an entry that no tar can hold.
 */
export function writeTarHeader(entry: TarEntry, target: Uint8Array, offset: number): number {
  assert(offset >= 0 && offset + BLOCK_BYTES <= target.length, 'a tar header needs 512 bytes of room')
  const typeFlag = checkedTypeFlag(entry)
  const split = ustarSplit(entry.name)
  if (split === undefined || !fitsUstar(entry)) return 0
  const header: HeaderBytes = { target, offset }
  target.fill(0, offset, offset + BLOCK_BYTES)
  if (split > 0) {
    putText(header, FIELD.prefix, entry.name.slice(0, split))
    putText(header, FIELD.name, entry.name.slice(split + 1))
  } else putText(header, FIELD.name, entry.name)
  putCommonFields(header, entry, typeFlag)
  putChecksum(header)
  return BLOCK_BYTES
}

/** A header being written: a place in a larger buffer, so that no view has to be made. */
export interface HeaderBytes {
  readonly target: Uint8Array
  readonly offset: number
}

/** The fields that are the same in a ustar header and in the header behind a PAX record list. */
export function putCommonFields(header: HeaderBytes, entry: TarEntry, typeFlag: string): void {
  putOctal(header, FIELD.mode, entry.mode)
  putOctal(header, FIELD.uid, entry.uid)
  putOctal(header, FIELD.gid, entry.gid)
  putOctal(header, FIELD.size, entry.size)
  putOctal(header, FIELD.modified, entry.modifiedAtSeconds)
  header.target[header.offset + FIELD.type[0]] = typeFlag.charCodeAt(0)
  putText(header, FIELD.linkName, entry.linkName ?? '')
  putText(header, FIELD.userName, entry.userName)
  putText(header, FIELD.groupName, entry.groupName)
  putOctal(header, FIELD.deviceMajor, 0)
  putOctal(header, FIELD.deviceMinor, 0)
}

/** ASCII text, cut to the field; other characters are left out. The rest of the field stays as it is (zero). */
export function putText(header: HeaderBytes, field: Field, text: string): void {
  const start = header.offset + field[0]
  const end = start + field[1]
  let at = start
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (code >= 0x80) continue
    if (at === end) return endCutText(header.target, start, end)
    header.target[at++] = code
  }
}

/** A cut name must not look like a directory: the first of the slashes at its end becomes the terminator. */
function endCutText(target: Uint8Array, start: number, end: number): void {
  let first = end
  while (first > start && target[first - 1] === SLASH) first -= 1
  if (first < end) target[first] = 0
}

/** Octal digits with leading zeros and a NUL at the end; 0 for a number that does not fit. */
export function putOctal(header: HeaderBytes, field: Field, value: number): void {
  const start = header.offset + field[0]
  let at = start + field[1] - 2
  let rest = fitsOctal(field, value) ? value : 0
  for (; rest > MAX_INT; at -= 1) {
    header.target[at] = DIGIT_0 + (rest % 8)
    rest = Math.floor(rest / 8)
  }
  for (; at >= start; at -= 1) {
    header.target[at] = DIGIT_0 + (rest & 7)
    rest >>= 3
  }
}

/** Whether a number fits the octal digits of a field. */
export function fitsOctal(field: Field, value: number): boolean {
  return value >= 0 && value < 8 ** (field[1] - 1)
}

/** Magic, version and checksum: the last fields to be written. The checksum is six digits, a NUL and a space. */
export function putChecksum(header: HeaderBytes): void {
  const { target, offset } = header
  putText(header, FIELD.magic, 'ustar')
  putText(header, FIELD.version, '00')
  const start = offset + FIELD.checksum[0]
  let sum = 0
  for (let at = offset; at < offset + BLOCK_BYTES; at += 1) sum += target[at] ?? 0
  sum += 8 * SPACE // the field itself counts as spaces, and is still zero
  for (let at = start + 5; at >= start; at -= 1) {
    target[at] = DIGIT_0 + (sum & 7)
    sum >>= 3
  }
  target[start + 7] = SPACE
}

/**
 * Where ustar can hold the name: 0 for the name field alone, else the index of the slash between prefix and name (the
 * last one that leaves a prefix of at most 155 bytes); undefined when it cannot.
 */
export function ustarSplit(name: string): number | undefined {
  if (!isAscii(name)) return undefined
  if (name.length <= NAME_BYTES) return 0
  let last = Math.min(name.length, PREFIX_BYTES + 1) - 1
  if (name.length <= PREFIX_BYTES + 1 && name.charCodeAt(last) === SLASH) last -= 1 // a slash at the end does not split
  const slash = name.lastIndexOf('/', last)
  const nameBytes = name.length - slash - 1
  return slash <= 0 || nameBytes > NAME_BYTES || nameBytes === 0 ? undefined : slash
}

/** Whether all characters are ASCII. */
export function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) if (text.charCodeAt(index) >= 0x80) return false
  return true
}

/** Whether ASCII text of at most the field's length. */
export function fitsText(field: Field, text: string): boolean {
  return text.length <= field[1] && isAscii(text)
}

function fitsUstar(entry: TarEntry): boolean {
  return (
    fitsText(FIELD.linkName, entry.linkName ?? '') &&
    fitsText(FIELD.userName, entry.userName) &&
    fitsText(FIELD.groupName, entry.groupName) &&
    fitsOctal(FIELD.uid, entry.uid) &&
    fitsOctal(FIELD.gid, entry.gid) &&
    fitsOctal(FIELD.size, entry.size) &&
    fitsOctal(FIELD.modified, entry.modifiedAtSeconds)
  )
}
