import type { BigIntStats } from 'node:fs'
import { link, readlink, rename, stat, symlink, unlink } from 'node:fs/promises'
import { basename } from 'node:path'
import { conditionUnsupportedFault } from '@waltz/storage'
import { errnoOf } from './errors.ts'

/** The system calls that publishing needs, so that a file system without links can be tried anywhere. */
export interface LinkCalls {
  readonly link: (existing: string, path: string) => Promise<void>
  readonly symlink: (target: string, path: string) => Promise<void>
  readonly rename: (from: string, to: string) => Promise<void>
}

const SYSTEM: LinkCalls = { link, symlink, rename }
/** How file systems say that they have no links of a kind. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'ENOSYS'])

/**
 * Gives a finished file its final name if that is free, as one atomic step. A hard link does that. Where there are
 * none, a symbolic link to the finished file takes the name, and the file then replaces the link: at every moment the
 * name leads to nothing or to all the bytes, also after a crash in between.
 * @throws the system's `EEXIST` when the name is taken; Fault `unsupported` `STORAGE_CONDITIONAL_PUT_UNSUPPORTED`
 * where there are no links at all.
 */
export async function publishIfAbsent(temporary: string, path: string, calls: LinkCalls = SYSTEM): Promise<void> {
  try {
    await calls.link(temporary, path)
  } catch (error) {
    if (errnoOf(error) === 'EEXIST' && (await linkWasMade(temporary, path))) return unlinkQuietly(temporary)
    if (!NO_LINKS.has(errnoOf(error) ?? '')) throw error
    return publishBySymlink(temporary, path, calls)
  }
  await unlinkQuietly(temporary)
}

/**
 * Gives a finished file its final name, over whatever has it. A network file system may repeat the call when its answer was lost, and
 * then finds nothing to rename: it is done if the name leads to this very file.
 * @throws the system's own error.
 */
export async function publishOver(
  temporary: string,
  path: string,
  found: Pick<BigIntStats, 'ino' | 'dev'>,
  calls: Pick<LinkCalls, 'rename'> = SYSTEM,
): Promise<void> {
  try {
    await calls.rename(temporary, path)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    const published = await stat(path, { bigint: true }).catch(() => undefined)
    if (published === undefined || published.ino !== found.ino || published.dev !== found.dev) throw error
  }
}

/** A network file system may repeat a call whose answer was lost, and then finds its own link. */
async function linkWasMade(temporary: string, path: string): Promise<boolean> {
  const [mine, published] = await Promise.all([stat(temporary, { bigint: true }), stat(path, { bigint: true }).catch(() => undefined)])
  return published !== undefined && mine.ino === published.ino && mine.dev === published.dev
}

async function publishBySymlink(temporary: string, path: string, calls: LinkCalls): Promise<void> {
  const target = basename(temporary)
  try {
    await calls.symlink(target, path)
  } catch (error) {
    if (!NO_LINKS.has(errnoOf(error) ?? '')) throw error
    throw conditionUnsupportedFault(basename(path), path, 'its file system has neither hard nor symbolic links')
  }
  try {
    await calls.rename(temporary, path)
  } catch (error) {
    if ((await readlink(path).catch(() => undefined)) === target) await unlinkQuietly(path)
    throw error
  }
}

/** The object is stored by now; a second name for it that stays is hidden and takes no space. */
async function unlinkQuietly(path: string): Promise<void> {
  await unlink(path).catch(() => undefined)
}
