import { open, stat, type FileHandle } from 'node:fs/promises'
import { createBlockPool, type ByteSource } from '@waltz/bytes'
import { Fault, isFault } from '@waltz/errors'

/** A file that can be read, usually in pg_wal. */
export interface LocalWal {
  /** In bytes. */
  readonly size: number
  /** Opens it anew with each call. */
  readonly open: (wish?: WalReadWish) => ByteSource
}

/** What whoever reads a file would like, and will do without. */
export interface WalReadWish {
  /** Chunks of exactly this size, all but the last, and lent: see `giveBack` of `@waltz/bytes`. */
  readonly chunkBytes?: number
  /** No more than so many bytes from the beginning. */
  readonly bytes?: number
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
  return { size: found.size, open: (wish = {}) => chunksOf(path, wish) }
}

async function* chunksOf(path: string, wish: WalReadWish): AsyncGenerator<Uint8Array, void, undefined> {
  const file = await reading(path, () => open(path, 'r'))
  try {
    let left = wish.bytes ?? Number.POSITIVE_INFINITY
    const pool = createBlockPool(Math.min(wish.chunkBytes ?? READ_BYTES, left))
    while (left > 0) {
      const block = pool.take()
      const filled = await reading(path, () => fill(file, block.length > left ? block.subarray(0, left) : block))
      if (filled > 0) yield filled === block.length ? block : block.subarray(0, filled)
      if (filled < block.length) return
      left -= filled
    }
  } finally {
    await file.close()
  }
}

/** Reads on until the block is full or the file ends; the number of bytes. */
async function fill(file: FileHandle, block: Uint8Array): Promise<number> {
  let filled = 0
  while (filled < block.length) {
    const { bytesRead } = await file.read(block, filled, block.length - filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return filled
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
