import { Fault } from '@waltz/errors'

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
