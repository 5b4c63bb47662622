import { open, stat } from 'node:fs/promises'
import type { ByteSource } from '@waltz/bytes'
import { Fault, isFault } from '@waltz/errors'

/** A file that can be read, usually in pg_wal. */
export interface LocalWal {
  /** In bytes. */
  readonly size: number
  /** Opens it anew with each call. */
  readonly open: () => ByteSource
}

/** Large enough that a segment is a few reads, small beside the memory of a process. */
const READ_BYTES = 4_194_304

/**
 * A local file as `push` and `ensureRange` take it.
 * @throws Fault `invalid` `WAL_FILE_MISSING` when there is no regular file of that name, `denied` or `unavailable`
 * `WAL_FILE_UNREADABLE` when it cannot be read (also from the iteration).
 */
export async function openLocalWal(path: string): Promise<LocalWal> {
  const found = await reading(path, () => stat(path))
  if (!found.isFile())
    throw new Fault('invalid', 'WAL_FILE_MISSING', `${path} is not a regular file`, { hint: 'give the path of a file: %p' })
  return { size: found.size, open: () => chunksOf(path) }
}

async function* chunksOf(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  const file = await reading(path, () => open(path, 'r'))
  try {
    for (;;) {
      // Buffer memory that is not shared: a chunk belongs to whoever it is given to.
      const chunk = Buffer.allocUnsafeSlow(READ_BYTES)
      const { bytesRead } = await reading(path, () => file.read(chunk, 0, READ_BYTES))
      if (bytesRead === 0) return
      yield chunk.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

async function reading<Result>(path: string, run: () => Promise<Result>): Promise<Result> {
  try {
    return await run()
  } catch (error) {
    if (isFault(error)) throw error
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new Fault('invalid', 'WAL_FILE_MISSING', `there is no file ${path}`, {
        hint: 'archive_command must pass %p as it is',
        context: { path },
        cause: error,
      })
    }
    throw new Fault(
      ['EACCES', 'EPERM'].includes(code) ? 'denied' : 'unavailable',
      'WAL_FILE_UNREADABLE',
      `cannot read ${path}: ${String(error)}`,
      {
        hint: 'check the owner and the permissions of the file, and the disk it lies on',
        context: { path, code },
        cause: error,
        retryable: false,
      },
    )
  }
}
