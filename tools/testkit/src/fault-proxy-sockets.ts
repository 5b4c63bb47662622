import { readFileSync } from 'node:fs'

/** ESTABLISHED, SYN_SENT and CLOSE_WAIT (01, 02, 08): whoever holds this end has not closed it. Ports are in hexadecimal. */
const HELD = /: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:([0-9A-F]{4}) 0[128] /g

/** How often the kernel is asked whether clients of connections that stand still are there yet. */
const LOOK_MS = 40

/** Local ports of connections by the port that they lead to. */
type Ends = ReadonlyMap<number, ReadonlySet<number>>

/** A client from which nothing is read any more. */
export interface StillClient {
  /** What it is connected to. */
  readonly port: number
  readonly ownPort: number
  /** Called once, when it has closed its end. */
  gone(): void
}

const still = new Set<StillClient>()
let watch: NodeJS.Timeout | undefined

/**
 * The local ports, of connections to `port` on this machine, whose own end is still held open. A proxy that has stopped reading from a
 * client is not told when the client goes away; the kernel knows. Undefined where it cannot be asked (no Linux).
 */
export function heldEnds(port: number): ReadonlySet<number> | undefined {
  const ends = readEnds()
  return ends === undefined ? undefined : (ends.get(port) ?? new Set())
}

/** Looks after a client until it is gone or the returned function is called. One look serves all clients: asking takes milliseconds. */
export function whenGone(client: StillClient): () => void {
  still.add(client)
  watch ??= setInterval(look, LOOK_MS).unref()
  return () => forget(client)
}

function forget(client: StillClient): void {
  still.delete(client)
  if (still.size > 0) return
  clearInterval(watch)
  watch = undefined
}

function look(): void {
  const ends = readEnds()
  if (ends === undefined) return
  for (const client of still) {
    if (ends.get(client.port)?.has(client.ownPort) === true) continue
    forget(client)
    client.gone()
  }
}

function readEnds(): Ends | undefined {
  const ends = new Map<number, Set<number>>()
  let asked = false
  for (const path of ['/proc/net/tcp', '/proc/net/tcp6']) {
    let table: string
    try {
      table = readFileSync(path, 'latin1')
    } catch {
      continue
    }
    asked = true
    for (const [, local = '', remote = ''] of table.matchAll(HELD)) {
      const port = Number.parseInt(remote, 16)
      const seen = ends.get(port) ?? new Set()
      ends.set(port, seen.add(Number.parseInt(local, 16)))
    }
  }
  return asked ? ends : undefined
}
