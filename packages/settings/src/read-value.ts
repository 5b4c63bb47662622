import { parseGoBoolean, parseGoDuration, parseGoInteger, parseSize } from './go-syntax.ts'
import type { SettingKind, SettingRow } from './setting-row.ts'

/** A value, or what the text should have been: "must be a whole number of at least 1". */
export type ReadValue = { readonly value: string | number | boolean | undefined } | { readonly asks: string }

type Reader = (row: SettingRow, text: string) => ReadValue

const READERS: Readonly<Record<SettingKind, Reader>> = {
  text: readText,
  path: readText,
  map: readText,
  'directory-url': readDirectoryUrl,
  choice: readChoice,
  boolean: readBoolean,
  integer: (row, text) => readNumber(row, row.prefixedSpellings === true ? parseDecimal(text) : parseGoInteger(text), 'a whole number'),
  float: (row, text) => readNumber(row, text.trim() === '' ? undefined : Number(text), 'a number'),
  size: (row, text) => readNumber(row, parseSize(text), 'a size such as 500mb'),
  duration: (row, text) => readNumber(row, parseGoDuration(text), 'a duration such as 90s, 5m or 1h30m'),
  json: readJson,
}

/**
 * Reads the text of one setting by its row. Empty text is a value of its own for texts with a default (it switches
 * the default off), nothing for texts without, and malformed for every other kind.
 */
export function readValue(row: SettingRow, text: string): ReadValue {
  return READERS[row.kind](row, text)
}

/** Settings of one storage count in tens, whatever zeros stand in front (SET 2). */
function parseDecimal(text: string): number | undefined {
  return parseGoInteger(text.trim().replace(/^([+-]?)0+(?=\d)/, '$1'))
}

function readBoolean(_row: SettingRow, text: string): ReadValue {
  const value = parseGoBoolean(text)
  return value === undefined ? { asks: 'must be true or false' } : { value }
}

function readText(row: SettingRow, text: string): ReadValue {
  if (text === '') return { value: row.fallback === undefined ? undefined : '' }
  if (row.pattern !== undefined && !new RegExp(`^(?:${row.pattern.source})$`).test(text)) return { asks: `must be ${row.pattern.asks}` }
  if (row.kind === 'path' && text.includes('\0')) return { asks: 'must be a path' }
  return { value: text }
}

/** `file://localhost/DIR` is `/DIR` (SET 4). */
function readDirectoryUrl(row: SettingRow, text: string): ReadValue {
  if (text === '') return readText(row, text)
  const path = text.replace(/^file:\/\/(localhost)?(?=\/)/, '')
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(path)) return { asks: 'must be the path of a directory, not the address of another kind of storage' }
  if (!path.startsWith('/')) {
    return {
      asks: 'must be an absolute path: the server runs its archive commands in the data directory, so a relative one names another place',
    }
  }
  return { value: path }
}

function readChoice(row: SettingRow, text: string): ReadValue {
  const wanted = row.ignoreCase === true ? text.toLowerCase() : text
  const choices = row.choices ?? []
  if (choices.includes(wanted)) return { value: wanted }
  return { asks: `must be ${either(choices)}` }
}

function either(choices: readonly string[]): string {
  return choices.length < 2 ? choices.join('') : `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`
}

function readNumber(row: SettingRow, value: number | undefined, what: string): ReadValue {
  const asks = `must be ${row.powerOfTwo === true ? 'a power of two' : what}${rangeText(row)}`
  if (value === undefined || Number.isNaN(value)) return { asks }
  if (value < (row.min ?? -Infinity) || value > (row.max ?? Infinity)) return { asks }
  if (row.powerOfTwo === true && !Number.isInteger(Math.log2(value))) return { asks }
  return { value }
}

function rangeText(row: SettingRow): string {
  const unit = row.kind === 'duration' ? 'ms' : ''
  if (row.min !== undefined && row.max !== undefined) return ` from ${row.min}${unit} to ${row.max}${unit}`
  if (row.min !== undefined) return ` of at least ${row.min}${unit}`
  return row.max === undefined ? '' : ` of at most ${row.max}${unit}`
}

function readJson(_row: SettingRow, text: string): ReadValue {
  try {
    JSON.parse(text)
    return { value: text }
  } catch {
    return { asks: 'must be JSON' }
  }
}
