import { execFile } from 'node:child_process'
import { opendir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { localFault } from './local-fault.ts'
import { findSyncProgram } from './sync-program.ts'
import { createBoundedTasks } from './bounded-tasks.ts'

/** How the restored files were made durable. */
export type SyncMethod = 'file systems' | 'files' | 'skipped'

const filesAtOnce = 16

/** Where no sync program is to be used. */
export const EVERY_FILE = ''

/**
 * Makes everything below the roots durable. `sync -f` asks the kernel for whole file systems, which is far cheaper than one fsync per
 * file; where that program is missing or refuses, and with `EVERY_FILE`, every file and folder is synced. Whether a program can be
 * trusted is for `findTrustedSyncProgram` to say.
 * @throws Fault `unavailable` `RESTORE_WRITE_FAILED` (or its kin) when a file cannot be synced.
 */
export async function syncTrees(roots: readonly string[], program: string | undefined = findSyncProgram()): Promise<SyncMethod> {
  if (program !== undefined && program !== EVERY_FILE && (await runSync(program, roots))) return 'file systems'
  for (const root of roots) await syncFolder(root)
  return 'files'
}

/** Makes a folder's own entries durable: after a file in it was created, renamed or removed. */
export async function syncPath(path: string): Promise<void> {
  try {
    const handle = await open(path, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw localFault(error, 'syncing', path)
  }
}

function runSync(program: string, roots: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    execFile(program, ['-f', '--', ...roots], { env: {} }, (error) => resolve(error === null))
  })
}

/** Streams the folder, so that memory does not follow the number of files. */
async function syncFolder(folder: string): Promise<void> {
  const files = createBoundedTasks(filesAtOnce)
  for await (const entry of await opendir(folder)) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await syncFolder(path)
    else if (entry.isFile()) await files.add(() => syncPath(path))
  }
  await files.finish()
  await syncPath(folder)
}
