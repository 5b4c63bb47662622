import { linkSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { Fault } from '@waltz/errors'
import { errnoOf, guarded } from './local-fault.ts'
import { ownerName } from './marker.ts'

/** The right to write into a folder; releasing it twice is harmless. */
export interface DestinationClaim {
  readonly release: () => void
}

const maxAttempts = 3
/** How file systems say that they have no hard links. */
const noLinks: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'ENOSYS'])

/**
 * Makes this process the one that restores into a folder, until it lets go or ends in whatever way. A file of its own,
 * because removing one works on a full disk too, while rewriting the marker does not. Only a file that is not there can
 * be made, and a dead owner's is moved aside before it is removed: whoever finds that it moved a living one's puts it back.
 * @throws Fault `conflict` `RESTORE_IN_PROGRESS` when another living process has the folder.
 */
export function claimDestination(destination: string): DestinationClaim {
  const path = `${destination}/${ownerName}`
  const owner = currentOwner()
  const process = owner?.split('/')[1]
  if (owner === undefined || process === undefined) {
    checkNoLivingOwner(destination)
    return { release: () => undefined }
  }
  const own = `${path}.${process}`
  guarded('writing', path, () => {
    for (let attempt = 1; !createOwner(path, own, owner); attempt++) {
      const found = readOwner(path)
      if (found === undefined) continue
      if (ownerIsAlive(found) || attempt >= maxAttempts) throw inProgress(destination)
      removeDead(path, own, found, destination)
    }
  })
  let held = true
  return {
    release: () => {
      if (held) guarded('removing', path, () => rmSync(path, { force: true }))
      held = false
    },
  }
}

/** Makes the file with its content in one step, if there is none; a file that is written after it was made looks dead at first. */
function createOwner(path: string, own: string, owner: string): boolean {
  try {
    writeFileSync(own, owner, { mode: 0o600 })
    linkSync(own, path)
    return true
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    if (!noLinks.has(errnoOf(error) ?? '')) throw error
  } finally {
    rmSync(own, { force: true })
  }
  try {
    writeFileSync(path, owner, { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    throw error
  }
}

function readOwner(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

function removeDead(path: string, own: string, dead: string, destination: string): void {
  try {
    renameSync(path, own)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return
    throw error
  }
  const moved = readFileSync(own, 'utf8')
  if (moved !== dead && !createOwner(path, own, moved)) throw inProgress(destination)
  rmSync(own, { force: true })
  if (moved !== dead) throw inProgress(destination)
}

/**
 * Looks whether another process restores into a folder right now.
 * @throws Fault `conflict` `RESTORE_IN_PROGRESS`.
 */
export function checkNoLivingOwner(destination: string): void {
  if (isOwned(`${destination}/${ownerName}`)) throw inProgress(destination)
}

/** Whether a living process made this owner's file. */
export function isOwned(path: string): boolean {
  try {
    return ownerIsAlive(readFileSync(path, 'utf8'))
  } catch {
    return false
  }
}

function inProgress(destination: string): Fault {
  return new Fault('conflict', 'RESTORE_IN_PROGRESS', `another restore is writing into ${destination} right now`, {
    context: { path: destination },
    hint: 'Wait for it, or restore into another folder.',
  })
}

/**
 * Names this process so that another one can tell whether it still runs: boot, process id and the moment it started,
 * from Linux's /proc. undefined where there is no /proc.
 */
export function currentOwner(): string | undefined {
  try {
    const pid = readlinkSync('/proc/self')
    return ownerOf(pid)
  } catch {
    return undefined
  }
}

/** Whether the process that `currentOwner` named still runs on this machine, in this process namespace. */
export function ownerIsAlive(owner: string): boolean {
  const pid = /^[^/]+\/(\d+)\//.exec(owner)?.[1]
  if (pid === undefined) return false
  try {
    return ownerOf(pid) === owner
  } catch {
    return false
  }
}

function ownerOf(pid: string): string {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // proc(5): the program's name is in parentheses and may hold anything; field 22 is the start time in ticks.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (fields[0] === 'Z' || fields[0] === 'X') return 'gone'
  return `${boot}/${pid}/${fields[19] ?? ''}`
}
