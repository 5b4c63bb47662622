import { isFault } from '@waltz/errors'
import { END_OF_WAL, EXIT_CODES, STOP_RECOVERY, TRY_AGAIN } from './exit-codes.ts'

/** Above this the archiver process is restarted and its failure is not counted. */
const HIGHEST_FOR_ARCHIVER = 125

/** What an exit code of wal-fetch depends on, besides the error. */
export interface RecoveryFacts {
  /** Whether `standby.signal` is in the working directory, which in recovery is the data directory. */
  readonly standby: boolean
  /** WALTZ_WAL_FETCH_EXIT_CODES, once it is known. */
  readonly style?: 'safe' | 'wal-g'
}

/** Faults that say "wrong or unfinished archive", which on a standby may still come right. */
const ARCHIVE_MAY_COME_RIGHT = new Set(['WAL_ARCHIVE_EMPTY', 'WAL_ARCHIVE_FOREIGN', 'WAL_HOLE', 'WAL_HISTORY_HOLE'])

/** The exit code of a command that failed with `error`; anything that is no fault counts as a bug. */
export function exitCodeFor(error: unknown, command: string | undefined, facts: RecoveryFacts): number {
  if (command === 'wal-fetch') return walFetchExitCode(error, facts)
  const code = EXIT_CODES[isFault(error) ? error.kind : 'internal']
  return command === 'wal-push' ? Math.min(code, HIGHEST_FOR_ARCHIVER) : code
}

/**
 * 74 only for the one fault that says the archive has no such file, by its code and not by its kind alone: another
 * "not found" on the way must not end a recovery. 75 on a standby for what may come right. 200 for all else.
 */
export function walFetchExitCode(error: unknown, facts: RecoveryFacts): number {
  const absent = isFault(error, 'not-found') && error.code === 'WAL_NOT_FOUND'
  if (absent) return END_OF_WAL
  if (facts.style === 'wal-g') return 1
  const mayComeRight = isFault(error) && (error.kind === 'unavailable' || error.retryable || ARCHIVE_MAY_COME_RIGHT.has(error.code))
  return facts.standby && mayComeRight ? TRY_AGAIN : STOP_RECOVERY
}

/** What a command returned, kept within what its caller understands. */
export function checkedExitCode(code: number, command: string, facts: RecoveryFacts): number {
  if (command === 'wal-push') return Math.min(code, HIGHEST_FOR_ARCHIVER)
  if (command !== 'wal-fetch' || facts.style === 'wal-g') return code
  const allowed = code === 0 || code === END_OF_WAL || (code === TRY_AGAIN && facts.standby)
  return allowed ? code : STOP_RECOVERY
}
