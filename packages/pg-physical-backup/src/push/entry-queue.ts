import { throwIfAborted } from '@waltz/errors'
import type { ClusterEntry } from './cluster-entry.ts'

/** Hands the entries of one walk to several lanes, each entry to one of them. */
export interface EntryQueue {
  /** The next entry without taking it, or undefined at the end. */
  peek(): ClusterEntry | undefined
  take(): ClusterEntry | undefined
}

/** A queue over a walk. Synchronous: the walk itself reads folders on demand, so nothing is held but the entry at hand. */
export function createEntryQueue(entries: Iterator<ClusterEntry, void, undefined>, signal: AbortSignal | undefined): EntryQueue {
  let head: ClusterEntry | undefined
  let ended = false
  const peek = (): ClusterEntry | undefined => {
    throwIfAborted(signal)
    if (head !== undefined || ended) return head
    const next = entries.next()
    if (next.done === true) ended = true
    else head = next.value
    return head
  }
  return {
    peek,
    take() {
      const entry = peek()
      head = undefined
      return entry
    },
  }
}
