import type { StorageEvent } from './storage-context.ts'

/** Hands events of storages to whoever listens at the moment, and keeps a few for the first who does. */
export interface StorageEvents {
  readonly report: (event: StorageEvent) => void
  /** Adds a listener; disposing of the result removes it. */
  listen(listener: (event: StorageEvent) => void): Disposable
}

const MOST_KEPT = 100

/** `always` hears everything; the others only what happens while they listen, and what nobody had heard before. */
export function createStorageEvents(always?: (event: StorageEvent) => void): StorageEvents {
  const listeners = new Set<(event: StorageEvent) => void>()
  const unheard: StorageEvent[] = []
  return {
    report(event) {
      always?.(event)
      for (const listener of listeners) listener(event)
      if (always === undefined && listeners.size === 0 && unheard.length < MOST_KEPT) unheard.push(event)
    },
    listen(listener) {
      listeners.add(listener)
      for (const event of unheard.splice(0)) listener(event)
      return { [Symbol.dispose]: () => void listeners.delete(listener) }
    },
  }
}
