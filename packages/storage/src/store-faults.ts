import { Fault } from '@waltz/errors'
import type { PutOptions } from './object-store.ts'

/**
 * The fault for a key that a store has no object at: `not-found` `STORAGE_NOT_FOUND`. Only for a store that really
 * answered.
 */
export function notFoundFault(key: string, location: string, cause?: unknown): Fault {
  return new Fault('not-found', 'STORAGE_NOT_FOUND', `no object ${key} in ${location}`, { context: { key, location }, cause })
}

/** The fault for a create-only put whose key is taken: `already-exists` `STORAGE_ALREADY_EXISTS`. */
export function alreadyExistsFault(key: string, location: string, cause?: unknown): Fault {
  return new Fault('already-exists', 'STORAGE_ALREADY_EXISTS', `object ${key} already exists in ${location}`, {
    context: { key, location },
    cause,
  })
}

/** The fault for a put with `ifMatch` whose object is another one by now, or gone: `conflict` `STORAGE_OBJECT_REPLACED`. */
export function objectReplacedFault(key: string, location: string, cause?: unknown): Fault {
  return new Fault('conflict', 'STORAGE_OBJECT_REPLACED', `object ${key} in ${location} is no longer the one that was to be replaced`, {
    hint: 'read it again and decide anew',
    context: { key, location },
    cause,
  })
}

/** The fault for a condition that a store cannot keep: `unsupported` `STORAGE_CONDITIONAL_PUT_UNSUPPORTED`. */
export function conditionUnsupportedFault(key: string, location: string, why: string): Fault {
  return new Fault('unsupported', 'STORAGE_CONDITIONAL_PUT_UNSUPPORTED', `${location} cannot store ${key} on a condition: ${why}`, {
    hint: '`waltz storage probe` shows what this storage can do',
    context: { key, location },
  })
}

/**
 * Refuses conditions that exclude each other.
 * @throws Fault `invalid` `STORAGE_OPTIONS_INVALID`.
 */
export function checkConditions(options: PutOptions | undefined): void {
  if (options?.onlyIfAbsent === true && options.ifMatch !== undefined)
    throw new Fault('invalid', 'STORAGE_OPTIONS_INVALID', 'a put cannot both create an object and replace a certain one')
}
