/** A JSON value: integers of any size are bigint, numbers with a fraction or exponent are number. */
export type StrictJson = null | boolean | string | bigint | number | readonly StrictJson[] | ReadonlyMap<string, StrictJson>

/** What is wrong with a text as a document of a repository. */
export class StrictJsonError extends Error {}

/**
 * Parses one compact JSON document: UTF-8 without a byte order mark, no space between tokens, no newline at the end, no key
 * twice in one object (RF 2.1).
 * @throws StrictJsonError
 */
export function parseStrictJson(bytes: Uint8Array): StrictJson {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new StrictJsonError('is not UTF-8')
  }
  const cursor = { text, at: 0 }
  const value = parseValue(cursor)
  if (cursor.at !== text.length) fail(cursor, 'more text after the document')
  return value
}

interface Cursor {
  readonly text: string
  at: number
}

function fail(cursor: Cursor, message: string): never {
  throw new StrictJsonError(`${message} at character ${cursor.at}: ${JSON.stringify(cursor.text.slice(cursor.at, cursor.at + 20))}`)
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y
// oxlint-disable-next-line no-control-regex -- JSON forbids exactly these characters in strings
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y

function match(cursor: Cursor, pattern: RegExp): RegExpExecArray | undefined {
  pattern.lastIndex = cursor.at
  const found = pattern.exec(cursor.text)
  if (found === null) return undefined
  cursor.at += found[0].length
  return found
}

function parseValue(cursor: Cursor): StrictJson {
  const { text } = cursor
  for (const [word, value] of [
    ['null', null],
    ['true', true],
    ['false', false],
  ] as const) {
    if (text.startsWith(word, cursor.at)) {
      cursor.at += word.length
      return value
    }
  }
  const first = text[cursor.at]
  if (first === '{') return parseObject(cursor)
  if (first === '[') return parseArray(cursor)
  if (first === '"') return parseText(cursor)
  const number = match(cursor, NUMBER)
  if (number === undefined) fail(cursor, 'no JSON value')
  return number[1] === undefined && number[2] === undefined ? BigInt(number[0]) : Number(number[0])
}

function parseText(cursor: Cursor): string {
  const found = match(cursor, STRING)
  if (found === undefined) fail(cursor, 'a broken string')
  return found[0].includes('\\') ? (JSON.parse(found[0]) as string) : found[0].slice(1, -1)
}

function parseObject(cursor: Cursor): ReadonlyMap<string, StrictJson> {
  const entries = new Map<string, StrictJson>()
  cursor.at += 1
  if (take(cursor, '}')) return entries
  for (;;) {
    const key = parseText(cursor)
    if (entries.has(key)) fail(cursor, `the key ${JSON.stringify(key)} twice`)
    if (!take(cursor, ':')) fail(cursor, 'no colon')
    entries.set(key, parseValue(cursor))
    if (take(cursor, '}')) return entries
    if (!take(cursor, ',')) fail(cursor, 'no comma')
  }
}

function parseArray(cursor: Cursor): readonly StrictJson[] {
  const items: StrictJson[] = []
  cursor.at += 1
  if (take(cursor, ']')) return items
  for (;;) {
    items.push(parseValue(cursor))
    if (take(cursor, ']')) return items
    if (!take(cursor, ',')) fail(cursor, 'no comma')
  }
}

function take(cursor: Cursor, character: string): boolean {
  if (cursor.text[cursor.at] !== character) return false
  cursor.at += 1
  return true
}

/** Whether a value is a JSON object. */
export function isObject(value: StrictJson | undefined): value is ReadonlyMap<string, StrictJson> {
  return value instanceof Map
}
