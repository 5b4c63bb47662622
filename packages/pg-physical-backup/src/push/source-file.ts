import { close, closeSync, constants, fstatSync, openSync, read, type BigIntStats } from 'node:fs'
import { Fault } from '@waltz/errors'

/** An open file of the data directory, with what it was when it was opened. */
export interface SourceFile {
  readonly descriptor: number
  readonly path: string
  readonly size: number
  readonly stat: BigIntStats
}

/** A name that became a pipe since it was listed must not block the process. */
const HOW = constants.O_RDONLY | constants.O_NONBLOCK

/**
 * Opens a file for reading; undefined when it has vanished. Synchronous: for most files this is all there is to do, and
 * a trip to the thread pool costs more than the call.
 * @throws Fault `denied` or `unavailable` `DATA_FILE_UNREADABLE` when it is there and cannot be opened.
 */
export function openSourceFile(path: string): SourceFile | undefined {
  let descriptor: number
  try {
    descriptor = openSync(path, HOW)
  } catch (error) {
    // A folder above it may be gone as well, and something else have its name.
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw unreadable(path, error)
  }
  try {
    const stat = fstatSync(descriptor, { bigint: true })
    if (!stat.isFile()) throw new Error('it is no regular file any more')
    return { descriptor, path, size: Number(stat.size), stat }
  } catch (error) {
    closeSync(descriptor)
    throw unreadable(path, error)
  }
}

/**
 * Reads up to `length` bytes at `position` into `target`; fewer only at the end of the file.
 * @throws Fault `unavailable` `DATA_FILE_UNREADABLE`.
 */
export async function readInto(
  file: SourceFile,
  target: Uint8Array,
  offset: number,
  at: { position: number; length: number },
): Promise<number> {
  let done = 0
  while (done < at.length) {
    const count = await new Promise<number>((resolve, reject) => {
      read(file.descriptor, target, offset + done, at.length - done, at.position + done, (error, bytes) =>
        error === null ? resolve(bytes) : reject(unreadable(file.path, error)),
      )
    })
    if (count === 0) break
    done += count
  }
  return done
}

/** Closes off the main thread; a failure to close a file that was only read is of no consequence. */
export function closeSourceFile(file: SourceFile): Promise<void> {
  return new Promise((resolve) => close(file.descriptor, () => resolve()))
}

/** The fault for a file that is there and cannot be read. */
export function unreadable(path: string, cause: unknown): Fault {
  const { code, message } = cause as NodeJS.ErrnoException
  const kind = code === 'EACCES' || code === 'EPERM' ? 'denied' : 'unavailable'
  return new Fault(kind, 'DATA_FILE_UNREADABLE', `could not read ${path}: ${message}`, {
    cause,
    retryable: false,
    context: { path },
    hint: kind === 'denied' ? 'Run the backup as the user that owns the data directory.' : 'Check the disk that holds the data directory.',
  })
}
