import { throwIfAborted } from '@waltz/errors'
import type { ClusterEntry } from './cluster-entry.ts'

/** Hands the entries of one walk to several lanes, each entry to one of them. */
export interface EntryQueue {
  /** The next entry without taking it, or undefined at the end. */
  peek(): ClusterEntry | undefined
  take(): ClusterEntry | undefined
  /** Ends the walk and frees what it holds open; there are no entries after it. */
  close(): void
}

/**
 * A queue over a walk. Synchronous: the walk itself reads folders on demand, so nothing is held but the entry at hand. A failure of
 * the walk is told to everyone who asks, so that no lane takes it for the end.
 */
export function createEntryQueue(entries: Iterator<ClusterEntry, void, undefined>, signal: AbortSignal | undefined): EntryQueue {
  let head: ClusterEntry | undefined
  let ended = false
  let failure: { readonly error: unknown } | undefined
  const next = (): IteratorResult<ClusterEntry, void> => {
    try {
      return entries.next()
    } catch (error) {
      failure = { error }
      throw error
    }
  }
  const peek = (): ClusterEntry | undefined => {
    throwIfAborted(signal)
    if (failure !== undefined) throw failure.error
    if (head !== undefined || ended) return head
    const found = next()
    if (found.done === true) ended = true
    else head = found.value
    return head
  }
  return {
    peek,
    take() {
      const entry = peek()
      head = undefined
      return entry
    },
    close() {
      ended = true
      head = undefined
      entries.return?.()
    },
  }
}

/** The entries of one part: one that was taken already, then what the queue has. */
export function beginningWith(first: ClusterEntry, queue: EntryQueue): Pick<EntryQueue, 'take'> {
  let held: ClusterEntry | undefined = first
  return {
    take() {
      const entry = held ?? queue.take()
      held = undefined
      return entry
    },
  }
}
