import { Fault } from '@waltz/errors'
import type { ByteRange } from '@waltz/bytes'

/**
 * The part of an object of `size` bytes that `range` asks for, half-open and cut to the object: a range beyond the
 * end is empty. Without a range it is the whole object.
 * @throws Fault `invalid` `STORAGE_RANGE_INVALID` for negative, fractional or reversed bounds.
 */
export function clipRange(range: ByteRange | undefined, size: number): { readonly start: number; readonly end: number } {
  const { start, end } = checkRange(range)
  return { start: Math.min(start, size), end: Math.min(end ?? size, size) }
}

/**
 * Refuses bounds that mean nothing; needs no knowledge of the object.
 * @throws Fault `invalid` `STORAGE_RANGE_INVALID`.
 */
export function checkRange(range: ByteRange | undefined): ByteRange {
  const { start, end } = range ?? { start: 0 }
  const sound = isOffset(start) && (end === undefined || (isOffset(end) && end >= start))
  if (!sound) throw new Fault('invalid', 'STORAGE_RANGE_INVALID', `not a byte range: from ${start} to ${end ?? 'the end'}`)
  return range ?? { start: 0 }
}

function isOffset(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
