import { concatBytes, giveBack, type ByteSource } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import { readRegularFiles, readRegularMembers } from './files-metadata-regular.ts'
import { fileEvent, oidOf, tableEvent } from './files-metadata-records.ts'
import type { FilesMetadataEvent } from './files-metadata.ts'
import { feed, jsonCursor, peekByte, readKey, readString, readValue, skipScalar, unexpected, type JsonCursor } from './json-cursor.ts'
import type { JsonOrigin } from './json-text.ts'

const MAX_DEPTH = 1000
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET, COMMA, LETTER_N] = [0x7b, 0x7d, 0x5b, 0x5d, 0x2c, 0x6e]

type FrameKind = 'document' | 'files' | 'parts' | 'members' | 'databases' | 'database' | 'tables' | 'ignored-object' | 'ignored-array'

/** One container that is open. */
interface Frame {
  readonly kind: FrameKind
  /** The part or the database, where there is one. */
  readonly name: string
  /** What was consumed last. */
  last: 'open' | 'entry' | 'comma'
  /** Of a database: its oid has been told. */
  reported: boolean
}

/** The reader between two chunks. */
interface Walk {
  readonly cursor: JsonCursor
  readonly stack: Frame[]
  readonly keep: ((name: string, value: Uint8Array) => void) | undefined
  readonly tables: boolean
  events: FilesMetadataEvent[]
  started: boolean
}

/** Options of `readFilesMetadata`. */
export interface ReadFilesMetadataOptions extends JsonOrigin {
  /** Receives every other top-level member, its value as JSON text of at most 16 MiB. They are skipped otherwise. */
  readonly keep?: (name: string, value: Uint8Array) => void
  /** Whether databases and their tables are told, true unless said otherwise. They are skipped otherwise. */
  readonly tables?: boolean
}

/**
 * Reads `files_metadata.json`, or the file list inside a V1 sentinel, as batches of events: any order of keys, any white
 * space, unknown members skipped, `CorruptBlocks` in both forms. The document may have any size; memory stays at
 * a chunk and its batch. A name that occurs twice is told twice: the later one counts (RF 2.1).
 * @throws Fault `corrupt` from the iteration: `JSON_TRUNCATED`, `JSON_INVALID` (with the byte offset), `JSON_FIELD_INVALID`,
 *   `JSON_TOO_LARGE` for a single value of more than 16 MiB.
 */
export async function* readFilesMetadata(
  source: ByteSource,
  options: ReadFilesMetadataOptions,
): AsyncGenerator<readonly FilesMetadataEvent[], void, undefined> {
  const { origin, keep, tables = true } = options
  const walk: Walk = { cursor: jsonCursor(origin), stack: [], keep, tables, events: [], started: false }
  for await (const chunk of inGrowingChunks(source, walk.cursor)) {
    feed(walk.cursor, chunk)
    advance(walk)
    if (walk.events.length === 0) continue
    const { events } = walk
    walk.events = []
    yield events
  }
  if (walk.started && walk.stack.length === 0) return
  const { cursor } = walk
  const length = cursor.base + cursor.bytes.length
  throw new Fault(
    'corrupt',
    'JSON_TRUNCATED',
    `${cursor.origin} ${length === 0 ? 'is empty' : `ends in the middle, after ${length} bytes`}`,
    {
      context: { key: cursor.origin, bytes: length },
    },
  )
}

/** The document is read in steps of this size: what a step yields should be dead before V8 takes it for long-lived. */
const STEP_BYTES = 32_768

/** While a value is longer than what has arrived, waits for as much again, so that it is not scanned from its start too often. */
async function* inGrowingChunks(source: ByteSource, cursor: JsonCursor): AsyncGenerator<Uint8Array, void, undefined> {
  const held: Uint8Array[] = []
  let heldBytes = 0
  for await (const chunk of inSteps(source)) {
    held.push(chunk)
    heldBytes += chunk.length
    if (heldBytes < cursor.bytes.length - cursor.at) continue
    yield held.length === 1 ? chunk : concatBytes(held)
    held.length = 0
    heldBytes = 0
  }
  if (heldBytes > 0) yield concatBytes(held)
}

/** Copies of the chunks, so that these can be given back before the document is read on. */
async function* inSteps(source: ByteSource): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; at += STEP_BYTES) yield new Uint8Array(chunk.subarray(at, at + STEP_BYTES))
    giveBack(chunk)
  }
}

/** Consumes as much as is there. */
function advance(walk: Walk): void {
  const { cursor, stack } = walk
  for (;;) {
    const byte = peekByte(cursor)
    if (byte === -1) return
    const frame = stack.at(-1)
    if (frame === undefined) openDocument(walk, byte)
    else if (byte === closerOf(frame) && frame.last !== 'comma') close(walk, frame)
    else if (frame.last === 'entry') {
      if (byte !== COMMA) throw unexpected(cursor, `',' or '${String.fromCharCode(closerOf(frame))}'`)
      cursor.at++
      frame.last = 'comma'
    } else if (!readEntry(walk, frame, byte)) return
  }
}

function openDocument(walk: Walk, byte: number): void {
  if (walk.started) throw unexpected(walk.cursor, 'nothing behind the document')
  if (byte !== OPEN_BRACE) throw unexpected(walk.cursor, "'{'")
  walk.started = true
  push(walk, 'document', '')
}

function closerOf({ kind }: Frame): number {
  return kind === 'members' || kind === 'ignored-array' ? CLOSE_BRACKET : CLOSE_BRACE
}

