import { chmodSync, constants, lstatSync, mkdirSync, openSync, rmSync, unlinkSync } from 'node:fs'
import { Fault } from '@waltz/errors'
import { createFileSink, writeAndClose, type FileSink } from './file-sink.ts'
import { errnoOf, guarded, localFault } from './local-fault.ts'

/** The folders that a restore may write into: the data directory and one per tablespace. */
export interface RestoreRoots {
  readonly destination: string
  readonly tablespaces: readonly { readonly name: string; readonly location: string }[]
}

/** Writes members below the roots and nowhere else. Paths are those of `placeOfMember`; '' is the data directory. */
export interface TreeWriter {
  directory(path: string, mode: number): void
  /** Writes a whole file at once, synchronously: for files that are in memory already. */
  file(path: string, mode: number, content: Uint8Array): void
  openFile(path: string, mode: number): FileSink
  /** Takes a file away again that was written through this writer; one that is not there is no error. */
  removeFile(path: string): void
  /** Sets the modes of folders that lock their owner out; call it when all files are there. Returns warnings. */
  finishModes(): readonly string[]
}

/** How files are written. */
export interface TreeWriterOptions {
  /** Whether large files go to the disk while they are written, so that a sync at the end has less to do. */
  readonly syncBehind?: boolean
}

const writeFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW
const maxVerified = 8192

/**
 * A writer for these roots, which must exist. A path below `pg_tblspc/<name>` of a mapped tablespace goes to its
 * location directly. Folders are made with owner rights only until their own member says otherwise; every folder on
 * the way is known to be a real one, so that no member leads through a link.
 */
export function createTreeWriter(roots: RestoreRoots, { syncBehind = false }: TreeWriterOptions = {}): TreeWriter {
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
      writeAndClose(openForWriting(full), full, { mode, content })
    },
    openFile(path, mode) {
      const full = parentOf(path)
      return createFileSink(openForWriting(full), full, { mode, syncBehind })
    },
    removeFile(path) {
      const full = parentOf(path)
      guarded('removing', full, () => rmSync(full, { force: true }))
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
