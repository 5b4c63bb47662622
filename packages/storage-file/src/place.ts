import { stat } from 'node:fs/promises'
import type { BlockPool } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import { notFoundFault, type NameSource } from '@waltz/storage'
import { errnoOf, fileFault } from './errors.ts'

/** Where one store lives and how it writes. */
export interface Place extends NameSource {
  readonly root: string
  /** For messages. */
  readonly location: string
  readonly sync: boolean
  /** Folders made by this store whose own directory entry may not be on disk yet. */
  readonly unsynced: Set<string>
  /** For reading: all bodies take their blocks from here, so that one body uses what the one before it left. */
  readonly readBlocks: BlockPool
}

const HINT = 'check that its disk is mounted and that the path is right; it is never created for you'

/** The path of a key, or of a folder of keys (which ends in '/'). */
export function pathOf({ root }: Place, key: string): string {
  return root.endsWith('/') ? root + key : `${root}/${key}`
}

/** The paths of the folders of a key below the root, outermost first; empty for a key directly below it. */
export function foldersOf(place: Place, key: string): string[] {
  const folders: string[] = []
  for (let slash = key.indexOf('/'); slash >= 0; slash = key.indexOf('/', slash + 1)) folders.push(pathOf(place, key.slice(0, slash)))
  return folders
}

/**
 * Why the root cannot be used, or undefined when it can. Asked whenever something below is missing: a disk that is
 * not mounted must never look like an empty repository.
 */
export async function rootFault(place: Place): Promise<Error | undefined> {
  const { root, location } = place
  const options = { hint: HINT, context: { root, location }, retryable: false }
  try {
    if ((await stat(root)).isDirectory()) return undefined
    return new Fault('unavailable', 'STORAGE_ROOT_MISSING', `the repository folder ${root} is not a folder`, options)
  } catch (error) {
    if (!isMissing(error)) return fileFault(error, { doing: 'look at the repository folder', path: root })
    return new Fault('unavailable', 'STORAGE_ROOT_MISSING', `the repository folder ${root} is not there`, { ...options, cause: error })
  }
}

/** Throws when the root cannot be used. */
export async function requireRoot(place: Place): Promise<void> {
  const fault = await rootFault(place)
  if (fault !== undefined) throw fault
}

/** The fault for a key that the file system does not have: `not-found` only when the root is there. */
export async function missingFault(place: Place, key: string, cause?: unknown): Promise<Error> {
  return (await rootFault(place)) ?? notFoundFault(key, place.location, cause)
}

/** The fault for a failed look at a key: missing, or whatever else the file system said. */
export async function lookFault(place: Place, key: string, error: unknown): Promise<Error> {
  return isMissing(error) ? missingFault(place, key, error) : fileFault(error, { doing: 'read', path: pathOf(place, key), key })
}

/** Whether the file system answered that no file is there: no entry, a file in the place of a folder, links in a circle, a socket. */
export function isMissing(error: unknown): boolean {
  const code = errnoOf(error)
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP' || code === 'ENXIO'
}
