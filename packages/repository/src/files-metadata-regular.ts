import { Buffer } from 'node:buffer'
import type { FilesMetadataEvent } from './files-metadata.ts'
import type { JsonCursor } from './json-cursor.ts'

const INCREMENTED = Buffer.from(':{"IsIncremented":')
const SKIPPED = Buffer.from(',"IsSkipped":')
const MODIFIED = Buffer.from(',"MTime":"')
const UPDATES = Buffer.from(',"UpdatesCount":')
const MAX_EXACT_DIGITS = 15

/**
 * The fast path: reads entries of `Files` as long as they look exactly as WAL-G and Waltz write them (ASCII, no escapes, no
 * white space, no corrupt blocks), each with the comma behind it when another key follows. The cursor stands on the
 * first entry that does not, or is not all there. Returns whether a comma was consumed last, or undefined when nothing was.
 */
export function readRegularFiles(cursor: JsonCursor, events: FilesMetadataEvent[]): 'entry' | 'comma' | undefined {
  const { bytes } = cursor
  let state: 'entry' | 'comma' | undefined
  for (;;) {
    const next = regularFile(bytes, cursor.at, events)
    if (next === -1) return state
    if (bytes[next] !== 0x2c || bytes[next + 1] !== 0x22) {
      cursor.at = next
      return 'entry'
    }
    cursor.at = next + 1
    state = 'comma'
  }
}

/** Reads the strings of one part's list likewise. */
export function readRegularMembers(cursor: JsonCursor, part: string, events: FilesMetadataEvent[]): 'entry' | 'comma' | undefined {
  const { bytes } = cursor
  let state: 'entry' | 'comma' | undefined
  for (;;) {
    const end = plainStringEnd(bytes, cursor.at)
    if (end === -1) return state
    events.push({ kind: 'member', part, name: bytes.toString('latin1', cursor.at + 1, end) })
    if (bytes[end + 1] !== 0x2c || bytes[end + 2] !== 0x22) {
      cursor.at = end + 1
      return 'entry'
    }
    cursor.at = end + 2
    state = 'comma'
  }
}

// oxlint-disable-next-line complexity -- the hot loop of a million entries: one straight line of comparisons
function regularFile(bytes: Buffer, start: number, events: FilesMetadataEvent[]): number {
  const nameEnd = plainStringEnd(bytes, start)
  if (nameEnd === -1 || !startsWith(bytes, nameEnd + 1, INCREMENTED)) return -1
  let at = nameEnd + 1 + INCREMENTED.length
  const incremented = bytes[at] === 0x74
  at = wordEnd(bytes, at)
  if (at === -1 || !startsWith(bytes, at, SKIPPED)) return -1
  at += SKIPPED.length
  const skipped = bytes[at] === 0x74
  at = wordEnd(bytes, at)
  if (at === -1 || !startsWith(bytes, at, MODIFIED)) return -1
  const timeStart = at + MODIFIED.length
  const timeEnd = plainStringEnd(bytes, timeStart - 1)
  if (timeEnd === -1 || !startsWith(bytes, timeEnd + 1, UPDATES)) return -1
  at = timeEnd + 1 + UPDATES.length
  const digitsStart = at
  let updatesCount = 0
  while (isDigit(bytes[at])) updatesCount = updatesCount * 10 + ((bytes[at++] as number) - 0x30)
  const digits = at - digitsStart
  if (bytes[at] !== 0x7d || digits === 0 || digits > MAX_EXACT_DIGITS || (digits > 1 && bytes[digitsStart] === 0x30)) return -1
  events.push({
    kind: 'file',
    name: bytes.toString('latin1', start + 1, nameEnd),
    incremented,
    skipped,
    modifiedAt: bytes.toString('latin1', timeStart, timeEnd),
    updatesCount,
    corruptBlocks: undefined,
  })
  return at + 1
}

/** Index of the closing quote of a string of plain ASCII that starts at `start`; -1 for anything else. */
function plainStringEnd(bytes: Buffer, start: number): number {
  if (bytes[start] !== 0x22) return -1
  for (let at = start + 1; at < bytes.length; at++) {
    const byte = bytes[at] as number
    if (byte === 0x22) return at
    if (byte === 0x5c || byte < 0x20 || byte >= 0x80) return -1
  }
  return -1
}

function startsWith(bytes: Buffer, at: number, pattern: Buffer): boolean {
  for (let index = 0; index < pattern.length; index++) if (bytes[at + index] !== pattern[index]) return false
  return true
}

const TRUE = Buffer.from('true')
const FALSE = Buffer.from('false')

function wordEnd(bytes: Buffer, at: number): number {
  const word = bytes[at] === 0x74 ? TRUE : FALSE
  return startsWith(bytes, at, word) ? at + word.length : -1
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39
}
