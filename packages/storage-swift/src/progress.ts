import { watchForStall, type Sleep, type StallWatch } from '@waltz/storage'

/** Watches one request, but only while the network owes us something. */
export interface Progress extends StallWatch {
  /** From now on nobody waits for the network: a slow source or consumer is not a stalled connection. */
  rest(): void
  /** From now on we wait for the network. */
  expect(): void
}

/** What a progress watch is made from. */
export interface ProgressOptions {
  readonly idleMs: number
  readonly sleep: Sleep
  readonly doing: string
  readonly location: string
  readonly signal: AbortSignal | undefined
}

/** `watchForStall` for a request whose two ends belong to somebody else. */
export function watchProgress(options: ProgressOptions): Progress {
  let resting = false
  const watch: StallWatch = watchForStall({
    ...options,
    sleep: async (ms, signal) => {
      await options.sleep(ms, signal)
      if (resting) watch.progressed()
    },
  })
  return {
    ...watch,
    rest: () => void (resting = true),
    expect() {
      if (resting) watch.progressed()
      resting = false
    },
  }
}
