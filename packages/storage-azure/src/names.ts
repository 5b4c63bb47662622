import { Fault } from '@waltz/errors'
import { checkKey, checkPrefix, notFoundFault } from '@waltz/storage'

const MOST_CHARACTERS = 1024
const MOST_SEGMENTS = 254

/** A part of the path that ends in a dot. */
const TRAILING_DOT = /\.(?:\/|$)/
/** The same where the last part may still grow. */
const TRAILING_DOT_INSIDE = /\.\//
// oxlint-disable-next-line no-control-regex -- these are what cannot be in a name
const CONTROL = /[\u0000-\u001f\u007f-\u009f\ufffe\uffff]/

/**
 * Refuses, after `checkKey`, what Azure would change in silence or cannot hold: a backslash (the service makes it a slash), a part
 * that ends in a dot (which its rules for names forbid, and which is lost on the way), control characters, more than 1024 characters
 * or 254 parts.
 * @throws Fault `invalid` `STORAGE_KEY_INVALID`.
 */
export function checkName(key: string): void {
  checkKey(key)
  const why = problemOf(key, TRAILING_DOT)
  if (why !== undefined) throw nameFault(key, why)
}

/**
 * The same for a name that is only looked for. What Azure cannot hold is not there, and whoever looks for a file under several names
 * (RF 8.1 asks for one that ends in a dot) goes on to the next.
 * @throws Fault `invalid` `STORAGE_KEY_INVALID` for what is no key in any store; `not-found` for what is none in this one.
 */
export function checkSoughtName(key: string, location: string): void {
  checkKey(key)
  if (problemOf(key, TRAILING_DOT) !== undefined) throw notFoundFault(key, location)
}

/**
 * The same for the beginning of names.
 * @throws Fault `invalid` `STORAGE_KEY_INVALID`.
 */
export function checkNamePrefix(prefix: string): void {
  checkPrefix(prefix)
  const why = problemOf(prefix, TRAILING_DOT_INSIDE)
  if (why !== undefined) throw nameFault(prefix, why)
}

function problemOf(name: string, dots: RegExp): string | undefined {
  if (name.includes('\\')) return 'Azure turns a backslash into a slash'
  if (dots.test(name)) return 'a part of it ends in a dot'
  if (CONTROL.test(name)) return 'it has a control character'
  if (name.length > MOST_CHARACTERS) return `it has more than ${MOST_CHARACTERS} characters`
  return name.split('/').length > MOST_SEGMENTS ? `it has more than ${MOST_SEGMENTS} parts` : undefined
}

function nameFault(name: string, why: string): Fault {
  return new Fault('invalid', 'STORAGE_KEY_INVALID', `${JSON.stringify(name)} cannot be the name of a blob: ${why}`, {
    hint: 'use another name or prefix',
    context: { key: name },
  })
}
