/** Work under way, never more of it than a limit. No failure is forgotten, whenever it comes, and none is unhandled. */
export interface BoundedTasks {
  /** Starts `work`, and waits while the limit is reached. @throws the first failure of any work so far. */
  add(work: () => Promise<void>): Promise<void>
  /** Waits for all of it. @throws the first failure of any work. */
  finish(): Promise<void>
}

/** Runs at most `limit` pieces of work at once. */
export function createBoundedTasks(limit: number): BoundedTasks {
  const running = new Set<Promise<void>>()
  let failure: { readonly error: unknown } | undefined
  const throwFailure = (): void => {
    if (failure !== undefined) throw failure.error
  }
  return {
    async add(work) {
      throwFailure()
      const task: Promise<void> = work()
        .catch((error: unknown) => void (failure ??= { error }))
        .finally(() => running.delete(task))
      running.add(task)
      if (running.size >= limit) await Promise.race(running)
      throwFailure()
    },
    async finish() {
      await Promise.all(running)
      throwFailure()
    },
  }
}
