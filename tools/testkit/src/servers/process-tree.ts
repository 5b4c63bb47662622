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

/**
 * Kills a process and everything that descends from it, and returns their ids. They are halted first, over and over until no new one
 * shows: what is killed between two looks could have started another one meanwhile, and that one would live on.
 */
export function killTree(pid: number): readonly number[] {
  const halted = new Set<number>()
  for (let before = -1; before < halted.size;) {
    before = halted.size
    for (const one of withDescendants(pid)) {
      if (halted.has(one)) continue
      send(one, 'SIGSTOP')
      halted.add(one)
    }
  }
  for (const one of halted) send(one, 'SIGKILL')
  return [...halted]
}

/** Sends a signal to a process; one that is gone already is no problem. */
function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
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
