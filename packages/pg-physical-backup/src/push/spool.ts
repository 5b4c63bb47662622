import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '@waltz/errors'

const BUFFER_BYTES = 256 * 1024
const SEPARATOR = '\0'

/**
 * A private folder for lists that must not be held in memory. Its files have no name while they are used: whatever
 * ends the process, nothing is left behind.
 */
export interface Spool {
  open(): SpoolFile
}

/** A list of texts on disk: appended to, then read from the start as often as needed. Texts hold no NUL. */
export interface SpoolFile {
  append(text: string): void
  /** All texts in the order in which they were appended. */
  texts(): Generator<string, void, undefined>
  close(): void
}

/**
 * A spool below `folder`, an existing directory. Synchronous on purpose: it is used between reads of small files, and
 * goes to the page cache in blocks of 256 KiB.
 * @throws Fault `unavailable` `SPOOL_FAILED` when the folder cannot be written.
 */
export function createSpool(folder: string): Spool {
  return { open: () => openSpoolFile(folder) }
}

function openSpoolFile(folder: string): SpoolFile {
  const descriptor = guard(folder, () => openNameless(folder))
  const buffer = Buffer.allocUnsafe(BUFFER_BYTES)
  let used = 0
  let length = 0

  const flush = (): void => {
    for (let at = 0; at < used; ) at += writeSync(descriptor, buffer, at, used - at, length + at)
    length += used
    used = 0
  }
  const append = (text: string): void => {
    const bytes = Buffer.byteLength(text) + 1
    if (bytes > BUFFER_BYTES - used) guard(folder, flush)
    if (bytes > BUFFER_BYTES) throw new Fault('internal', 'SPOOL_FAILED', `a text of ${bytes} bytes does not fit the spool`)
    used += buffer.write(text + SEPARATOR, used)
  }
  return {
    append,
    texts() {
      guard(folder, flush)
      return readTexts(descriptor, length)
    },
    close: () => closeSync(descriptor),
  }
}

/** A file that is removed as soon as it is open. */
function openNameless(folder: string): number {
  const private_ = mkdtempSync(join(folder, 'waltz-spool-'))
  try {
    return openSync(join(private_, 'list'), 'wx+', 0o600)
  } finally {
    rmSync(private_, { recursive: true, force: true })
  }
}

function* readTexts(descriptor: number, length: number): Generator<string, void, undefined> {
  const buffer = Buffer.allocUnsafe(BUFFER_BYTES)
  let held = 0
  for (let offset = 0; offset < length; ) {
    const count = readSync(descriptor, buffer, held, Math.min(BUFFER_BYTES - held, length - offset), offset)
    if (count === 0) throw new Fault('internal', 'SPOOL_FAILED', 'the spool became shorter while it was read')
    offset += count
    held += count
    const end = buffer.lastIndexOf(0, held - 1)
    const texts = buffer.toString('utf8', 0, end).split(SEPARATOR)
    buffer.copyWithin(0, end + 1, held)
    held -= end + 1
    yield* texts
  }
}

function guard<Value>(folder: string, work: () => Value): Value {
  try {
    return work()
  } catch (error) {
    throw new Fault('unavailable', 'SPOOL_FAILED', `could not keep a temporary list in ${folder}: ${(error as Error).message}`, {
      cause: error,
      hint: 'Free some space there, or set WALTZ_SPOOL_DIR to a folder that can be written.',
      retryable: false,
    })
  }
}
