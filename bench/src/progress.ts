/** Says on standard error what is being measured and how long the rest takes. */
export interface Progress {
  /** One line that stays. */
  say(text: string): void
  /** What happens now; on a terminal the next one takes its place. */
  now(text: string): void
  /** Takes a `now` line away. */
  done(): void
}

/** In a log, one line in so much time is enough. */
const LOG_PAUSE_MS = 5000

/** Progress on a stream; `terminal` decides whether lines may be replaced. */
export function createProgress(write: (text: string) => void, terminal: boolean): Progress {
  const clear = terminal ? '\r\u001B[K' : ''
  let sinceMs = Number.NEGATIVE_INFINITY
  return {
    say: (text) => write(`${clear}${text}\n`),
    now: (text) => {
      if (terminal) write(`${clear}${text.slice(0, 150)}`)
      else if (performance.now() - sinceMs > LOG_PAUSE_MS) {
        sinceMs = performance.now()
        write(`${text}\n`)
      }
    },
    done: () => write(clear),
  }
}

/** `4 min 10 s`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`
}

/** Guesses the time left: what is left of the guesses, corrected by how wrong the finished ones were. */
export function secondsLeft(state: { readonly elapsed: number; readonly expectedDone: number; readonly expectedLeft: number }): number {
  const correction = state.expectedDone < 5 ? 1 : Math.min(5, Math.max(0.2, state.elapsed / state.expectedDone))
  return state.expectedLeft * correction
}
