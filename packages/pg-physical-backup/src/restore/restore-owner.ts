import { readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { Fault } from '@waltz/errors'
import { errnoOf, guarded } from './local-fault.ts'
import { ownerName } from './marker.ts'

/** The right to write into a folder; releasing it twice is harmless. */
export interface DestinationClaim {
  readonly release: () => void
}

/**
 * Makes this process the one that restores into a folder, until it lets go or ends in whatever way. A file of its own,
 * because removing one works on a full disk too, while rewriting the marker does not.
 * @throws Fault `conflict` `RESTORE_IN_PROGRESS` when another living process has the folder.
 */
export function claimDestination(destination: string): DestinationClaim {
  const path = `${destination}/${ownerName}`
  const owner = currentOwner()
  checkNoLivingOwner(destination)
  if (owner === undefined) return { release: () => undefined }
  guarded('writing', path, () => {
    rmSync(path, { force: true })
    try {
      writeFileSync(path, owner, { flag: 'wx', mode: 0o600 })
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') throw inProgress(destination)
      throw error
    }
  })
  return { release: () => guarded('removing', path, () => rmSync(path, { force: true })) }
}

/**
 * Looks whether another process restores into a folder right now.
 * @throws Fault `conflict` `RESTORE_IN_PROGRESS`.
 */
export function checkNoLivingOwner(destination: string): void {
  let owner: string
  try {
    owner = readFileSync(`${destination}/${ownerName}`, 'utf8')
  } catch {
    return
  }
  if (ownerIsAlive(owner)) throw inProgress(destination)
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
