import { isFault } from '@waltz/errors'
import { untilAborted } from '@waltz/storage'
import { closedFault, type Doing } from './errors.ts'
import { DEFAULT_SSH_CONNECTIONS, type SshStoreOptions } from './options.ts'
import { openSession, type Session } from './session.ts'

/** A session that is used by one call, among others. */
export interface Lease {
  readonly session: Session
  /** Must be called once the call is over; harmless when called again. */
  readonly release: () => void
}

/** The connections of one store. */
export interface SessionPool {
  /**
   * A session: one that nobody uses, else a new connection while there are fewer than allowed, else the one with the fewest users.
   * Connections that are gone are replaced.
   */
  lease(at: Doing, signal: AbortSignal | undefined): Promise<Lease>
  close(): Promise<void>
}

interface Slot {
  readonly session: Promise<Session>
  opened: Session | undefined
  users: number
}

/** How long the server may take to say goodbye. */
const FAREWELL_MS = 1_000

/** Makes a pool; connects when it is asked for a session. */
export function createSessionPool(options: SshStoreOptions, location: string): SessionPool {
  const { connections = DEFAULT_SSH_CONNECTIONS, sleep } = options
  const slots = new Set<Slot>()
  const retired = new Set<Slot>()
  /** A server that takes no more connections than this one time said so; asked again once all are gone. */
  let most = connections
  const closing = new AbortController()

  const open = (at: Doing): Slot => {
    const slot: Slot = { session: openSession(options, at, closing.signal), opened: undefined, users: 0 }
    slots.add(slot)
    slot.session.then(
      (session) => {
        slot.opened = session
        if (closing.signal.aborted) session.destroy()
      },
      () => void slots.delete(slot),
    )
    return slot
  }
  const choose = (at: Doing): Slot => {
    sortOut(slots, retired)
    if (slots.size === 0) most = connections
    const best = leastUsed(slots)
    return best !== undefined && (best.users === 0 || slots.size >= most) ? best : open(at)
  }
  const release = (slot: Slot): void => {
    slot.users -= 1
    if (slot.users === 0 && retired.delete(slot)) slot.opened?.destroy()
  }

  return {
    async lease(at, signal) {
      for (;;) {
        if (closing.signal.aborted) throw closedFault(at)
        const slot = choose(at)
        slot.users += 1
        try {
          const session = await untilAborted(slot.session, signal)
          return leaseOf(session, () => release(slot))
        } catch (error) {
          release(slot)
          // One connection more than the server takes (MaxStartups, a limit per user) must not fail a call that another can serve.
          const others = [...slots].filter((other) => other.opened?.isOpen() === true)
          if (others.length === 0 || !isFault(error, 'unavailable') || signal?.aborted === true) throw error
          most = others.length
        }
      }
    },
    async close() {
      closing.abort(closedFault({ doing: 'a request', location }))
      const open = [...slots]
      slots.clear()
      for (const { opened } of retired) opened?.destroy()
      const timer = new AbortController()
      const late = sleep(FAREWELL_MS, timer.signal).catch(() => undefined)
      await Promise.all(open.map((slot) => farewell(slot, late)))
      timer.abort()
    },
  }
}

/** Removes what is gone. On a doubtful connection others may still wait; nobody new does. */
function sortOut(slots: Set<Slot>, retired: Set<Slot>): void {
  for (const slot of slots) {
    const { opened } = slot
    if (opened === undefined || (opened.isOpen() && !opened.isDoubtful())) continue
    slots.delete(slot)
    if (slot.users === 0) opened.destroy()
    else retired.add(slot)
  }
}

function leastUsed(slots: ReadonlySet<Slot>): Slot | undefined {
  let best: Slot | undefined
  for (const slot of slots) if (best === undefined || slot.users < best.users) best = slot
  return best
}

function leaseOf(session: Session, onRelease: () => void): Lease {
  let released = false
  return {
    session,
    release() {
      if (released) return
      released = true
      onRelease()
    },
  }
}

/** A connection that is still being made is broken off by its signal. */
async function farewell({ opened }: Slot, late: Promise<unknown>): Promise<void> {
  if (opened === undefined) return
  await Promise.race([opened.end(), late])
  opened.destroy()
}
