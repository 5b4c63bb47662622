import { Fault } from '@waltz/errors'
import type { CallOptions, ObjectInfo, ObjectStore } from '../object-store.ts'

/** What a pattern found. */
export type GlobMatch =
  | { readonly kind: 'folder'; /** Ends in '/'. */ readonly path: string }
  | { readonly kind: 'object'; readonly path: string; readonly info: ObjectInfo }

const CHARACTERS = /[*?[\\]/

/** Whether a text is a pattern and not just a name. */
export function hasGlobCharacters(text: string): boolean {
  return CHARACTERS.test(text)
}

/**
 * A pattern for one part of a path, as Go's `path.Match` reads it (CMD 8): `*` any characters, `?` one, `[a-z]` and `[^a-z]` classes,
 * a backslash takes the next character as it is. Nothing crosses a '/'.
 * @throws Fault `invalid` `STORAGE_PATTERN_INVALID` for a class that does not end, an empty one, or a backslash at the end.
 */
export function compileGlob(pattern: string): (name: string) => boolean {
  const characters = Array.from(pattern)
  let source = ''
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] as string
    if (character === '*') source += '[^/]*'
    else if (character === '?') source += '[^/]'
    else if (character === '[') {
      const [text, end] = readClass(characters, at, pattern)
      source += text
      at = end
    } else if (character === '\\') {
      at += 1
      source += literal(characters[at] ?? badPattern(pattern, 'a backslash at the end'))
    } else source += literal(character)
  }
  const expression = new RegExp(`^${source}$`, 'su')
  return (name) => expression.test(name)
}

/** The class that begins at `start`, as a regular expression, and the place of its end. */
function readClass(characters: readonly string[], start: number, pattern: string): readonly [source: string, end: number] {
  let at = start + 1
  const negated = characters[at] === '^'
  if (negated) at += 1
  const take = (): string => {
    let character = characters[at] ?? badPattern(pattern, 'a [ without its ]')
    if (character === '\\') {
      at += 1
      character = characters[at] ?? badPattern(pattern, 'a backslash at the end')
    } else if (character === '-' || character === ']') badPattern(pattern, `a ${character} where a character of a class must stand`)
    at += 1
    return character
  }
  let ranges = ''
  do {
    const low = take()
    let high = low
    if (characters[at] === '-') {
      at += 1
      high = take()
    }
    // Go lets a range that ends before it begins match nothing.
    if ((low.codePointAt(0) ?? 0) <= (high.codePointAt(0) ?? 0)) ranges += `${inClass(low)}-${inClass(high)}`
  } while (characters[at] !== ']')
  if (negated) return [`(?!/)[^${ranges}]`, at]
  return [ranges === '' ? '(?!)' : `(?!/)[${ranges}]`, at]
}

function literal(character: string): string {
  return character.replaceAll(/[$()*+.?[\\\]^{|}/]/g, String.raw`\$&`)
}

/** As a code point: in a class of a regular expression many characters mean something. */
function inClass(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
}

function badPattern(pattern: string, why: string): never {
  throw new Fault('invalid', 'STORAGE_PATTERN_INVALID', `${JSON.stringify(pattern)} is no pattern: ${why}`, {
    hint: String.raw`* stands for any characters, ? for one, [a-z] for a class; put a backslash before one that is meant as it is`,
  })
}

/**
 * The folders and objects that a pattern with '/' between its parts names, level by level, each level in byte order. Only folders
 * that can match are listed. An empty pattern is the root folder itself.
 * @throws Fault `invalid` `STORAGE_PATTERN_INVALID`; faults of the store's listings.
 */
export async function* expandGlob(
  store: Pick<ObjectStore, 'list' | 'listGroups'>,
  pattern: string,
  options?: CallOptions,
): AsyncGenerator<GlobMatch, void, undefined> {
  const parts = pattern.split('/').filter((part) => part !== '')
  // All parts are read first, so that a mistake in a late one is told before anything is listed.
  const matchers = parts.map(compileGlob)
  if (parts.length === 0) yield { kind: 'folder', path: '' }
  else yield* expandBelow(store, { folder: '', level: 0, matchers, options })
}

interface Level {
  readonly folder: string
  readonly level: number
  readonly matchers: readonly ((name: string) => boolean)[]
  readonly options: CallOptions | undefined
}

async function* expandBelow(
  store: Pick<ObjectStore, 'list' | 'listGroups'>,
  { folder, level, matchers, options }: Level,
): AsyncGenerator<GlobMatch, void, undefined> {
  const matches = matchers[level] as (name: string) => boolean
  const last = level === matchers.length - 1
  if (last) {
    for await (const info of store.list(folder, { ...options, oneLevel: true })) {
      if (matches(info.key.slice(folder.length))) yield { kind: 'object', path: info.key, info }
    }
  }
  for await (const group of store.listGroups(folder, options)) {
    if (!matches(group.slice(folder.length, -1))) continue
    if (last) yield { kind: 'folder', path: group }
    else yield* expandBelow(store, { folder: group, level: level + 1, matchers, options })
  }
}
