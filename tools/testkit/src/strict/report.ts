/** What the strict reader found. */
export interface StrictReport {
  /** Everything that WAL-G would refuse, skip without a word, or restore wrongly. Empty when the repository is clean. */
  readonly problems: readonly string[]
  /** Traces of unfinished work that WAL-G does not count as a backup: folders without a sentinel, temporary names. */
  readonly leftovers: readonly string[]
  /** Names of the backups that were read, in byte order. */
  readonly backups: readonly string[]
  /** Names of the WAL files that were read, without their suffix, in byte order. */
  readonly walFiles: readonly string[]
}

/** Collects problems, each behind the place it was found in. */
export interface ProblemList {
  add(problem: string): void
  /** The same list, with a place put in front. */
  at(place: string): ProblemList
}

/** A list that appends to `into`. */
export function problemList(into: string[], place = ''): ProblemList {
  return {
    add: (problem) => void into.push(place === '' ? problem : `${place}: ${problem}`),
    at: (next) => problemList(into, place === '' ? next : `${place}: ${next}`),
  }
}
