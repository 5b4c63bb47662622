/** Watches how much memory a tree of processes has resident. */
import { childrenOf, peakResident } from './read-proc.ts'

/** Between two looks: at first short programs must not slip through, later a long one must not be disturbed. */
const EARLY_PAUSE_MS = 4
const PAUSE_MS = 20
const EARLY_MS = 200

export interface TreeWatch {
  /** Ends the watch: the largest sum over the processes that lived at the same time, in bytes. */
  stop(): number
}

/**
 * Watches everything below `root` (not `root` itself). Sums what each living process had resident at most since it began, so
 * that a peak between two looks is not missed. Shared pages count for each process that has them.
 */
export function watchTree(root: number): TreeWatch {
  const began = performance.now()
  let peak = 0
  let timer: NodeJS.Timeout | undefined
  const look = (): void => {
    let sum = 0
    const pending = [...childrenOf(root)]
    for (let pid = pending.pop(); pid !== undefined; pid = pending.pop()) {
      sum += peakResident(pid)
      pending.push(...childrenOf(pid))
    }
    peak = Math.max(peak, sum)
    timer = setTimeout(look, performance.now() - began < EARLY_MS ? EARLY_PAUSE_MS : PAUSE_MS)
  }
  look()
  return {
    stop: () => {
      clearTimeout(timer)
      return peak
    },
  }
}
