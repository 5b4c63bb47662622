import type { FaultCodeTable } from '@waltz/errors'

/** Codes thrown by this package. */
export const faultCodes: FaultCodeTable = {
  BYTES_LIMIT_EXCEEDED: 'An object that should be small is larger than its limit. It is not what its name says, or it was damaged.',
  BYTES_TOO_SHORT: 'A source ended before the bytes that must be there. The object was cut: fetch it again, or use another copy.',
}
