import { createHash, randomBytes } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { workspaceRoot } from './workspace-root.ts'

const STALE_MS = 2 * 60 * 60 * 1000
/** No entry takes as long to make. */
const LONGEST_MS = 5 * 60 * 1000

/** A short fingerprint of any texts, safe in file names. */
export function fingerprint(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 12)
}

/** The folder for temporary things, short enough that a socket below it stays under the kernel's limit of 107 bytes. */
export function shortTemporaryRoot(): string {
  return tmpdir().length <= 40 ? tmpdir() : '/tmp'
}

/**
 * The world-readable folder that holds what the ordinary user needs from the checkout (which only root may be able to
 * read): servers, Node, Waltz itself. One per checkout and user, shared by all test processes.
 * @throws Error when somebody else owns a folder of that name.
 */
export function sharedCache(): string {
  const uid = process.getuid?.() ?? 0
  const path = join(shortTemporaryRoot(), `waltz-testkit-${fingerprint(workspaceRoot, String(uid))}`)
  mkdirSync(path, { recursive: true, mode: 0o755 })
  const found = lstatSync(path)
  if (!found.isDirectory() || found.uid !== uid) throw new Error(`${path} exists and does not belong to user ${uid}: remove it`)
  if ((found.mode & 0o777) !== 0o755) chmodSync(path, 0o755)
  return path
}

/**
 * Path of the entry `name` in the shared cache, made by `build` when it is missing. `build` gets an empty folder that
 * is renamed into place when it resolves, so that concurrent processes never see half of an entry. Whoever needs an entry that
 * another process is making waits for it: making it twice takes both longer.
 */
export async function cached(name: string, build: (folder: string) => Promise<void> | void): Promise<string> {
  const cache = sharedCache()
  const entry = join(cache, name)
  const lock = join(cache, `making-${name}`)
  while (!existsSync(entry)) {
    if (!takeLock(lock)) {
      await wait(50)
      continue
    }
    try {
      if (!existsSync(entry)) await make(entry, join(cache, draftName()), build)
    } finally {
      rmSync(lock, { force: true })
    }
  }
  return entry
}

/** False when a process that still runs has it. */
function takeLock(lock: string): boolean {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const holder = Number(readTextIfThere(lock))
    const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Infinity)
    // Empty for the moment between its making and its writing; and a number may have come to another process.
    if ((holder > 0 && !isRunning(holder)) || age > LONGEST_MS) rmSync(lock, { force: true })
    return false
  }
}

function readTextIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function draftName(): string {
  return `draft-${process.pid}-${randomBytes(6).toString('hex')}`
}

async function make(entry: string, draft: string, build: (folder: string) => Promise<void> | void): Promise<void> {
  mkdirSync(draft, { mode: 0o755 })
  chmodSync(draft, 0o755)
  try {
    await build(draft)
    renameSync(draft, entry)
  } catch (error) {
    if (!existsSync(entry)) throw error
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

/** Removes entries that start with `prefix` and were last touched hours ago, except `keep`. */
export function pruneCache(prefix: string, keep: string): void {
  const cache = sharedCache()
  for (const name of readdirSync(cache)) {
    if (!name.startsWith(prefix) && !/^(draft|making)-/.test(name)) continue
    const path = join(cache, name)
    const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0)
    if (path !== keep && age > STALE_MS) rmSync(path, { recursive: true, force: true })
  }
}
