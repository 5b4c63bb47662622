/**
 * Ciphers of WAL-G. Each scheme has a subpath of its own and loads its library when it is first used; here is what they have in common.
 */
export type { Cipher, CipherScheme } from './cipher.ts'
export { createKeyRing, type KeyRingOptions } from './key-ring.ts'
export { framingHeadBytes, isPlainFraming, recognizeFraming, type Framing } from './framing.ts'
export { faultCodes } from './fault-codes.ts'
