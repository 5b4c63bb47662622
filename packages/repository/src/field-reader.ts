import { Fault, type FaultKind } from '@waltz/errors'
import { isRawNumber, type JsonOrigin } from './json-text.ts'

/**
 * Reads the fields of one JSON object by WAL-G's rules (RF 2.1): names match in any letter case, the last of several
 * wins, unknown fields are ignored, null is like absent. Every method returns undefined for an absent field.
 */
export interface FieldReader {
  text(name: string): string | undefined
  flag(name: string): boolean | undefined
  /** An integer that a double holds exactly. */
  integer(name: string): number | undefined
  /** An unsigned 64-bit integer. */
  unsigned64(name: string): bigint | undefined
  /** Any value. */
  value(name: string): unknown
  object(name: string): FieldReader | undefined
  list(name: string): readonly unknown[] | undefined
  /** The fault for a field that a caller finds wrong: says what was expected. */
  invalid(name: string, expected: string): Fault
}

/** Where the object comes from, and what a wrong field means: `corrupt` for stored objects, `invalid` for a user's input. */
export interface FieldReaderOptions extends JsonOrigin {
  readonly kind?: FaultKind
  /** Path of the object within its document, for messages: `Spec.`. */
  readonly within?: string
}

/**
 * @throws Fault `JSON_FIELD_INVALID`, here when `value` is no object, and from the methods when a field has another type; kind
 *   `corrupt` unless the options say otherwise.
 */
export function fieldReader(value: unknown, options: FieldReaderOptions): FieldReader {
  const { origin, kind = 'corrupt', within = '' } = options
  const invalid = (name: string, expected: string): Fault =>
    new Fault(kind, 'JSON_FIELD_INVALID', `${origin}: ${within}${name} must be ${expected}`, {
      context: { key: origin, field: within + name },
    })
  if (!isPlainObject(value)) throw invalid(within === '' ? 'the document' : '', 'an object')
  const fields = new Map<string, unknown>()
  for (const [name, member] of Object.entries(value)) if (member !== null) fields.set(name.toLowerCase(), member)

  const read = <T>(name: string, expected: string, accept: (member: unknown) => T | undefined): T | undefined => {
    const member = fields.get(name.toLowerCase())
    if (member === undefined) return undefined
    const accepted = accept(member)
    if (accepted === undefined) throw invalid(name, expected)
    return accepted
  }
  return {
    text: (name) => read(name, 'a string', (member) => (typeof member === 'string' ? member : undefined)),
    flag: (name) => read(name, 'true or false', (member) => (typeof member === 'boolean' ? member : undefined)),
    integer: (name) => read(name, 'an integer', (member) => (Number.isSafeInteger(member) ? (member as number) : undefined)),
    unsigned64: (name) => read(name, 'an unsigned 64-bit integer', asUnsigned64),
    value: (name) => fields.get(name.toLowerCase()),
    object: (name) => {
      const member = fields.get(name.toLowerCase())
      return member === undefined ? undefined : fieldReader(member, { origin, kind, within: `${within}${name}.` })
    },
    list: (name) => read(name, 'an array', (member) => (Array.isArray(member) ? (member as readonly unknown[]) : undefined)),
    invalid,
  }
}

/** Whether a parsed JSON value is an object (no array, no number kept as text). */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isRawNumber(value)
}

function asUnsigned64(member: unknown): bigint | undefined {
  if (typeof member === 'bigint') return member >= 0n && member < 1n << 64n ? member : undefined
  return Number.isSafeInteger(member) && (member as number) >= 0 ? BigInt(member as number) : undefined
}
