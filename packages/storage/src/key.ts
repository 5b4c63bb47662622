import { Fault } from '@waltz/errors'

/** An empty, '.' or '..' part anywhere in a key. */
const BAD_PART = /(?:^|\/)\.{0,2}(?:\/|$)/
/** The same in a prefix, whose last part may still grow. */
const BAD_PREFIX_PART = /(?:^|\/)\.{0,2}\//

/**
 * Refuses what is no object key: an empty text, a leading or trailing '/', an empty, '.' or '..' part, a NUL, text
 * that UTF-8 cannot carry. Every store calls it first, so that a name means the same everywhere.
 * @throws Fault `invalid` `STORAGE_KEY_INVALID`.
 */
export function checkKey(key: string): void {
  if (BAD_PART.test(key) || !isStorable(key)) throw invalidKeyFault(key, 'an object key')
}

/**
 * Refuses a listing prefix that no key can start with. Such a prefix is a mistake, and an empty listing would read as
 * "nothing is stored".
 * @throws Fault `invalid` `STORAGE_KEY_INVALID`.
 */
export function checkPrefix(prefix: string): void {
  if (BAD_PREFIX_PART.test(prefix) || !isStorable(prefix)) throw invalidKeyFault(prefix, 'a key prefix')
}

/**
 * Orders keys by the bytes of their UTF-8 form, which is the order of code points. JavaScript's own order differs:
 * it puts surrogate pairs before U+E000 to U+FFFF. Negative when `left` comes first, zero when equal.
 */
export function compareKeys(left: string, right: string): number {
  const length = Math.min(left.length, right.length)
  for (let index = 0; index < length; index += 1) {
    const a = left.charCodeAt(index)
    const b = right.charCodeAt(index)
    if (a !== b) return codePointRank(a) - codePointRank(b)
  }
  return left.length - right.length
}

/** Moves surrogates above the rest of the 16-bit range, where the code points that they stand for belong. */
function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}

function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed()
}

function invalidKeyFault(text: string, what: string): Fault {
  return new Fault('invalid', 'STORAGE_KEY_INVALID', `${JSON.stringify(text)} is not ${what}`, {
    hint: 'keys are relative, with parts between single slashes, none of them empty, "." or ".."',
    context: { key: text },
  })
}
