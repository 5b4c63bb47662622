import { throwIfAborted } from '@waltz/errors'
import type { Stats } from 'ssh2'
import { explained } from './explain-failure.ts'
import type { OpenHandle } from './handles.ts'
import type { Operation } from './place.ts'
import { statsOf, type FoundStats } from './session.ts'

/** Bytes that were sent and not yet answered: as much as the window of an SSH channel lets through. */
const BYTES_IN_FLIGHT = 2_097_152

/** A piece of a file. */
export interface BytesAt {
  readonly body: Uint8Array
  readonly offset: number
}

/** Writes with many requests in flight, makes the bytes durable where the server can, and closes the file. */
export async function writeBytes(operation: Operation, file: OpenHandle, { body, offset }: BytesAt): Promise<FoundStats> {
  const { call, session } = operation
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length)
  const { requestBytes, fsync } = session.traits
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < bytes.length && !operation.signal.aborted) {
      const from = next
      const count = Math.min(requestBytes, bytes.length - from)
      next += count
      await call<void>((sftp, answer) => sftp.write(file.handle, bytes, from, count, offset + from, answer))
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.ceil(BYTES_IN_FLIGHT / requestBytes) }, lane))
    throwIfAborted(operation.signal)
    if (fsync) await call<unknown>((sftp, answer) => sftp.ext_openssh_fsync(file.handle, answer))
    const found = statsOf(await call<Stats>((sftp, answer) => sftp.fstat(file.handle, answer)))
    await file.close()
    return found
  } catch (error) {
    next = bytes.length // the other lanes stop
    file.drop()
    throw await explained(operation, error)
  }
}
