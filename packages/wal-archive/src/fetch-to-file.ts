import { open, readdir, realpath, rename, stat, unlink, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { ByteSource } from '@waltz/bytes'
import { Fault, isFault, throwIfAborted } from '@waltz/errors'
import { checkedContent } from './checked-content.ts'
import type { ArchiveContext } from './context.ts'
import { fetchWal, type FetchOptions } from './fetch.ts'

/** What to fetch, and where it goes. */
export interface FetchToFileRequest extends FetchOptions {
  readonly name: string
  /** An absolute path. A file there is replaced, a symbolic link is followed, a directory is an error. */
  readonly destination: string
  /** Any text that no other process gives at the same time (random, or process and moment): part of the temporary name beside the destination. */
  readonly unique: string
}

/** What was fetched. */
export interface FetchedToFile {
  /** The object's name below `wal_005/`. */
  readonly storedName: string
  /** Of the plain file. */
  readonly bytes: number
}

/** A temporary file this old belongs to nobody any more. */
const ABANDONED_MS = 600_000

/** Fetches a file, checked, synced and under its final name only when whole. See `WalArchive.fetchToFile`. */
export async function fetchWalToFile(context: ArchiveContext, request: FetchToFileRequest): Promise<FetchedToFile> {
  const { name, signal } = request
  const destination = await resolveDestination(request.destination)
  await using opened = await fetchWal(context, name, request)
  const content = checkedContent(context, { ...opened, name, signal })
  const temporary = `${destination}${TEMPORARY_MARK}${request.unique}`
  await removeAbandoned(context, destination)
  try {
    const bytes = await writeSynced(temporary, content, signal)
    await local(destination, () => rename(temporary, destination))
    await local(destination, () => syncFolder(dirname(destination)))
    return { storedName: opened.storedName, bytes }
  } catch (error) {
    await unlink(temporary).catch(() => undefined)
    throw error
  }
}

const TEMPORARY_MARK = '.waltz-'

async function resolveDestination(destination: string): Promise<string> {
  try {
    const real = await realpath(destination)
    if (!(await stat(real)).isDirectory()) return real
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return destination
    throw destinationFault(destination, error)
  }
  throw new Fault('invalid', 'WAL_DESTINATION', `${destination} is a directory`, { hint: 'give the path of a file: %p of restore_command' })
}

async function writeSynced(path: string, content: ByteSource, signal: AbortSignal | undefined): Promise<number> {
  const file = await local(path, () => open(path, 'wx'))
  try {
    const bytes = await writeAll(path, file, content, signal)
    await local(path, () => file.sync())
    return bytes
  } finally {
    await file.close()
  }
}

async function writeAll(path: string, file: FileHandle, content: ByteSource, signal: AbortSignal | undefined): Promise<number> {
  let bytes = 0
  for await (const chunk of content) {
    throwIfAborted(signal)
    for (let at = 0; at < chunk.length;) {
      const { bytesWritten } = await local(path, () => file.write(chunk, at))
      at += bytesWritten
    }
    bytes += chunk.length
  }
  return bytes
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Removes what killed fetches of this destination left behind. */
async function removeAbandoned(context: ArchiveContext, destination: string): Promise<void> {
  const folder = dirname(destination)
  const prefix = basename(destination) + TEMPORARY_MARK
  const oldest = context.now().getTime() - ABANDONED_MS
  for (const name of await local(destination, () => readdir(folder))) {
    if (!name.startsWith(prefix)) continue
    const path = join(folder, name)
    const found = await stat(path).catch(() => undefined)
    if (found !== undefined && found.mtimeMs < oldest) await unlink(path).catch(() => undefined)
  }
}

async function local<Result>(path: string, run: () => Promise<Result>): Promise<Result> {
  try {
    return await run()
  } catch (error) {
    throw isFault(error) ? error : destinationFault(path, error)
  }
}

function destinationFault(path: string, cause: unknown): Fault {
  const code = errorCode(cause)
  const kind = ['EACCES', 'EPERM', 'EROFS'].includes(code)
    ? 'denied'
    : ['ENOSPC', 'EDQUOT', 'EIO'].includes(code)
      ? 'unavailable'
      : 'invalid'
  return new Fault(kind, 'WAL_DESTINATION', `cannot write ${path}: ${cause instanceof Error ? cause.message : code}`, {
    hint: 'check the folder, its owner and the free space',
    context: { path, code },
    cause,
    retryable: false,
  })
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
