import { readFileSync, readlinkSync } from 'node:fs'

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
