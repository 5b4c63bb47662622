import type { FileHandle } from 'node:fs/promises'
import { Fault } from '@waltz/errors'
import { giveBack, type ByteSource } from '@waltz/bytes'
import { attempt, type FileCall } from './errors.ts'

/** Small chunks are gathered up to this much before they are written. */
const GATHER_BYTES = 262_144
/** The system takes no more buffers than this in one call. */
const GATHER_CHUNKS = 1000

/**
 * Appends a source to an open file and returns the number of bytes. The next chunks are pulled while the last ones
 * are being written. Errors of the source pass unchanged; those of the file become faults.
 */
export async function writeChunks(handle: FileHandle, source: ByteSource, call: FileCall): Promise<number> {
  let writing: Promise<void> = Promise.resolve()
  let gathered: Uint8Array[] = []
  let gatheredBytes = 0
  let bytes = 0

  const flush = async (): Promise<void> => {
    await writing
    const chunks = gathered
    gathered = []
    gatheredBytes = 0
    writing = attempt(writeFully(handle, chunks, call), call).then(() => chunks.forEach(giveBack))
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
  } catch (error) {
    await writing.catch(() => undefined) // the handle must not be closed under a running write
    throw error
  }
  await writing
  return bytes
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
