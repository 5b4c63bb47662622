import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { connect, createServer } from 'node:net'

/** Ports of 127.0.0.1 that nobody uses right now, all different. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const held = await Promise.all(Array.from({ length: count }, hold))
  await Promise.all(held.map(({ release }) => release()))
  return held.map(({ port }) => port)
}

function hold(): Promise<{ readonly port: number; release(): Promise<void> }> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      resolve({ port, release: () => new Promise((done) => server.close(() => done())) })
    })
  })
}

/** Whether something on 127.0.0.1 accepts connections on a port. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const finish = (outcome: boolean): void => {
      socket.destroy()
      resolve(outcome)
    }
    socket.once('connect', () => finish(true))
    socket.once('error', () => finish(false))
  })
}

/** TCP ports that a process listens on, over IPv4; undefined when the system does not let us see its sockets. */
export function listeningPorts(pid: number): readonly number[] | undefined {
  const own = socketInodes(pid)
  if (own === undefined) return undefined
  const rows = readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)
  return rows.flatMap((row) => {
    const [, local = '', , state, , , , , , inode = ''] = row.trim().split(/\s+/)
    return state === '0A' && own.has(inode) ? [Number.parseInt(local.slice(local.indexOf(':') + 1), 16)] : []
  })
}

function socketInodes(pid: number): ReadonlySet<string> | undefined {
  try {
    const names = readdirSync(`/proc/${pid}/fd`)
    return new Set(names.flatMap((name) => inodeOf(`/proc/${pid}/fd/${name}`)))
  } catch {
    return undefined
  }
}

function inodeOf(path: string): readonly string[] {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(path))?.[1]
    return inode === undefined ? [] : [inode]
  } catch {
    return []
  }
}
