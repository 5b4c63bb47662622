import { isObject, type StrictJson } from './strict-json.ts'
import type { ProblemList } from './report.ts'

/** Says what is wrong with a value, or undefined when nothing is. */
export type FieldRule = (value: StrictJson) => string | undefined

const rule =
  (test: (value: StrictJson) => boolean, wanted: string): FieldRule =>
  (value) =>
    test(value) ? undefined : `is not ${wanted}`

const within = (value: StrictJson, low: bigint, high: bigint): boolean => typeof value === 'bigint' && value >= low && value <= high

/** A bare integer of 64 bits without sign. */
export const u64: FieldRule = rule((value) => within(value, 0n, 2n ** 64n - 1n), 'an unsigned 64-bit integer')
/** A bare integer of 63 bits, not negative. */
export const size: FieldRule = rule((value) => within(value, 0n, 2n ** 63n - 1n), 'a size')
/** A bare integer of 32 bits without sign. */
export const u32: FieldRule = rule((value) => within(value, 0n, 2n ** 32n - 1n), 'an unsigned 32-bit integer')
export const bool: FieldRule = rule((value) => typeof value === 'boolean', 'true or false')
export const text: FieldRule = rule((value) => typeof value === 'string', 'a string')
export const anything: FieldRule = () => undefined
export const nullOrU32: FieldRule = (value) => (value === null ? undefined : u32(value))
/** Exactly one value. */
export const exactly = (wanted: StrictJson): FieldRule => rule((value) => value === wanted, JSON.stringify(wanted, stringOfBigint))
/** UTC with at most microseconds and no zeros at the end of the fraction. */
export const utcMicroseconds: FieldRule = rule(
  (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,5}[1-9])?Z$/.test(value) && isTime(value),
  'a UTC time of at most six fractional digits without zeros at their end',
)
/** Any offset, at most nanoseconds, no zeros at the end of the fraction. */
export const anyNanoseconds: FieldRule = rule(
  (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?(Z|[+-]\d\d:\d\d)$/.test(value) && isTime(value),
  'an RFC 3339 time of at most nine fractional digits without zeros at their end',
)

function isTime(value: string): boolean {
  return !Number.isNaN(Date.parse(value.replace(/\.\d+/, '')))
}

function stringOfBigint(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value
}

/** The keys a document may have. */
export interface DocumentShape {
  readonly required: Readonly<Record<string, FieldRule>>
  readonly optional: Readonly<Record<string, FieldRule>>
}

/** Checks keys (byte for byte) and values; returns the object when it is one. */
export function checkShape(
  value: StrictJson | undefined,
  shape: DocumentShape,
  problems: ProblemList,
): ReadonlyMap<string, StrictJson> | undefined {
  if (!isObject(value)) {
    problems.add('is not a JSON object')
    return undefined
  }
  for (const key of Object.keys(shape.required)) if (!value.has(key)) problems.add(`the key ${key} is missing`)
  for (const [key, entry] of value) {
    const check = shape.required[key] ?? shape.optional[key]
    const wrong = check === undefined ? 'is a key that WAL-G does not write' : check(entry)
    if (wrong !== undefined) problems.add(`${key} ${wrong}`)
  }
  return value
}
