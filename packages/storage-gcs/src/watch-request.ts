import type { ClientRequest } from 'node:http'
import type { Socket } from 'node:net'
import { unreachableFault, watchForStall, type StallWatch } from '@waltz/storage'
import type { HttpCall, HttpLine } from './http-call.ts'

/** The watches over a request until the head of its answer is there. */
export interface RequestWatches {
  /** The connection took bytes. */
  progressed(): void
  /** Harmless when called again. */
  stop(): void
  /** The fault of the watch that ended the request, if one did, otherwise `error`. */
  faultOf(error: unknown): unknown
}

/**
 * Destroys a request whose connection takes too long to come, or on which nothing moves. The time to connect does not run while the request waits
 * for a free connection of its agent, unless there is a proxy: its agents tell of a socket only when the tunnel stands.
 */
export function watchRequest(
  line: HttpLine,
  call: Pick<HttpCall, 'doing'>,
  { request, secure }: { readonly request: ClientRequest; readonly secure: boolean },
): RequestWatches {
  const connecting = new AbortController()
  let idle: StallWatch | undefined
  let over = false
  const startConnectTimer = (): void => {
    const late = (): void => {
      const why = 'no connection within the time allowed'
      if (!connecting.signal.aborted) request.destroy(unreachableFault({ doing: call.doing, location: line.location }, why))
    }
    line.sleep(line.connectTimeoutMs, connecting.signal).then(late, () => undefined) // ended: the connection is there, or the request over
  }
  const connected = (): void => {
    connecting.abort()
    if (over) return
    idle = watchForStall({ ...stallOf(line, call), signal: undefined })
    idle.signal.addEventListener('abort', () => request.destroy(idle?.signal.reason as Error), { once: true })
  }
  if (line.agents.proxied) startConnectTimer()
  request.once('socket', (socket: Socket) => {
    if (!socket.connecting) return connected()
    if (!line.agents.proxied) startConnectTimer()
    socket.once(secure ? 'secureConnect' : 'connect', connected)
  })
  return {
    progressed: () => idle?.progressed(),
    stop() {
      over = true
      connecting.abort()
      idle?.stop()
    },
    faultOf: (error) => idle?.faultOf(error) ?? error,
  }
}

/** For `watchForStall`. */
export function stallOf(line: HttpLine, { doing }: Pick<HttpCall, 'doing'>): Omit<Parameters<typeof watchForStall>[0], 'signal'> {
  return { idleMs: line.idleTimeoutMs, sleep: line.sleep, doing, location: line.location }
}
