/**
 * `Fault`: the one error class of Waltz. A fault has a kind (what it means to the caller), a stable code (what a
 * program or a search engine can match), a message, a hint, a context without secrets, and its cause.
 */
export { Fault, isFault, assert, type FaultKind, type FaultOptions } from './fault.ts'
export { abortedFault, throwIfAborted } from './aborted.ts'
export { faultCodes, type FaultCodeTable } from './fault-codes.ts'
