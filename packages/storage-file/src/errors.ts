import { Fault, type FaultKind } from '@waltz/errors'

/** What was being done when the file system failed. */
export interface FileCall {
  /** As in "could not <doing> <path>". */
  readonly doing: string
  readonly path: string
  readonly key?: string
}

interface Meaning {
  readonly kind: FaultKind
  readonly code: string
  readonly words: string
  readonly hint: string
  readonly retryable?: boolean
}

const DENIED: Meaning = {
  kind: 'denied',
  code: 'STORAGE_DENIED',
  words: 'permission denied',
  hint: 'check owner and permissions of this path for the user that runs this',
}
const FULL: Meaning = {
  kind: 'unavailable',
  code: 'STORAGE_FULL',
  words: 'no space left on the file system',
  hint: 'free space there, then run this again',
  retryable: false, // space does not come back within the seconds of a retry
}
const NAME_TOO_LONG: Meaning = {
  kind: 'invalid',
  code: 'STORAGE_KEY_INVALID',
  words: 'the file system takes no such name',
  hint: 'shorten the storage prefix or the name',
}
const TOO_LARGE: Meaning = {
  kind: 'invalid',
  code: 'STORAGE_OBJECT_TOO_LARGE',
  words: 'the file system takes no file of this size',
  hint: 'use smaller parts or another file system',
}
const FOLDER_IN_THE_WAY: Meaning = {
  kind: 'invalid',
  code: 'STORAGE_KEY_INVALID',
  words: 'a folder stands where the object would, or an object where its folder would',
  hint: 'no object can also be the folder of others: use another name',
}

/** What a network mount says when a server was replaced or a folder vanished on it under an open file. */
const STALE: Meaning = {
  kind: 'unavailable',
  code: 'STORAGE_IO',
  words: 'the network mount has lost track of the file (stale handle)',
  hint: 'it is tried again; if it persists, mount the file system anew',
}

const MEANINGS: Readonly<Record<string, Meaning>> = {
  EACCES: DENIED,
  EPERM: DENIED,
  EROFS: {
    kind: 'denied',
    code: 'STORAGE_MOUNT_READ_ONLY',
    words: 'the file system is mounted read-only',
    hint: 'mount it for writing; a disk with errors is often switched to read-only by the system',
  },
  ENOSPC: FULL,
  EDQUOT: { ...FULL, words: 'the quota is used up', hint: 'free space or raise the quota, then run this again' },
  EFBIG: TOO_LARGE,
  EOVERFLOW: TOO_LARGE,
  ENAMETOOLONG: NAME_TOO_LONG,
  EILSEQ: NAME_TOO_LONG,
  EISDIR: FOLDER_IN_THE_WAY,
  ENOTDIR: FOLDER_IN_THE_WAY,
  ENOTEMPTY: FOLDER_IN_THE_WAY,
  ESTALE: STALE,
}

const OTHER: Meaning = {
  kind: 'unavailable',
  code: 'STORAGE_IO',
  words: 'the file system failed',
  hint: 'see the cause; check the disk or the network mount',
}

/** The system's name of an error, such as `ENOENT`; undefined for what the system did not raise. */
export function errnoOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const { code, syscall } = error as { code?: unknown; syscall?: unknown }
  return typeof code === 'string' && typeof syscall === 'string' ? code : undefined
}

/** The fault for an error of the file system. Anything else, faults included, is returned as it is. */
export function fileFault(error: unknown, { doing, path, key }: FileCall): Error {
  const errno = errnoOf(error)
  if (errno === undefined) return error as Error
  const { kind, code, words, hint, retryable } = MEANINGS[errno] ?? OTHER
  const why = words === OTHER.words ? `${words} (${errno})` : words
  return new Fault(kind, code, `could not ${doing} ${path}: ${why}`, {
    hint,
    context: { path, ...(key === undefined ? {} : { key }), errno },
    cause: error,
    ...(retryable === undefined ? {} : { retryable }),
  })
}

/** Gives what the promise gives, with errors of the file system as faults. */
export async function attempt<T>(promise: Promise<T>, call: FileCall): Promise<T> {
  try {
    return await promise
  } catch (error) {
    throw fileFault(error, call)
  }
}
