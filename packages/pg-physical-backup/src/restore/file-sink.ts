import { closeSync, fchmodSync, fdatasync, write, writeSync } from 'node:fs'
import { giveBack } from '@waltz/bytes'
import type { Fault } from '@waltz/errors'
import { localFault } from './local-fault.ts'

/** A file that arrives in several chunks. */
export interface FileSink {
  /** Takes the chunk over and gives it back when it is written; resolves when there is room for another one. */
  write(chunk: Uint8Array): Promise<void>
  /** Resolves when everything is written. */
  close(): Promise<void>
  /** Closes without caring for what is missing. */
  abandon(): Promise<void>
}

/** Up to here a write takes less of the main thread's time than a trip to the thread pool. */
const SYNCHRONOUS_BYTES = 131_072
/** Chunks of one file that are on the thread pool at once. */
const WRITES_IN_FLIGHT = 2

/** After so many bytes of a file the disk is set to work, so that the sync at the end does not find everything still to be done. */
const SYNC_BYTES = 33_554_432

/** How a sink treats its file. */
export interface FileSinkOptions {
  /** Set when the file is closed. */
  readonly mode: number
  /** Whether what was written goes to the disk while more is written, which does not stand for the sync at the end. */
  readonly syncBehind: boolean
}

/** A sink for a file that is open for writing and empty. The first thing that fails, syncing behind included, fails the file. */
export function createFileSink(fd: number, path: string, { mode, syncBehind }: FileSinkOptions): FileSink {
  const running = new Set<Promise<void>>()
  let failure: Fault | undefined
  let offset = 0
  let unsynced = 0
  let syncing: Promise<void> | undefined
  const throwFailure = (): void => {
    if (failure !== undefined) throw failure
  }
  const fail = (error: unknown, action: string): void => void (failure ??= localFault(error, action, path))
  const start = (chunk: Uint8Array, at: number): void => {
    const task: Promise<void> = writeWhole(fd, chunk, at)
      .then(() => {
        giveBack(chunk)
        if (syncBehind) wrote(chunk.length)
      })
      .catch((error: unknown) => fail(error, 'writing'))
      .finally(() => running.delete(task))
    running.add(task)
  }
  const wrote = (bytes: number): void => {
    unsynced += bytes
    if (unsynced < SYNC_BYTES || syncing !== undefined) return
    unsynced = 0
    syncing = datasync(fd)
      .catch((error: unknown) => fail(error, 'syncing'))
      .finally(() => (syncing = undefined))
  }
  /** No write and no sync may still run on a number that stands for another file after the close. */
  const idle = async (): Promise<void> => {
    await Promise.all(running)
    await syncing
  }
  return {
    async write(chunk) {
      throwFailure()
      const at = offset
      offset += chunk.length
      if (chunk.length <= SYNCHRONOUS_BYTES) {
        writeAtOnce(fd, path, { chunk, at })
        giveBack(chunk)
        return
      }
      start(chunk, at)
      if (running.size >= WRITES_IN_FLIGHT) await Promise.race(running)
      throwFailure()
    },
    async close() {
      await idle()
      throwFailure()
      closeWithMode(fd, path, mode)
    },
    async abandon() {
      await idle()
      try {
        closeSync(fd)
      } catch {
        // the failure that led here is the one to report
      }
    },
  }
}

/** Writes a whole file that is in memory, synchronously, and closes it. */
export function writeAndClose(fd: number, path: string, { mode, content }: { readonly mode: number; readonly content: Uint8Array }): void {
  try {
    writeAtOnce(fd, path, { chunk: content, at: 0 })
  } catch (error) {
    closeSync(fd)
    throw error
  }
  closeWithMode(fd, path, mode)
}

/** A file is made with the mode 0600. */
function closeWithMode(fd: number, path: string, mode: number): void {
  let open = true
  try {
    if (mode !== 0o600) fchmodSync(fd, mode)
    open = false
    closeSync(fd)
  } catch (error) {
    if (open) closeSync(fd)
    throw localFault(error, 'closing', path)
  }
}

function writeAtOnce(fd: number, path: string, { chunk, at }: { readonly chunk: Uint8Array; readonly at: number }): void {
  try {
    for (let done = 0; done < chunk.length;) done += writeSync(fd, chunk, done, chunk.length - done, at + done)
  } catch (error) {
    throw localFault(error, 'writing', path)
  }
}

function datasync(fd: number): Promise<void> {
  return new Promise((resolve, reject) => fdatasync(fd, (error) => (error === null ? resolve() : reject(error))))
}

/** A write may take less than it was given, so the rest is written again until nothing is left. */
function writeWhole(fd: number, chunk: Uint8Array, at: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const from = (done: number): void => {
      write(fd, chunk, done, chunk.length - done, at + done, (error, written) => {
        if (error !== null) reject(error)
        else if (done + written < chunk.length) from(done + written)
        else resolve()
      })
    }
    from(0)
  })
}
