import { chmodSync, closeSync, constants, fchmodSync, lstatSync, mkdirSync, openSync, unlinkSync, writeSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { Fault } from '@waltz/errors'
import { errnoOf, guarded, localFault } from './local-fault.ts'

/** The folders that a restore may write into: the data directory and one per tablespace. */
export interface RestoreRoots {
  readonly destination: string
  readonly tablespaces: readonly { readonly name: string; readonly location: string }[]
}

/** A file that arrives in several chunks. */
export interface FileSink {
  /** Takes the chunk over; resolves when the one before it is written. */
  write(chunk: Uint8Array): Promise<void>
  /** Resolves when everything is written. */
  close(): Promise<void>
  /** Closes without caring for what is missing. */
  abandon(): Promise<void>
}

/** Writes members below the roots and nowhere else. Paths are those of `placeOfMember`; '' is the data directory. */
export interface TreeWriter {
  directory(path: string, mode: number): void
  /** Writes a whole file at once, synchronously: for files that are in memory already. */
  file(path: string, mode: number, content: Uint8Array): void
  openFile(path: string, mode: number): Promise<FileSink>
  /** Sets the modes of folders that lock their owner out; call it when all files are there. Returns warnings. */
  finishModes(): readonly string[]
}

const writeFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW
const maxVerified = 8192

/**
 * A writer for these roots, which must exist. A path below `pg_tblspc/<name>` of a mapped tablespace goes to its
 * location directly. Folders are made with owner rights only until their own member says otherwise; every folder on
 * the way is known to be a real one, so that no member leads through a link.
 */
export function createTreeWriter(roots: RestoreRoots): TreeWriter {
  const locations = new Map(roots.tablespaces.map((one) => [`pg_tblspc/${one.name}`, one.location]))
  const verified = new Set<string>()
  const modesLater = new Map<string, number>()
  const warnings: string[] = []

  const place = (path: string): { readonly root: string; readonly rest: string } => {
    if (locations.size > 0 && path.startsWith('pg_tblspc/')) {
      const end = path.indexOf('/', 10)
      const location = locations.get(end === -1 ? path : path.slice(0, end))
      if (location !== undefined) return { root: location, rest: end === -1 ? '' : path.slice(end + 1) }
    }
    return { root: roots.destination, rest: path }
  }
  const parentOf = (path: string): string => {
    const { root, rest } = place(path)
    const slash = rest.lastIndexOf('/')
    if (slash !== -1) makeFolders(root, rest.slice(0, slash), verified)
    return rest === '' ? root : `${root}/${rest}`
  }

  return {
    directory(path, mode) {
      const { root, rest } = place(path)
      if (rest !== '') makeFolders(root, rest, verified)
      const full = rest === '' ? root : `${root}/${rest}`
      if ((mode & 0o300) !== 0o300) modesLater.set(full, mode)
      else changeMode(full, mode, rest === '' ? warnings : undefined)
    },
    file(path, mode, content) {
      const full = parentOf(path)
      const fd = openForWriting(full)
      try {
        for (let done = 0; done < content.length;) done += writeSync(fd, content, done)
        if (mode !== 0o600) fchmodSync(fd, mode)
      } catch (error) {
        throw localFault(error, 'writing', full)
      } finally {
        closeSync(fd)
      }
    },
    async openFile(path, mode) {
      const full = parentOf(path)
      closeSync(openForWriting(full))
      try {
        return createSink(await open(full, writeFlags), full, mode)
      } catch (error) {
        throw localFault(error, 'opening', full)
      }
    },
    finishModes() {
      for (const [path, mode] of modesLater) changeMode(path, mode, warnings)
      return warnings
    },
  }
}

/** New files are private until their mode is set; a file left by an attempt before is written anew. */
function openForWriting(path: string): number {
  try {
    return openSync(path, writeFlags, 0o600)
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw localFault(error, 'opening', path)
  }
  return guarded('opening', path, () => {
    if (lstatSync(path).isFile()) unlinkSync(path)
    return openSync(path, writeFlags, 0o600)
  })
}

function makeFolders(root: string, path: string, verified: Set<string>): void {
  const full = `${root}/${path}`
  if (verified.has(full)) return
  const slash = path.lastIndexOf('/')
  if (slash !== -1) makeFolders(root, path.slice(0, slash), verified)
  try {
    mkdirSync(full, 0o700)
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw localFault(error, 'creating', full)
    if (!lstatSync(full).isDirectory())
      throw new Fault('corrupt', 'RESTORE_UNSAFE_MEMBER', `a member of the backup lies below ${full}, which is not a folder`, {
        context: { path: full },
        hint: 'The backup is damaged or was tampered with. Nothing was written outside the target; restore another backup.',
      })
  }
  if (verified.size >= maxVerified) verified.clear()
  verified.add(full)
}

/** With `warnings`, a folder that belongs to somebody else is a warning: the user may have made it. */
function changeMode(path: string, mode: number, warnings: string[] | undefined): void {
  try {
    chmodSync(path, mode)
  } catch (error) {
    if (warnings === undefined || errnoOf(error) !== 'EPERM') throw localFault(error, 'setting the mode of', path)
    warnings.push(`${path} belongs to another user, so its mode was left as it is; PostgreSQL wants ${mode.toString(8)}`)
  }
}

function createSink(handle: FileHandle, path: string, mode: number): FileSink {
  let offset = 0
  let pending: Promise<void> = Promise.resolve()
  const writeWhole = async (chunk: Uint8Array, at: number): Promise<void> => {
    for (let done = 0; done < chunk.length;) done += (await handle.write(chunk, done, chunk.length - done, at + done)).bytesWritten
  }
  const settle = async (): Promise<void> => {
    try {
      await pending
    } catch (error) {
      throw localFault(error, 'writing', path)
    }
  }
  return {
    async write(chunk) {
      await settle()
      pending = writeWhole(chunk, offset)
      pending.catch(() => undefined)
      offset += chunk.length
    },
    async close() {
      await settle()
      try {
        if (mode !== 0o600) await handle.chmod(mode)
        await handle.close()
      } catch (error) {
        throw localFault(error, 'closing', path)
      }
    },
    async abandon() {
      await pending.catch(() => undefined)
      await handle.close().catch(() => undefined)
    },
  }
}
