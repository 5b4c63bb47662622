import type { FaultCodeTable } from '@waltz/errors'

/** Codes thrown by this package. */
export const faultCodes: FaultCodeTable = {
  RETENTION_RULE_INVALID: 'A retention rule is missing or unknown. Write rules like `last=7`.',
  RETENTION_INPUT_INVALID: 'Backups or log contradict themselves. Correct what the message names.',
}
