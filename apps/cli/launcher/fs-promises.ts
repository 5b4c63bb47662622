/**
 * What `node:fs/promises` is for the one file of the WAL commands: the same calls, as far as they are used there, with the same
 * arguments, results and errors; a test compares them, and the file store keeps its whole contract with them. Two things are
 * different. Node's own brings the code of terminals and directory watchers along, and loading that takes two to three
 * milliseconds. And it hands every call to another thread: to wake one and be woken takes twenty times as long as the call, which
 * pays only where there is something else to do meanwhile. A process that stores or fetches one file has nothing but the codec,
 * which has threads of its own. What is lost: a signal or a deadline is noticed only between two calls. While a file system does
 * not answer at all, that is never, but a process that uses the other threads does not end then either: Node waits for them.
 */
import {
  closeSync,
  copyFileSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  opendirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  realpathSync,
  renameSync,
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeSync,
  writevSync,
} from 'node:fs'
import type promises from 'node:fs/promises'

type Call = (...args: readonly unknown[]) => unknown

/** The call that throws, as one that gives a promise. */
function promised(call: unknown): (...args: readonly unknown[]) => Promise<unknown> {
  return async (...args) => (call as Call)(...args)
}

export const copyFile = promised(copyFileSync) as typeof promises.copyFile
export const link = promised(linkSync) as typeof promises.link
export const lstat = promised(lstatSync) as typeof promises.lstat
export const mkdir = promised(mkdirSync) as typeof promises.mkdir
export const opendir = (async (...args: Parameters<typeof opendirSync>) => {
  try {
    // Asking node:fs for this function is what loads the code of folders.
    return opendirSync(...args)
  } catch (error) {
    // It does not say of which folder it speaks.
    const of = error as NodeJS.ErrnoException
    if (of.syscall === 'opendir' && of.path === undefined)
      Object.assign(of, { path: args[0], message: `${of.message} '${String(args[0])}'` })
    throw error
  }
}) as typeof promises.opendir
export const readdir = promised(readdirSync) as unknown as typeof promises.readdir
export const readlink = promised(readlinkSync) as typeof promises.readlink
export const realpath = promised(realpathSync.native) as typeof promises.realpath
export const rename = promised(renameSync) as typeof promises.rename
export const rmdir = promised(rmdirSync) as typeof promises.rmdir
export const stat = promised(statSync) as typeof promises.stat
export const symlink = promised(symlinkSync) as typeof promises.symlink
export const unlink = promised(unlinkSync) as typeof promises.unlink

export const open = (async (path: string, flags: string | number = 'r', mode?: number) => {
  return createHandle(openSync(path, flags, mode)) as unknown as promises.FileHandle
}) as typeof promises.open

/** The methods that are there. */
type Handle = Pick<
  promises.FileHandle,
  'fd' | 'close' | 'datasync' | 'read' | 'stat' | 'sync' | 'truncate' | 'write' | 'writev' | typeof Symbol.asyncDispose
>
// The calls of node:fs differ too much in what they take to be of one type.
// oxlint-disable-next-line typescript/no-explicit-any
type NamedCall = (...args: any[]) => unknown
type Place = readonly [offset?: number, length?: number, position?: number | null]

function createHandle(file: number): Handle {
  let fd = file
  const on = async (call: NamedCall, ...args: readonly unknown[]): Promise<never> => {
    // fsyncSync of node:fs is fsync of the system, and so on.
    if (fd === -1) throw Object.assign(new Error('file closed'), { code: 'EBADF', syscall: call.name.slice(0, -'Sync'.length) })
    return call(fd, ...args) as never
  }
  const close = async (): Promise<void> => {
    const open = fd
    fd = -1
    if (open !== -1) closeSync(open)
  }
  const handle = {
    get fd() {
      return fd
    },
    close,
    datasync: () => on(fdatasyncSync),
    read: async (buffer: Uint8Array, ...at: Place) => ({ bytesRead: await on(readSync, buffer, ...placeIn(buffer, at)), buffer }),
    stat: (...args: readonly unknown[]) => on(fstatSync, ...args),
    sync: () => on(fsyncSync),
    truncate: (...args: readonly unknown[]) => on(ftruncateSync, ...args),
    write: async (buffer: Uint8Array, ...at: Place) => ({ bytesWritten: await on(writeSync, buffer, ...placeIn(buffer, at)), buffer }),
    writev: async (buffers: readonly Uint8Array[], ...at: readonly unknown[]) => ({
      bytesWritten: await on(writevSync, buffers, ...at),
      buffers,
    }),
    [Symbol.asyncDispose]: close,
  }
  return handle as unknown as Handle
}

function placeIn(buffer: Uint8Array, [offset = 0, length = buffer.byteLength - offset, position = null]: Place): Required<Place> {
  return [offset, length, position]
}
