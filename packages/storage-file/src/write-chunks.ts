import type { FileHandle } from 'node:fs/promises'
import { Fault } from '@waltz/errors'
import { giveBack, type ByteSource } from '@waltz/bytes'
import { attempt, type FileCall } from './errors.ts'

/**
 * Small chunks are gathered up to this much before they are written. Writes of a MiB take several times as long where the system has to
 * find memory in pieces of that size for them.
 */
const GATHER_BYTES = 262_144
/** As much is pulled ahead while a write is going on: now and then one waits for memory, and the sender should not have to. */
const MOST_WAITING_BYTES = 1_048_576
/** The system takes no more buffers than this in one call. */
const GATHER_CHUNKS = 1000

/** After so many bytes the disk is set to work, so that the sync at the end does not find everything still to be done. */
const SYNC_BYTES = 33_554_432

/**
 * Appends a source to an open file and returns the number of bytes. The next chunks are pulled while the last ones
 * are being written, and what was written goes to disk meanwhile if `sync` is wanted, which does not stand for the sync at the end.
 * Errors of the source pass unchanged; those of the file become faults.
 */
export async function writeChunks(handle: FileHandle, source: ByteSource, { call, sync }: WriteOptions): Promise<number> {
  const behind = createSyncBehind(handle, call)
  const writer = createChunkWriter(handle, call, (count) => {
    if (sync) behind.wrote(count)
  })
  let bytes = 0
  try {
    for await (const chunk of source) {
      bytes += chunk.length
      if (writer.add(chunk)) await writer.settled()
    }
    await writer.end()
  } catch (error) {
    await writer.abandon() // the handle must not be closed under a running write
    await behind.end().catch(() => undefined)
    throw error
  }
  await behind.end()
  return bytes
}

/** Writes what was gathered, one write at a time, while more comes in. */
interface ChunkWriter {
  /** Takes a chunk; whether enough is waiting now for the next one to be pulled only after `settled`. */
  add(chunk: Uint8Array): boolean
  /** Waits for the write that is going on; the next one begins by itself where enough is waiting. Rejects when one has failed. */
  settled(): Promise<void>
  /** Writes the rest, and waits for all of it. */
  end(): Promise<void>
  /** Waits for the write that is going on, after which there is none. Never rejects. */
  abandon(): Promise<void>
}

function createChunkWriter(handle: FileHandle, call: FileCall, wrote: (bytes: number) => void): ChunkWriter {
  let waiting: Uint8Array[] = []
  let waitingBytes = 0
  let writing: Promise<void> | undefined

  const write = (): void => {
    const { chunks, bytes } = takeFirst(waiting)
    waiting = waiting.slice(chunks.length)
    waitingBytes -= bytes
    // A write that failed stays, so that nothing is written behind the gap.
    writing = attempt(writeFully(handle, chunks, call), call).then(() => {
      chunks.forEach(giveBack)
      wrote(bytes)
      writing = undefined
      if (isWorthwhile()) write()
    })
    writing.catch(() => undefined) // thrown to whoever waits
  }
  const isWorthwhile = (): boolean => waitingBytes >= GATHER_BYTES || waiting.length >= GATHER_CHUNKS
  const isBusy = (): boolean => writing !== undefined || waiting.length > 0
  const settled = async (): Promise<void> => writing

  return {
    add(chunk) {
      waiting.push(chunk)
      waitingBytes += chunk.length
      if (writing === undefined && isWorthwhile()) write()
      return waitingBytes >= MOST_WAITING_BYTES || waiting.length >= GATHER_CHUNKS
    },
    settled,
    async end() {
      while (isBusy()) {
        if (writing === undefined) write()
        await settled()
      }
    },
    async abandon() {
      waiting = []
      waitingBytes = 0
      await settled().catch(() => undefined)
    },
  }
}

/** As many of the first chunks as make a write. */
function takeFirst(waiting: readonly Uint8Array[]): { readonly chunks: readonly Uint8Array[]; readonly bytes: number } {
  let count = 0
  let bytes = 0
  for (const { length } of waiting) {
    if (bytes >= GATHER_BYTES) break
    bytes += length
    count += 1
  }
  return { chunks: waiting.slice(0, count), bytes }
}

/** How a file is written. */
export interface WriteOptions {
  readonly call: FileCall
  readonly sync: boolean
}

/** Syncs a file while more is being written into it, one sync at a time. */
interface SyncBehind {
  wrote(bytes: number): void
  /** Waits for the last one. Rejects when any of them failed: the system tells of bytes that it lost only once. */
  end(): Promise<void>
}

function createSyncBehind(handle: FileHandle, call: FileCall): SyncBehind {
  let unsynced = 0
  let syncing: Promise<void> | undefined
  let failure: { readonly error: unknown } | undefined
  return {
    wrote(bytes) {
      unsynced += bytes
      if (unsynced < SYNC_BYTES || syncing !== undefined || failure !== undefined) return
      unsynced = 0
      syncing = attempt(handle.datasync(), { ...call, doing: 'sync' })
        .catch((error: unknown) => void (failure = { error }))
        .finally(() => (syncing = undefined))
    },
    async end() {
      await syncing
      if (failure !== undefined) throw failure.error
    },
  }
}

/** A write may take less than it was given, so the rest is written again until nothing is left. */
async function writeFully(handle: FileHandle, chunks: readonly Uint8Array[], { path }: FileCall): Promise<void> {
  let rest = chunks
  while (rest.length > 0) {
    const [only] = rest
    const { bytesWritten } = rest.length === 1 && only !== undefined ? await handle.write(only) : await handle.writev(rest)
    if (bytesWritten === 0) throw new Fault('unavailable', 'STORAGE_IO', `${path} took no more bytes`, { context: { path } })
    rest = afterBytes(rest, bytesWritten)
  }
}

function afterBytes(chunks: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skip = bytes
  const rest: Uint8Array[] = []
  for (const chunk of chunks) {
    if (skip >= chunk.length) skip -= chunk.length
    else {
      rest.push(skip === 0 ? chunk : chunk.subarray(skip))
      skip = 0
    }
  }
  return rest
}
