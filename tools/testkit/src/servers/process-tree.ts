import { readdirSync, readFileSync } from 'node:fs'

/** A process and everything that it has started and that still descends from it, itself first. */
export function withDescendants(pid: number): readonly number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    const parent = /^\d+$/.test(name) ? parentOf(Number(name)) : undefined
    if (parent === undefined) continue
    const known = children.get(parent)
    if (known === undefined) children.set(parent, [Number(name)])
    else known.push(Number(name))
  }
  const found = [pid]
  for (const one of found) found.push(...(children.get(one) ?? []))
  return found
}

/** Whether any thread of a process still runs: its sockets are closed with the last one, not with the first. */
export function isAlive(pid: number): boolean {
  return threadsOf(pid).some((thread) => {
    const state = statFields(`${pid}/task/${thread}`)?.[0]
    return state !== undefined && state !== 'Z' && state !== 'X'
  })
}

/** Kills a process by its id; one that is gone already is no problem. */
export function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended meanwhile.
  }
}

function threadsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
}

function parentOf(pid: number): number | undefined {
  const parent = statFields(String(pid))?.[1]
  return parent === undefined ? undefined : Number(parent)
}

/** What follows the name of the program in /proc/.../stat: state, parent and so on. */
function statFields(place: string): readonly string[] | undefined {
  try {
    const text = readFileSync(`/proc/${place}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}
