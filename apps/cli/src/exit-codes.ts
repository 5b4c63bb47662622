import type { FaultKind } from '@waltz/errors'

// Only constants, and nothing loaded: the executable needs them before it knows that anything else can be loaded.

/** One exit code for each kind of fault. */
export const EXIT_CODES: Readonly<Record<FaultKind, number>> = {
  invalid: 2,
  'already-exists': 20,
  conflict: 21,
  denied: 22,
  unavailable: 23,
  corrupt: 24,
  unsupported: 25,
  aborted: 26,
  internal: 70,
  'not-found': 74,
}

/**
 * PostgreSQL takes 1 to 125 from `restore_command` as "no such file: this is the end of the WAL" and starts up; above
 * 125 it stops. 200 is clear of the shell's own codes (126, 127) and of signals (128 to 192).
 */
export const STOP_RECOVERY = 200
/** On a standby: the server asks again a few seconds later, and goes on to streaming. */
export const TRY_AGAIN = 75
/** The archive answered that the file is not there: the end of the WAL. */
export const END_OF_WAL = 74
