import { assert } from '@waltz/errors'
import { decodeStrictly, type JsonOrigin } from './json-text.ts'
import { decodeMetadata } from './metadata-json.ts'

const FIELD = 'is_permanent'

/**
 * The bytes of a `metadata.json` with another permanent mark, everything else as it was: unknown members, numbers of any length, white
 * space. A document without the mark gets one at its end. (WAL-G writes the whole document anew and loses what it does not know, RF 2.3.)
 * @throws Fault as `decodeMetadata`.
 */
export function withPermanence(input: Uint8Array, permanent: boolean, { origin }: JsonOrigin): Uint8Array {
  decodeMetadata(input, { origin })
  const text = decodeStrictly(input)
  const { places, end, isEmpty } = findMarks(text)
  let changed = ''
  let from = 0
  for (const place of places) {
    changed += `${text.slice(from, place.start)}${permanent}`
    from = place.end
  }
  if (places.length === 0) {
    changed = `${text.slice(0, end)}${isEmpty ? '' : ','}"${FIELD}":${permanent}`
    from = end
  }
  const bytes = new TextEncoder().encode(changed + text.slice(from))
  assert(decodeMetadata(bytes, { origin }).permanent === permanent, `${origin} does not read as it was written`)
  return bytes
}

interface Marks {
  /** The values of the mark, each a word; a key may occur several times. */
  readonly places: readonly { readonly start: number; readonly end: number }[]
  /** Where the document's closing brace is. */
  readonly end: number
  readonly isEmpty: boolean
}

/** Texts and brackets: nothing else of a valid document matters here. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]]/g

/** Walks over a document that is known to be an object. Keys match in any letter case (RF 2.1). */
function findMarks(text: string): Marks {
  const places: { start: number; end: number }[] = []
  let depth = 0
  let end = 0
  let isEmpty = true
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') depth += 1
    else if (token === '}' || token === ']') {
      depth -= 1
      end = index
    } else if (depth === 1) {
      isEmpty = false
      const value = valueOfMark(text, index, index + token.length)
      if (value !== undefined) places.push(value)
    }
  }
  return { places, end, isEmpty }
}

/** The word behind a key, when the text from `start` to `end` is the mark's key: only a key has a colon behind it. */
function valueOfMark(text: string, start: number, end: number): { readonly start: number; readonly end: number } | undefined {
  const behind = /\s*:\s*(true|false|null)/y
  behind.lastIndex = end
  const word = behind.exec(text)?.[1]
  if (word === undefined || (JSON.parse(text.slice(start, end)) as string).toLowerCase() !== FIELD) return undefined
  return { start: behind.lastIndex - word.length, end: behind.lastIndex }
}
