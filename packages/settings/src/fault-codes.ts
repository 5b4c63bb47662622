import type { FaultCodeTable } from '@waltz/errors'

/** Codes thrown by this package. */
export const faultCodes: FaultCodeTable = {
  SETTINGS_INVALID:
    'A setting has a value that cannot be used, or asks for something that Waltz cannot do yet. Every problem is listed at once: correct them in the flag, variable or file that each line names.',
}
