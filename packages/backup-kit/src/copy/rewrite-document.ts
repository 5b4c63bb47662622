import { concatBytes, type ByteSource } from '@waltz/bytes'

/** What is changed in a JSON document; all other bytes stay as they are. */
export interface DocumentEdits {
  /** Gives the keys of the object `TarFileSets` their new names (RF 2.4). */
  readonly renamePart?: (name: string) => string
  /** Numbers at the top level, by the lower-case names of their members. */
  readonly numbers?: ReadonlyMap<string, number>
}

const [QUOTE, BACKSLASH, COMMA, COLON, MINUS, ZERO, NINE] = [0x22, 0x5c, 0x2c, 0x3a, 0x2d, 0x30, 0x39]
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d]
const PART_LISTS = 'tarfilesets'
const encoder = new TextEncoder()

/** The walk between two chunks. */
interface Walk {
  readonly edits: DocumentEdits
  mode: 'between' | 'text' | 'key' | 'number'
  /** The byte behind a backslash is taken as it is. */
  escaped: boolean
  /** Opening bytes of the containers that are open. */
  readonly stack: number[]
  expectsKey: boolean
  /** The top-level member that the walk is in, in lower case. */
  member: string
  /** What the number that follows becomes. */
  number: number | undefined
  /** The pieces of a key that is not at its end yet. */
  held: Uint8Array[]
}

/**
 * Changes names of parts and top-level numbers of a sentinel, `metadata.json` or `files_metadata.json` of any size on the way; keys match in
 * any case, as they do for WAL-G (RF 2.1). Anything that is no JSON passes as it is: readers will say so.
 */
export async function* rewriteDocument(source: ByteSource, edits: DocumentEdits): AsyncGenerator<Uint8Array, void, undefined> {
  const walk: Walk = { edits, mode: 'between', escaped: false, stack: [], expectsKey: false, member: '', number: undefined, held: [] }
  for await (const chunk of source) for (const piece of walkChunk(walk, chunk)) if (piece.length > 0) yield piece
  if (walk.mode === 'key') yield* walk.held
}

/** The pieces that a chunk becomes. */
function walkChunk(walk: Walk, chunk: Uint8Array): readonly Uint8Array[] {
  const pieces: Uint8Array[] = []
  /** How far the walk is, and what was handed on or dropped. */
  const place = { at: 0, from: 0 }
  while (place.at < chunk.length) STEPS[walk.mode](walk, chunk, { place, pieces })
  if (walk.mode === 'key') walk.held.push(new Uint8Array(chunk.subarray(place.from)))
  else if (walk.mode !== 'number') pieces.push(chunk.subarray(place.from))
  return pieces
}

interface Output {
  readonly place: { at: number; from: number }
  readonly pieces: Uint8Array[]
}

const STEPS: Readonly<Record<Walk['mode'], (walk: Walk, chunk: Uint8Array, output: Output) => void>> = {
  between(walk, chunk, { place, pieces }) {
    place.at = skipBetween(walk, chunk, place.at)
    if (walk.mode === 'key') {
      pieces.push(chunk.subarray(place.from, place.at - 1))
      place.from = place.at - 1
    } else if (walk.mode === 'number') pieces.push(chunk.subarray(place.from, place.at), encoder.encode(String(walk.number)))
  },
  number(walk, chunk, { place }) {
    place.at = skipNumber(chunk, place.at)
    place.from = place.at
    if (place.at < chunk.length) endNumber(walk)
  },
  text(walk, chunk, { place }) {
    const { at, closed } = skipText(walk, chunk, place.at)
    place.at = at
    if (closed) walk.mode = 'between'
  },
  key(walk, chunk, { place, pieces }) {
    const { at, closed } = skipText(walk, chunk, place.at)
    place.at = at
    if (!closed) return
    pieces.push(...endKey(walk, chunk.subarray(place.from, at)))
    place.from = at
    walk.mode = 'between'
  },
}

/** Goes on to the end of the chunk, or behind the byte that begins a text or at a number to be replaced. */
function skipBetween(walk: Walk, chunk: Uint8Array, start: number): number {
  for (let at = start; at < chunk.length; at += 1) {
    const byte = chunk[at] as number
    if (byte === QUOTE) {
      walk.mode = isWantedKey(walk) ? 'key' : 'text'
      return at + 1
    }
    if (walk.number !== undefined && (byte === MINUS || (byte >= ZERO && byte <= NINE))) {
      walk.mode = 'number'
      return at
    }
    step(walk, byte)
  }
  return chunk.length
}

function isWantedKey({ expectsKey, stack, member, edits }: Walk): boolean {
  if (!expectsKey) return false
  return stack.length === 1 || (stack.length === 2 && member === PART_LISTS && edits.renamePart !== undefined)
}

function step(walk: Walk, byte: number): void {
  const { stack } = walk
  if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
    stack.push(byte)
    walk.expectsKey = byte === OPEN_BRACE
    walk.number = undefined
  } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
    stack.pop()
    walk.expectsKey = false
  } else if (byte === COMMA) {
    walk.expectsKey = stack.at(-1) === OPEN_BRACE
    if (stack.length === 1) walk.number = undefined
  } else if (byte === COLON) walk.expectsKey = false
}

function skipText(walk: Walk, chunk: Uint8Array, start: number): { readonly at: number; readonly closed: boolean } {
  for (let at = start; at < chunk.length; at += 1) {
    if (walk.escaped) walk.escaped = false
    else if (chunk[at] === BACKSLASH) walk.escaped = true
    else if (chunk[at] === QUOTE) return { at: at + 1, closed: true }
  }
  return { at: chunk.length, closed: false }
}

/** Behind the last byte that belongs to a number. */
function skipNumber(chunk: Uint8Array, start: number): number {
  let at = start
  while (at < chunk.length && /[-+.0-9eE]/.test(String.fromCharCode(chunk[at] as number))) at += 1
  return at
}

function endNumber(walk: Walk): void {
  walk.number = undefined
  walk.mode = 'between'
}

/** The key, or its new name. Its last piece is given, the others are held. */
function endKey(walk: Walk, last: Uint8Array): readonly Uint8Array[] {
  const whole = [...walk.held, last]
  walk.held = []
  const name = nameOf(new TextDecoder().decode(concatBytes(whole)))
  if (name === undefined) return whole
  if (walk.stack.length === 1) {
    walk.member = name.toLowerCase()
    walk.number = walk.edits.numbers?.get(walk.member)
    return whole
  }
  const renamed = walk.edits.renamePart?.(name) ?? name
  return renamed === name ? whole : [encoder.encode(JSON.stringify(renamed))]
}

function nameOf(quoted: string): string | undefined {
  try {
    return JSON.parse(quoted) as string
  } catch {
    return undefined
  }
}
