import type { FileHandle } from 'node:fs/promises'
import { Fault } from '@waltz/errors'
import { giveBack, type ByteSource } from '@waltz/bytes'
import { attempt, type FileCall } from './errors.ts'

/** Small chunks are gathered up to this much before they are written. */
const GATHER_BYTES = 262_144
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
  let writing: Promise<void> = Promise.resolve()
  let gathered: Uint8Array[] = []
  let gatheredBytes = 0
  let bytes = 0

  const flush = async (): Promise<void> => {
    await writing
    const chunks = gathered
    gathered = []
    const count = gatheredBytes
    gatheredBytes = 0
    writing = attempt(writeFully(handle, chunks, call), call).then(() => {
      chunks.forEach(giveBack)
      if (sync) behind.wrote(count)
    })
    writing.catch(() => undefined) // thrown by the next flush, or by the end
  }

  try {
    for await (const chunk of source) {
      gathered.push(chunk)
      gatheredBytes += chunk.length
      bytes += chunk.length
      if (gatheredBytes >= GATHER_BYTES || gathered.length >= GATHER_CHUNKS) await flush()
    }
    if (gathered.length > 0) await flush()
    await writing
  } catch (error) {
    await writing.catch(() => undefined) // the handle must not be closed under a running write
    await behind.end().catch(() => undefined)
    throw error
  }
  await behind.end()
  return bytes
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
