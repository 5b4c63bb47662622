/** A clock that stands still until it is told otherwise. */
export interface FixedClock {
  readonly now: () => Date
  /** Resolves at once; the clock has moved on. Rejects with the signal's reason when it has fired. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>
  advance(ms: number): void
  /** Milliseconds slept and advanced since the start. */
  elapsedMs(): number
}

/** A clock that starts at `start`, by default noon of the first day of 2026 in UTC. */
export function fixedClock(start: Date | string = '2026-01-01T12:00:00Z'): FixedClock {
  const begin = new Date(start).getTime()
  let present = begin
  return {
    now: () => new Date(present),
    sleep: async (ms, signal) => {
      signal?.throwIfAborted()
      present += ms
    },
    advance: (ms) => {
      present += ms
    },
    elapsedMs: () => present - begin,
  }
}
