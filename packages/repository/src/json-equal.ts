import { isRawNumber } from './json-text.ts'

/**
 * Whether two parsed JSON values are the same. The order of members does not matter. Numbers are compared by their
 * exact decimal value (`1.0` equals `1`); with `numbers: 'double'` after rounding to a double, which is how WAL-G stores and
 * compares user data (RF 2.3).
 */
export function jsonEquals(left: unknown, right: unknown, { numbers }: { readonly numbers: 'exact' | 'double' }): boolean {
  if (isNumeric(left) || isNumeric(right)) return isNumeric(left) && isNumeric(right) && sameNumber(left, right, numbers)
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return left === right
  if (Array.isArray(left) !== Array.isArray(right)) return false
  const members = Object.entries(left)
  if (members.length !== Object.keys(right).length) return false
  return members.every(([name, member]) => Object.hasOwn(right, name) && jsonEquals(member, Reflect.get(right, name), { numbers }))
}

function isNumeric(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'bigint' || isRawNumber(value)
}

function sameNumber(left: unknown, right: unknown, numbers: 'exact' | 'double'): boolean {
  const [a, b] = [numberText(left), numberText(right)]
  return numbers === 'double' ? Number(a) === Number(b) : canonical(a) === canonical(b)
}

function numberText(value: unknown): string {
  return isRawNumber(value) ? value.rawJSON : String(value)
}

/** Sign, digits without zeros at either end, and a power of ten. */
function canonical(text: string): string {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text)
  if (match === null) return text
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match
  const digits = (whole + fraction).replace(/^0+/, '')
  if (digits === '') return '0'
  const significant = digits.replace(/0+$/, '')
  const power = BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - significant.length)
  return `${sign}${significant}e${power}`
}
