// Go's spellings of numbers and durations, because config files and scripts for WAL-G are written in them (SET 2).

const DIGITS_OF_BASE: Readonly<Record<number, RegExp>> = {
  2: /^_?[01]+(_[01]+)*$/,
  8: /^_?[0-7]+(_[0-7]+)*$/,
  10: /^[0-9]+(_[0-9]+)*$/,
  16: /^_?[0-9a-f]+(_[0-9a-f]+)*$/,
}

/** `1000000.0` and `1e6`: how some programs write whole numbers into JSON or YAML. */
const WRITTEN_AS_FLOAT = /^(0|[1-9][0-9]*)(\.0*)?(e\+?[0-9]{1,2})?$/i

/**
 * Reads a whole number as Go does: optional sign, `0x`, `0b`, `0o` or a leading zero for the base, `_` between digits.
 * A decimal point is accepted when only zeros follow it. Undefined for other texts and for numbers beyond 2^53.
 */
export function parseGoInteger(text: string): number | undefined {
  const match = /^([+-]?)(.*)$/s.exec(text.trim())
  const unsigned = match?.[2]?.toLowerCase() ?? ''
  const magnitude = parseMagnitude(unsigned)
  if (magnitude === undefined || !Number.isSafeInteger(magnitude)) return undefined
  return match?.[1] === '-' && magnitude !== 0 ? -magnitude : magnitude
}

function parseMagnitude(unsigned: string): number | undefined {
  const [base, digits] = splitBase(unsigned)
  if (DIGITS_OF_BASE[base]?.test(digits) === true) return Number.parseInt(digits.replaceAll('_', ''), base)
  return WRITTEN_AS_FLOAT.test(unsigned) ? Number(unsigned) : undefined
}

function splitBase(unsigned: string): readonly [base: number, digits: string] {
  if (unsigned.startsWith('0x')) return [16, unsigned.slice(2)]
  if (unsigned.startsWith('0b')) return [2, unsigned.slice(2)]
  if (unsigned.startsWith('0o')) return [8, unsigned.slice(2)]
  if (/^0_?[0-9]/.test(unsigned)) return [8, unsigned.slice(1)]
  return [10, unsigned]
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3, // micro sign
  μs: 1e-3, // Greek mu
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

const DURATION = /^[+-]?((\d+(\.\d*)?|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h))+$/

/** Reads a duration as Go does (`300ms`, `1h30m`, a bare `0`) and gives milliseconds. Undefined for other texts. */
export function parseGoDuration(text: string): number | undefined {
  const trimmed = text.trim()
  if (/^[+-]?0$/.test(trimmed)) return 0
  if (!DURATION.test(trimmed)) return undefined
  let totalMs = 0
  for (const [, amount, unit] of trimmed.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/g)) {
    totalMs += Number(amount) * (UNIT_MS[unit ?? ''] ?? Number.NaN)
  }
  return trimmed.startsWith('-') ? -totalMs : totalMs
}

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'T', 'TRUE', 'true', 'True'].map((spelling) => [spelling, true] as const),
  ...['0', 'f', 'F', 'FALSE', 'false', 'False'].map((spelling) => [spelling, false] as const),
])

/** Reads `1 t T TRUE true True 0 f F FALSE false False`. Undefined for other texts. */
export function parseGoBoolean(text: string): boolean | undefined {
  return BOOLEANS.get(text.trim())
}

const SIZE_UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, kb: 1024, mb: 1_048_576, gb: 1_073_741_824 }

/** Reads bytes with an optional `b`, `kb`, `mb` or `gb` in any case, counted by 1024. Undefined for other texts. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+)\s*(b|kb|mb|gb)?$/i.exec(text.trim())
  if (match === null) return undefined
  const bytes = Number(match[1]) * (SIZE_UNITS[match[2]?.toLowerCase() ?? ''] ?? Number.NaN)
  return Number.isSafeInteger(bytes) ? bytes : undefined
}
