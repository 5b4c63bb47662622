import { Fault } from '@waltz/errors'
import { waitAtMost, type Sleep } from './sleep.ts'

/** What an upload left in a store because it could not be removed. */
export interface Leftover {
  /** Of the object that was to be stored. */
  readonly key: string
  readonly error: unknown
}

/** Clean-ups of uploads that came to nothing, which may outlive the call that began them. */
export interface Removals {
  /**
   * Runs `remove` and waits for it: to its end, or `limitMs` at most when that is given; then it goes on by itself. Never rejects: what
   * could not be removed is told.
   */
  run(key: string, remove: () => Promise<void>, limitMs?: number): Promise<void>
  /** Waits for what still goes on, a second at most, and tells what did not end: for the end of a store. */
  close(): Promise<void>
}

/** How long the end of a store is held up. */
const LAST_REMOVALS_MS = 1_000

/** Keeps the removals of one store, so that an aborted call need not wait for a dead network and nothing that stays is lost sight of. */
export function createRemovals({
  sleep,
  onLeftover,
}: {
  readonly sleep: Sleep
  readonly onLeftover?: ((leftover: Leftover) => void) | undefined
}): Removals {
  /** What is under way, and what it removes. Each is told once: whoever takes it out tells it. */
  const underWay = new Map<Promise<void>, string>()
  const tell = (removal: Promise<void>, error: unknown): void => {
    const key = underWay.get(removal)
    if (key !== undefined && underWay.delete(removal)) onLeftover?.({ key, error })
  }
  return {
    async run(key, remove, limitMs) {
      const removal: Promise<void> = new Promise<void>((resolve) => resolve(remove())).then(
        () => void underWay.delete(removal),
        (error: unknown) => tell(removal, error),
      )
      underWay.set(removal, key)
      await (limitMs === undefined ? removal : waitAtMost(removal, limitMs, sleep))
    },
    async close() {
      await waitAtMost(Promise.all(underWay.keys()), LAST_REMOVALS_MS, sleep)
      for (const [removal, key] of underWay) tell(removal, unfinishedFault(key))
    },
  }
}

function unfinishedFault(key: string): Fault {
  return new Fault(
    'unavailable',
    'STORAGE_STALLED',
    `the removal of what is left of an upload of ${key} had not ended when the storage was closed`,
    {
      hint: 'the network or the storage does not answer; look for unfinished uploads when it does again',
      context: { key },
    },
  )
}
