import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { FaultyNetwork, NetworkFault } from '@waltz/storage/conformance'
import { watchRequests } from './fault-proxy-requests.ts'
import { heldEnds, whenGone } from './fault-proxy-sockets.ts'

/** A network between clients and one server that fails as it is told. Clients connect to `port` of 127.0.0.1. */
export interface FaultProxy extends FaultyNetwork {
  readonly port: number
  /** Ends everything. */
  close(): Promise<void>
}

/** Where the proxy leads. */
export interface FaultProxyOptions {
  readonly target: { readonly host: string; readonly port: number }
}

type Direction = 'upload' | 'download'

/** One client's connection and ours to the server. */
interface Connection {
  readonly client: Socket
  /** Undefined when the client is met with silence. */
  readonly server: Socket | undefined
  /** Since the fault was set. */
  readonly carried: Record<Direction, number>
  /** By the fault that is set now. */
  struck: boolean
  /** Nothing moves any more until the client goes away, whatever is set next: see `stick`. */
  stuck: boolean
  /** What the server says is dropped. */
  mute: boolean
}

/** The fault that is set, and how often it may still strike. */
interface Fate {
  readonly fault: NetworkFault | undefined
  left: number
  struck: number
}

const HOST = '127.0.0.1'
const TURNS_BEFORE_RESET = 4
/** A slow connection gives its bytes in pieces, so often. */
const SLOW_STEP_MS = 20

/**
 * Opens a TCP proxy to `target` on a free port of the loopback address, for any protocol. A connection that was stalled, silenced or robbed of an answer stays so
 * until its client closes it; all other faults end when another is set. `refuse` closes the port, and resets what is open; with
 * `times` it must count, so the connections are accepted and reset at once.
 */
export async function createFaultProxy({ target }: FaultProxyOptions): Promise<FaultProxy> {
  const connections = new Set<Connection>()
  let fate: Fate = { fault: undefined, left: 0, struck: 0 }

  const accept = (client: Socket): void => {
    client.on('error', () => undefined) // 'close' follows
    if (fate.fault?.kind === 'refuse' && strike(fate)) {
      client.resetAndDestroy()
      return
    }
    const silent = fate.fault?.kind === 'silence' && strike(fate)
    const server = silent ? undefined : connect({ ...target, noDelay: true, allowHalfOpen: true })
    const connection: Connection = { client, server, carried: { upload: 0, download: 0 }, struck: silent, stuck: false, mute: false }
    connections.add(connection)
    if (silent) stick(connection)
    client.on('close', () => {
      connections.delete(connection)
      server?.destroy()
    })
    if (server === undefined) client.on('data', () => undefined).on('end', () => client.destroy())
    else join(connection, server, () => fate)
  }
  const first = await listen(accept, 0)
  const { port } = first.address() as AddressInfo
  /** Undefined while connections are refused. */
  let listener: Server | undefined = first

  return {
    port,
    set(fault) {
      fate = { fault, left: fault?.times ?? Infinity, struck: 0 }
      // One that its client has closed already, unseen so far, is none that can be hit.
      const held = fault?.kind === 'refuse' || fault?.kind === 'silence' ? heldEnds(port) : undefined
      for (const connection of connections) {
        Object.assign(connection, { struck: false, carried: { upload: 0, download: 0 } })
        if (connection.stuck || held?.has(connection.client.remotePort ?? 0) === false) continue
        if (fault?.kind === 'refuse' && strike(fate)) connection.client.resetAndDestroy()
        if (fault?.kind === 'silence' && strike(fate)) {
          connection.struck = true
          stick(connection)
        }
      }
      const closed = fault?.kind === 'refuse' && fault.times === undefined
      if (closed) listener?.close()
      else listener ??= listenAgain(accept, port)
      if (closed) listener = undefined
    },
    dropConnections() {
      for (const { client, stuck, mute } of connections) if (!stuck && !mute) client.resetAndDestroy()
    },
    openConnections() {
      const held = heldEnds(port)
      const open = [...connections].filter(({ client }) => !client.destroyed && !client.readableEnded)
      return open.filter(({ client }) => held?.has(client.remotePort ?? 0) !== false).length
    },
    struck: () => fate.struck,
    async close() {
      const closing = new Promise<void>((resolve) => (listener === undefined ? resolve() : listener.close(() => resolve())))
      for (const { client } of connections) client.destroy()
      await closing
    },
  }
}

/** Stops everything on a connection until the kernel tells that its client is gone. */
function stick(connection: Connection): void {
  const { client } = connection
  const { localPort: port = 0, remotePort: ownPort = 0 } = client
  connection.stuck = true
  client.once('close', whenGone({ port, ownPort, gone: () => client.destroy() }))
}

/** Whether the fault hits once more. */
function strike(fate: Fate): boolean {
  if (fate.left <= 0) return false
  fate.left -= 1
  fate.struck += 1
  return true
}

function listenAgain(accept: (client: Socket) => void, port: number): Server {
  // Listening begins before anything that is started after this call can connect.
  return createServer({ allowHalfOpen: true, noDelay: true }, accept).listen(port, HOST)
}

