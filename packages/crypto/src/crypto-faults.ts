import { Fault } from '@waltz/errors'
import type { CipherScheme } from './cipher.ts'

/** Where in a stored object something was found, for messages. */
export interface CipherPlace {
  readonly scheme: CipherScheme
  /** Bytes from the start of the stored object. */
  readonly offset: number
}

const OTHER_COPY = 'restore it from another copy, or use another backup'

/** Stored bytes that end where more must follow: `corrupt` `CRYPTO_TRUNCATED`. */
export const truncatedFault = (place: CipherPlace, expected: string): Fault =>
  at(place, 'CRYPTO_TRUNCATED', `${place.scheme} data ends at byte ${place.offset}, where ${expected} must follow`, {
    hint: `the object was cut short: ${OTHER_COPY}`,
  })

/** Stored bytes that were changed: `corrupt` `CRYPTO_DAMAGED`. */
export const damagedFault = (place: CipherPlace, what: string, cause?: unknown): Fault =>
  at(place, 'CRYPTO_DAMAGED', `${place.scheme} data is damaged at byte ${place.offset}: ${what}`, {
    hint: `the object was changed after it was written: ${OTHER_COPY}`,
    cause,
  })

/** Bytes after the end of a message: `corrupt` `CRYPTO_TRAILING_BYTES`. */
export const trailingFault = (place: CipherPlace): Fault =>
  at(place, 'CRYPTO_TRAILING_BYTES', `${place.scheme} data ends before byte ${place.offset}, but more bytes follow`, {
    hint: 'something was appended to the object, or an older one was overwritten in part: use another copy',
  })

/** The first encrypted bytes do not open: `corrupt` `CRYPTO_KEY_MISMATCH`. Wrong key and damage cannot be told apart here. */
export const keyMismatchFault = (place: CipherPlace, what: string, cause?: unknown): Fault =>
  at(place, 'CRYPTO_KEY_MISMATCH', `${place.scheme} data at byte ${place.offset} does not open with this key: ${what}`, {
    hint: 'check that this is the key the object was written with; if it is, the beginning of the object is damaged',
    cause,
  })

/** A well-formed object in a form that is not read: `unsupported` `CRYPTO_FORMAT_UNSUPPORTED`. */
export const unsupportedFormatFault = (place: CipherPlace, what: string): Fault =>
  new Fault('unsupported', 'CRYPTO_FORMAT_UNSUPPORTED', `${place.scheme} data at byte ${place.offset} ${what}`, {
    hint: 'check which program wrote the object',
    context: { scheme: place.scheme, offset: place.offset },
  })

/** A key setting that cannot work: `invalid` `CRYPTO_KEY_INVALID`. `message` must not hold any of the key. */
export const keyInvalidFault = (message: string, hint?: string): Fault =>
  new Fault('invalid', 'CRYPTO_KEY_INVALID', message, hint === undefined ? {} : { hint })

/** A cipher whose key was overwritten: `internal` `CRYPTO_DISPOSED`. */
export const disposedFault = (scheme: CipherScheme): Fault =>
  new Fault('internal', 'CRYPTO_DISPOSED', `the ${scheme} cipher was disposed of and cannot be used any more`)

/**
 * A package that is not there: `unsupported` `CRYPTO_ENGINE_MISSING`. The cause is kept: it says whether the package is absent or
 * does not load on this platform.
 */
export const engineMissingFault = (packageName: string, what: string, cause?: unknown): Fault =>
  new Fault('unsupported', 'CRYPTO_ENGINE_MISSING', `${what} needs the package ${packageName}, which does not load here`, {
    hint: `npm install ${packageName}`,
    context: { package: packageName },
    cause,
  })

function at(place: CipherPlace, code: string, message: string, more: { readonly hint: string; readonly cause?: unknown }): Fault {
  return new Fault('corrupt', code, message, { ...more, context: { scheme: place.scheme, offset: place.offset } })
}
