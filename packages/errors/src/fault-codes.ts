/** One package's codes, each with what it means and what to do: the source of docs/reference/errors.md. */
export type FaultCodeTable = Readonly<Record<string, string>>

/** Codes thrown by this package. */
export const faultCodes: FaultCodeTable = {
  ABORTED:
    'The caller cancelled the operation (a signal, Ctrl-C). Nothing half-written was left under a final name. Run the command again.',
  ASSERTION_FAILED: 'A rule that Waltz keeps for itself did not hold. This is a bug: please report it with the message and the command.',
}