async function listen(accept: (client: Socket) => void, port: number): Promise<Server> {
  const server = listenAgain(accept, port)
  await new Promise<void>((resolve, reject) => server.once('listening', resolve).once('error', reject))
  return server
}

/** Carries bytes in both directions, as the fault allows. */
function join(connection: Connection, server: Socket, fateNow: () => Fate): void {
  const { client } = connection
  const requests = watchRequests((line) => {
    const fate = fateNow()
    const { fault } = fate
    if (fault?.kind !== 'answer' && fault?.kind !== 'lose-answer') return undefined
    if (fault.matching?.test(line) === false || !strike(fate)) return undefined
    if (fault.kind === 'answer') return fault
    connection.mute = true
    return undefined
  })
  const upload = async (bytes: Buffer): Promise<void> => {
    for (const action of requests.feed(bytes)) {
      if (action.kind === 'forward') await write(server, action.bytes)
      else {
        await write(client, action.bytes)
        if (action.last) client.end()
      }
    }
  }
  carry({ connection, from: client, direction: 'upload', deliver: upload, fateNow })
  carry({ connection, from: server, direction: 'download', deliver: (bytes) => write(client, bytes), fateNow })
  client.on('end', () => (connection.stuck ? client.destroy() : server.end()))
  server.on('end', () => client.end())
  server.on('error', () => (connection.stuck ? undefined : client.resetAndDestroy()))
  server.on('close', () => client.destroySoon())
}

interface Lane {
  readonly connection: Connection
  readonly from: Socket
  readonly direction: Direction
  readonly deliver: (bytes: Buffer) => Promise<void>
  readonly fateNow: () => Fate
}

function carry(lane: Lane): void {
  const { connection, from } = lane
  const carryAll = async (bytes: Buffer): Promise<void> => {
    let rest = bytes
    while (rest.length > 0 && !connection.stuck && !connection.client.destroyed) rest = await carrySome(lane, rest)
    if (!connection.stuck) from.resume()
  }
  from.on('data', (bytes: Buffer) => {
    from.pause() // one chunk after the other, and none while the other end is full
    carryAll(bytes).catch(() => connection.client.destroy())
  })
}

/** Delivers the next bytes; gives those that are to be looked at again. */
async function carrySome(lane: Lane, bytes: Buffer): Promise<Buffer> {
  const { connection, direction } = lane
  const fate = lane.fateNow()
  const { fault } = fate
  // Leave to send the body must pass: without it the request would never be whole.
  if (connection.mute && direction === 'download' && !/^HTTP\/1\.1 1\d\d /.test(bytes.toString('latin1', 0, 13))) return Buffer.alloc(0)
  if (fault?.kind === 'slow') return carrySlowly(lane, bytes, fate)
  const limit = fault !== undefined && 'afterBytes' in fault && fault.kind.endsWith(direction) ? fault.afterBytes : Infinity
  const before = Math.max(0, limit - connection.carried[direction])
  if (before >= bytes.length || connection.struck) return deliver(lane, bytes, bytes.length)
  if (before > 0) return deliver(lane, bytes, before)
  if (!strike(fate)) return deliver(lane, bytes, bytes.length)
  connection.struck = true
  return hit(lane, bytes, fault?.kind)
}

/** What a fault does at the byte that it was set for. */
async function hit({ connection }: Lane, bytes: Buffer, kind: NetworkFault['kind'] | undefined): Promise<Buffer> {
  switch (kind) {
    case 'flip-upload':
    case 'flip-download':
      return flipped(bytes)
    case 'reset-upload':
      connection.client.resetAndDestroy()
      break
    case 'reset-download':
      // Otherwise the bytes before it might be lost too: a client that is told of the reset first throws away what it has not read.
      await turns(TURNS_BEFORE_RESET)
      connection.client.resetAndDestroy()
      break
    case 'cut-download':
      connection.client.destroySoon()
      break
    default:
      stick(connection)
  }
  return Buffer.alloc(0)
}

/** Each leaves whoever shares this event loop time to read what has come. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setTimeout(resolve, 5))
}

function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  copy[0] = (copy[0] ?? 0) ^ 0x10
  return copy
}

async function carrySlowly(lane: Lane, bytes: Buffer, fate: Fate): Promise<Buffer> {
  const { connection } = lane
  const { fault } = fate
  if (!connection.struck && !strike(fate)) return deliver(lane, bytes, bytes.length)
  connection.struck = true
  const rate = fault?.kind === 'slow' ? fault.bytesPerSecond : Infinity
  const step = Math.max(1, Math.round((rate * SLOW_STEP_MS) / 1000))
  const taken = Math.min(step, bytes.length)
  await new Promise((resolve) => setTimeout(resolve, (taken / rate) * 1000))
  return deliver(lane, bytes, taken)
}

async function deliver({ connection, direction, deliver }: Lane, bytes: Buffer, count: number): Promise<Buffer> {
  connection.carried[direction] += count
  await deliver(bytes.subarray(0, count))
  return bytes.subarray(count)
}

/** Resolves when the socket wants more, or is gone. */
function write(to: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    if (to.destroyed || to.writableEnded || to.write(bytes)) {
      resolve()
      return
    }
    const done = (): void => {
      to.off('drain', done).off('close', done)
      resolve()
    }
    to.on('drain', done).on('close', done)
  })
}