/** Consumes the opening bracket. */
function push({ stack, cursor }: Walk, kind: FrameKind, name: string): void {
  if (stack.length >= MAX_DEPTH) throw unexpected(cursor, `no more than ${MAX_DEPTH} levels`)
  cursor.at++
  stack.push({ kind, name, last: 'open', reported: false })
}

function close({ stack, cursor, events }: Walk, frame: Frame): void {
  cursor.at++
  stack.pop()
  if (frame.kind === 'database' && !frame.reported) events.push({ kind: 'database', name: frame.name, oid: 0 })
}

/** Reads one entry, or opens the container that it is; false when more bytes are needed. */
function readEntry(walk: Walk, frame: Frame, byte: number): boolean {
  const { cursor, events } = walk
  if (frame.kind === 'members') return readMembers(walk, frame)
  if (frame.kind === 'ignored-array') return ignoreValue(walk, frame, byte)
  if (frame.kind === 'files') {
    const consumed = readRegularFiles(cursor, events)
    if (consumed !== undefined) {
      frame.last = consumed
      return true
    }
  }
  const start = cursor.at
  const key = readKey(cursor)
  if (key === undefined) return false
  if (readMember(walk, frame, key)) return true
  cursor.at = start
  return false
}

function readMembers(walk: Walk, frame: Frame): boolean {
  const { cursor, events } = walk
  const consumed = readRegularMembers(cursor, frame.name, events)
  if (consumed !== undefined) frame.last = consumed
  else {
    if (!readString(cursor)) return false
    events.push({ kind: 'member', part: frame.name, name: cursor.text })
    frame.last = 'entry'
  }
  return true
}

/** The cursor stands on the value of `key`; false when it is not all there. */
function readMember(walk: Walk, frame: Frame, key: string): boolean {
  const { cursor } = walk
  const byte = cursor.bytes[cursor.at] as number
  if (frame.kind === 'document') return readTopMember(walk, frame, key)
  if (frame.kind === 'parts') return openList(walk, frame, key)
  if (frame.kind === 'databases')
    return openContainer(walk, frame, { kind: 'database', name: key, label: `DatabasesByNames[${JSON.stringify(key)}]` })
  if (frame.kind === 'database' && key.toLowerCase() === 'tables_new') {
    return openContainer(walk, frame, { kind: 'tables', name: frame.name, label: 'tables_new' })
  }
  if (frame.kind === 'ignored-object' || (frame.kind === 'database' && key.toLowerCase() !== 'oid')) return ignoreValue(walk, frame, byte)
  const value = readValue(cursor)
  if (value === undefined) return false
  if (frame.kind === 'files') walk.events.push(fileEvent(cursor.origin, key, value))
  else if (frame.kind === 'tables') walk.events.push(tableEvent(cursor.origin, { database: frame.name, name: key }, value))
  else {
    walk.events.push({ kind: 'database', name: frame.name, oid: oidOf(cursor, value) })
    frame.reported = true
  }
  frame.last = 'entry'
  return true
}

const TOP: ReadonlyMap<string, FrameKind> = new Map([
  ['files', 'files'],
  ['tarfilesets', 'parts'],
  ['databasesbynames', 'databases'],
])

function readTopMember(walk: Walk, frame: Frame, key: string): boolean {
  const { cursor } = walk
  const kind = TOP.get(key.toLowerCase())
  if (kind === 'databases' && !walk.tables) return ignoreValue(walk, frame, cursor.bytes[cursor.at] as number)
  if (kind !== undefined) return openContainer(walk, frame, { kind, name: '', label: key })
  if (walk.keep === undefined) return ignoreValue(walk, frame, cursor.bytes[cursor.at] as number)
  const value = readValue(cursor)
  if (value === undefined) return false
  walk.keep(key, value)
  frame.last = 'entry'
  return true
}

/** Opens an object; null counts as an empty one. */
function openContainer(walk: Walk, frame: Frame, { kind, name, label }: { kind: FrameKind; name: string; label: string }): boolean {
  const { cursor } = walk
  const byte = cursor.bytes[cursor.at]
  if (byte === OPEN_BRACE) {
    frame.last = 'entry'
    push(walk, kind, name)
    return true
  }
  if (!readNull(walk, label, 'an object')) return false
  if (kind === 'database') walk.events.push({ kind, name, oid: 0 })
  frame.last = 'entry'
  return true
}

function openList(walk: Walk, frame: Frame, part: string): boolean {
  const { cursor } = walk
  const isList = cursor.bytes[cursor.at] === OPEN_BRACKET
  if (!isList && !readNull(walk, `TarFileSets[${JSON.stringify(part)}]`, 'an array')) return false
  walk.events.push({ kind: 'part', part })
  frame.last = 'entry'
  if (isList) push(walk, 'members', part)
  return true
}

function readNull({ cursor }: Walk, label: string, expected: string): boolean {
  if (cursor.bytes[cursor.at] === LETTER_N) return skipScalar(cursor)
  throw new Fault('corrupt', 'JSON_FIELD_INVALID', `${cursor.origin}: ${label} must be ${expected}`, {
    context: { key: cursor.origin, field: label },
  })
}

/** Skips a value of any size, level by level, so that its length does not matter. */
function ignoreValue(walk: Walk, frame: Frame, byte: number): boolean {
  if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
    frame.last = 'entry'
    push(walk, byte === OPEN_BRACE ? 'ignored-object' : 'ignored-array', '')
    return true
  }
  if (!skipScalar(walk.cursor)) return false
  frame.last = 'entry'
  return true
}
