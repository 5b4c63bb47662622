/** Consecutive segments of one timeline that are archived, both ends included. */
export interface WalRun {
  readonly first: number
  readonly last: number
  /** When the last one was stored: all that is in it was committed before. */
  readonly lastStoredAt: Date
}

/** Puts the segments of one timeline together as they come; they come in order but for rare exceptions. */
export interface RunBuilder {
  add(segment: number, storedAt: Date): void
  runs(): readonly WalRun[]
}

/** Holds one record for each run, not for each segment. */
export function createRunBuilder(): RunBuilder {
  const done: WalRun[] = []
  let open: { first: number; last: number; lastStoredAt: Date } | undefined
  return {
    add(segment, storedAt) {
      if (open !== undefined && segment === open.last + 1) {
        open.last = segment
        open.lastStoredAt = storedAt
      } else if (open !== undefined && segment === open.last) {
        // Stored twice, under two extensions: it was there with the first.
        if (storedAt < open.lastStoredAt) open.lastStoredAt = storedAt
      } else {
        if (open !== undefined) done.push(open)
        open = { first: segment, last: segment, lastStoredAt: storedAt }
      }
    },
    runs: () => mergeRuns(open === undefined ? done : [...done, open]),
  }
}

/** Runs of several storages as one: overlapping and adjacent ones joined, ascending. */
export function mergeRuns(runs: readonly WalRun[]): readonly WalRun[] {
  const merged: WalRun[] = []
  for (const run of runs.toSorted((left, right) => left.first - right.first || left.last - right.last)) {
    const last = merged.at(-1)
    if (last === undefined || run.first > last.last + 1) merged.push(run)
    else merged[merged.length - 1] = { ...laterEnd(last, run), first: last.first }
  }
  return merged
}

function laterEnd(left: WalRun, right: WalRun): WalRun {
  if (left.last !== right.last) return left.last > right.last ? left : right
  return left.lastStoredAt < right.lastStoredAt ? left : right
}

/** The run that a segment is in; undefined when it is not archived. */
export function runAt(runs: readonly WalRun[], segment: number): WalRun | undefined {
  let [low, high] = [0, runs.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((runs[middle] as WalRun).last < segment) low = middle + 1
    else high = middle
  }
  const run = runs[low]
  return run !== undefined && run.first <= segment ? run : undefined
}

/** The parts of a range (both ends included) that are not archived. */
export function missingIn(
  runs: readonly WalRun[],
  first: number,
  last: number,
): readonly { readonly first: number; readonly last: number }[] {
  const missing: { first: number; last: number }[] = []
  let expected = first
  for (const run of runs) {
    if (run.last < expected) continue
    if (run.first > last) break
    if (run.first > expected) missing.push({ first: expected, last: run.first - 1 })
    expected = run.last + 1
  }
  if (expected <= last) missing.push({ first: expected, last })
  return missing
}
