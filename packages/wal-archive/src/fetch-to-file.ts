import { open, readdir, realpath, rename, stat, unlink, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { giveBack, type ByteSource } from '@waltz/bytes'
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

/**
 * What a server calls a file that it has asked for until it has looked at it. It syncs the file itself before it gives it its name,
 * and the folder afterwards (durable_rename in KeepFileRestoredFromArchive, xlogarchive.c; in every release since March 2016, 9.1 to
 * 9.5 in their minor releases of then), and removes what has one of these names before it asks for the next.
 */
const SYNCED_BY_SERVER: ReadonlySet<string> = new Set(['RECOVERYXLOG', 'RECOVERYHISTORY'])

/** Fetches a file, checked, durable and under its final name only when whole. See `WalArchive.fetchToFile`. */
export async function fetchWalToFile(context: ArchiveContext, request: FetchToFileRequest): Promise<FetchedToFile> {
  const { name, signal } = request
  const destination = await resolveDestination(request.destination)
  await using opened = await fetchWal(context, name, request)
  const content = checkedContent(context, { ...opened, name, signal })
  const temporary = `${destination}${TEMPORARY_MARK}${request.unique}`
  await removeAbandoned(context, destination)
  const durable = !SYNCED_BY_SERVER.has(basename(request.destination))
  try {
    const bytes = await writeFile(temporary, content, { durable, signal })
    await local(destination, () => rename(temporary, destination))
    if (durable) await local(destination, () => syncFolder(dirname(destination)))
    return { storedName: opened.storedName, bytes }
  } catch (error) {
    await unlinkQuietly(temporary)
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

interface WriteOptions {
  /** Whether the bytes have to be on disk afterwards. */
  readonly durable: boolean
  readonly signal: AbortSignal | undefined
}

async function writeFile(path: string, content: ByteSource, { durable, signal }: WriteOptions): Promise<number> {
  const file = await local(path, () => open(path, 'wx'))
  try {
    const bytes = await writeAll(path, file, content, signal)
    if (durable) await local(path, () => file.sync())
    // A network file system may say only here that it had no room.
    await local(path, () => file.close())
    return bytes
  } finally {
    await file.close()
  }
}

/** Each chunk is written while the next is decoded. */
async function writeAll(path: string, file: FileHandle, content: ByteSource, signal: AbortSignal | undefined): Promise<number> {
  let bytes = 0
  let writing: Promise<void> = Promise.resolve()
  try {
    for await (const chunk of content) {
      await writing
      throwIfAborted(signal)
      writing = local(path, () => writeChunk(file, chunk))
      writing.catch(() => undefined) // thrown where it is waited for
      bytes += chunk.length
    }
    await writing
    return bytes
  } catch (error) {
    await writing.catch(() => undefined) // the file must not be closed under a running write
    throw error
  }
}

async function writeChunk(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length;) at += (await file.write(chunk, at)).bytesWritten
  giveBack(chunk)
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
    if (found !== undefined && found.mtimeMs < oldest) await unlinkQuietly(path)
  }
}

/** What stays is removed by a later fetch. */
async function unlinkQuietly(path: string): Promise<void> {
  await unlink(path).catch(() => undefined)
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
