import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Fault, isFault } from '@waltz/errors'

const BUFFER_BYTES = 256 * 1024
/** Few texts at a time: those that are at hand when the young generation is collected become old, and stay until a full collection. */
const READ_BYTES = 16 * 1024
const SEPARATOR = '\0'

/**
 * A private folder for lists that must not be held in memory. Its files have no name while they are used: whatever
 * ends the process, nothing is left behind.
 */
export interface Spool {
  open(): SpoolFile
}

/** A list of texts on disk: appended to, then read from the start as often as needed. Texts hold no NUL and may be of any length. */
export interface SpoolFile {
  append(text: string): void
  /** The place behind what was appended so far. */
  mark(): number
  /** Forgets what was appended since `mark` said so. */
  cutTo(mark: number): void
  /** All texts in the order in which they were appended. */
  texts(): Generator<string, void, undefined>
  /** Harmless when called again. */
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
  let closed = false

  const write = (bytes: Uint8Array): void => {
    // A number that was closed may be another file's by now.
    if (closed) throw new Fault('internal', 'SPOOL_FAILED', 'the list is closed')
    for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at, bytes.length - at, length + at)
    length += bytes.length
  }
  const flush = (): void => {
    write(buffer.subarray(0, used))
    used = 0
  }
  return {
    append(text) {
      const bytes = Buffer.byteLength(text) + 1
      if (bytes > BUFFER_BYTES - used) guard(folder, flush)
      if (bytes > BUFFER_BYTES) guard(folder, () => write(Buffer.from(text + SEPARATOR)))
      else used += buffer.write(text + SEPARATOR, used)
    },
    mark: () => length + used,
    cutTo(mark) {
      guard(folder, flush)
      length = mark
    },
    texts() {
      guard(folder, flush)
      return readTexts(descriptor, length)
    },
    close() {
      if (!closed) closeSync(descriptor)
      closed = true
    },
  }
}

/** A file that is removed as soon as it is open. */
function openNameless(folder: string): number {
  const own = mkdtempSync(join(folder, 'waltz-spool-'))
  try {
    return openSync(join(own, 'list'), 'wx+', 0o600)
  } finally {
    rmSync(own, { recursive: true, force: true })
  }
}

function* readTexts(descriptor: number, length: number): Generator<string, void, undefined> {
  let buffer = Buffer.allocUnsafe(READ_BYTES)
  let held = 0
  for (let offset = 0; offset < length;) {
    // Full without a whole text in it: the text is longer than that.
    if (held === buffer.length) buffer = Buffer.concat([buffer, Buffer.allocUnsafe(buffer.length)])
    const count = readSync(descriptor, buffer, held, Math.min(buffer.length - held, length - offset), offset)
    if (count === 0) throw new Fault('internal', 'SPOOL_FAILED', 'the spool became shorter while it was read')
    offset += count
    held += count
    const end = buffer.lastIndexOf(0, held - 1)
    if (end < 0) continue
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
    if (isFault(error)) throw error
    throw new Fault('unavailable', 'SPOOL_FAILED', `could not keep a temporary list in ${folder}: ${(error as Error).message}`, {
      cause: error,
      hint: 'Free some space there, or set WALTZ_SPOOL_DIR to a folder that can be written.',
      retryable: false,
    })
  }
}
