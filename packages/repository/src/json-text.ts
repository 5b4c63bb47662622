import { Fault } from '@waltz/errors'

/** A number that would change by a trip through a double or a bigint, such as `1.0` or `1e400`, as its source text. */
export interface RawNumber {
  readonly rawJSON: string
}

/** What `parseJson` gives: integers beyond 2^53 are bigints, other numbers that do not round-trip are `RawNumber`s. */
export type JsonValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | RawNumber
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue }

// In every Node since 21; the TypeScript library does not know them yet.
const rawJson = JSON as unknown as {
  readonly rawJSON: (text: string) => RawNumber
  readonly isRawJSON: (value: unknown) => value is RawNumber
  readonly parse: (text: string, reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown) => unknown
}

/** Whether a value is a number kept as text. */
export function isRawNumber(value: unknown): value is RawNumber {
  return rawJson.isRawJSON(value)
}

/** Where a document comes from, for messages: an object key, a file, "user data". */
export interface JsonOrigin {
  readonly origin: string
}

/**
 * Parses one JSON value without losing a digit. Bytes must be UTF-8 without a byte order mark. The last of several
 * equal keys wins, as in Go and in JavaScript.
 * @throws Fault `corrupt` `JSON_INVALID` naming `origin`.
 */
export function parseJson(input: string | Uint8Array, { origin }: JsonOrigin): JsonValue {
  try {
    return rawJson.parse(typeof input === 'string' ? input : decodeStrictly(input), keepDigits) as JsonValue
  } catch (error) {
    throw new Fault('corrupt', 'JSON_INVALID', `${origin} is not valid JSON`, { context: { key: origin }, cause: error })
  }
}

const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** @throws TypeError for bytes that are not UTF-8. */
export function decodeStrictly(bytes: Uint8Array): string {
  return strictDecoder.decode(bytes)
}

function keepDigits(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  if (typeof value !== 'number') return value
  const { source = String(value) } = context
  if (source === String(value) && (Number.isSafeInteger(value) || !Number.isInteger(value))) return value
  return /^-?[1-9][0-9]*$/.test(source) ? BigInt(source) : rawJson.rawJSON(source)
}

/** How `stringifyJson` writes. */
export interface JsonStyle {
  /** `classic` escapes `<`, `>`, `&` and U+2028/9, as the sentinel and `metadata.json` have it (RF 2.1); `plain` does not. */
  readonly escaping: 'classic' | 'plain'
  /** Writes the members of objects in ascending byte order of their UTF-8 keys, as Go writes maps; a `Map` keeps its order. */
  readonly sortKeys?: boolean
  /** Spaces per level; none means everything on one line. */
  readonly indent?: number
}

/**
 * Writes a value as JSON. A `Map` with text keys is an object too. Undefined members are left out; bigints and `RawNumber`s
 * come out as their digits; text that is not well-formed Unicode gets U+FFFD.
 */
export function stringifyJson(value: unknown, style: JsonStyle): string {
  return write(value, style, style.indent === undefined ? '' : '\n')
}

function write(value: unknown, style: JsonStyle, newline: string): string {
  if (typeof value === 'string') return quoteJson(value, style.escaping)
  if (typeof value === 'bigint') return value.toString()
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  if (isRawNumber(value)) return value.rawJSON
  const inner = newline === '' ? '' : newline + ' '.repeat(style.indent ?? 0)
  if (Array.isArray(value)) {
    const items = (value as readonly unknown[]).map((item) => write(item, style, inner))
    return enclose('[]', items, { inner, outer: newline })
  }
  const colon = newline === '' ? ':' : ': '
  const texts = membersOf(value, style).map(([name, member]) => quoteJson(name, style.escaping) + colon + write(member, style, inner))
  return enclose('{}', texts, { inner, outer: newline })
}

function membersOf(value: object, { sortKeys }: JsonStyle): readonly (readonly [string, unknown])[] {
  const isMap = value instanceof Map
  const members = isMap ? [...(value as ReadonlyMap<string, unknown>)] : Object.entries(value)
  const present = members.filter(([, member]) => member !== undefined)
  return sortKeys === true && !isMap ? present.sort(([left], [right]) => compareByBytes(left, right)) : present
}

/** `inner` and `outer` are the line starts within and behind the brackets, empty when all is on one line. */
function enclose(
  brackets: '[]' | '{}',
  items: readonly string[],
  { inner, outer }: { readonly inner: string; readonly outer: string },
): string {
  if (items.length === 0) return brackets
  return `${brackets.charAt(0)}${inner}${items.join(`,${inner}`)}${outer}${brackets.charAt(1)}`
}

/** One string as JSON text, in either escaping. */
export function quoteJson(text: string, escaping: JsonStyle['escaping']): string {
  const quoted = JSON.stringify(text.isWellFormed() ? text : text.toWellFormed())
  if (escaping === 'plain') return quoted
  return quoted.replace(/[<>&\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Orders texts as their UTF-8 bytes are ordered, which UTF-16 order is not beyond the first plane. */
export function compareByBytes(left: string, right: string): number {
  const length = Math.min(left.length, right.length)
  for (let index = 0; index < length; index++) {
    const a = left.charCodeAt(index)
    const b = right.charCodeAt(index)
    if (a === b) continue
    // A surrogate stands for a code point above every other 16-bit unit.
    const [aHigh, bHigh] = [a >= 0xd800 && a <= 0xdfff, b >= 0xd800 && b <= 0xdfff]
    if (aHigh !== bHigh) return aHigh ? 1 : -1
    return a - b
  }
  return left.length - right.length
}
