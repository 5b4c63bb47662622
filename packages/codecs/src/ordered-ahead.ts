/** What the reading side and the yielding side of `orderedAhead` share. */
interface Progress<Result> {
  readonly jobs: Promise<Result>[]
  /** Jobs started and not yet yielded. */
  running: number
  stopped: boolean
  pumpEnded: boolean
  sourceDone: boolean
  failure?: { readonly error: unknown }
  /** Wakes the yielding side. */
  arrival?: (() => void) | undefined
  /** Wakes the reading side. */
  room?: (() => void) | undefined
}

/**
 * Starts work on each item of `source` as it arrives, at most `inFlight` at a time counting finished results that
 * nobody took yet, and yields the results in the order of the items. A failure, of the source or of a job, arrives in
 * order too. When the consumer stops, the source is closed and running jobs are waited for.
 */
export async function* orderedAhead<Item, Result>(
  source: AsyncIterable<Item>,
  inFlight: number,
  start: (item: Item) => Promise<Result>,
): AsyncGenerator<Result, void, undefined> {
  const iterator = source[Symbol.asyncIterator]()
  const progress: Progress<Result> = { jobs: [], running: 0, stopped: false, pumpEnded: false, sourceDone: false }
  const pumping = pump(iterator, inFlight, { start, progress })
  try {
    for (;;) {
      const job = progress.jobs.shift()
      if (job !== undefined) {
        const result = await job
        progress.running -= 1
        progress.room?.()
        yield result
      } else if (progress.pumpEnded) {
        if (progress.failure !== undefined) throw progress.failure.error
        return
      } else {
        await new Promise<void>((resolve) => (progress.arrival = resolve))
      }
    }
  } finally {
    progress.stopped = true
    progress.room?.()
    await pumping
    if (!progress.sourceDone) await iterator.return?.()
    await Promise.allSettled(progress.jobs)
  }
}

/** Reads items and starts jobs while there is room. Never rejects: a failure is left for the yielding side. */
async function pump<Item, Result>(
  iterator: AsyncIterator<Item>,
  inFlight: number,
  work: { readonly start: (item: Item) => Promise<Result>; readonly progress: Progress<Result> },
): Promise<void> {
  const { start, progress } = work
  try {
    for (;;) {
      while (progress.running >= inFlight && !progress.stopped) await new Promise<void>((resolve) => (progress.room = resolve))
      if (progress.stopped) return
      progress.sourceDone = true // stays so when next() throws: a failed iterator is not closed again
      const next = await iterator.next()
      if (next.done === true) return
      progress.sourceDone = false
      const job = start(next.value)
      job.catch(() => undefined) // its failure is reported when its turn comes
      progress.jobs.push(job)
      progress.running += 1
      progress.arrival?.()
    }
  } catch (error) {
    progress.failure = { error }
  } finally {
    progress.pumpEnded = true
    progress.arrival?.()
  }
}
