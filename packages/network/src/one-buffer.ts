import type { Agent } from 'node:http'
import type { NetConnectOpts, Socket } from 'node:net'

/** As much as one read takes from the system. Only pages that were ever filled take memory. */
const RECEIVE_BYTES = 262_144

/**
 * Lets the connections of an agent receive into one buffer each, again and again, instead of a new one of 64 KiB for every read: Node's
 * parser of HTTP copies the bodies out of it anyway, and memory that only the garbage collector frees keeps that busy in a download.
 * Works for connections that the agent makes itself, with TLS or without. Returns the agent.
 */
export function receiveIntoOneBuffer<Connecting extends Agent>(agent: Connecting): Connecting {
  const connect = agent.createConnection.bind(agent)
  agent.createConnection = (options, callback) => {
    let socket: Socket | undefined
    const onread: NetConnectOpts['onread'] = {
      buffer: Buffer.allocUnsafeSlow(RECEIVE_BYTES),
      callback(count, buffer) {
        // Where nobody listens no answer is due: what comes all the same must not be taken for the next one.
        if (socket?.emit('data', buffer.subarray(0, count)) === false) socket.destroy()
        return true
      },
    }
    const made = connect({ ...options, onread } as typeof options, callback)
    socket = made as Socket
    return made
  }
  return agent
}
