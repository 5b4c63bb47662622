import { readFileSync } from 'node:fs'

/** ESTABLISHED, SYN_SENT and CLOSE_WAIT: whoever holds this end has not closed it. */
const HELD = new Set(['01', '02', '08'])

/**
 * The local ports, of connections to `port` on this machine, whose own end is still held open. A proxy that has stopped reading from a
 * client is not told when the client goes away; the kernel knows. Undefined where it cannot be asked (no Linux).
 */
export function heldEnds(port: number): ReadonlySet<number> | undefined {
  const held = new Set<number>()
  let asked = false
  for (const path of ['/proc/net/tcp', '/proc/net/tcp6']) {
    let table: string
    try {
      table = readFileSync(path, 'latin1')
    } catch {
      continue
    }
    asked = true
    for (const line of table.split('\n').slice(1)) {
      const [, local, remote, state = ''] = line.trim().split(/\s+/)
      if (HELD.has(state) && portOf(remote) === port) held.add(portOf(local))
    }
  }
  return asked ? held : undefined
}

function portOf(address: string | undefined): number {
  return Number.parseInt(address?.split(':')[1] ?? '', 16)
}
