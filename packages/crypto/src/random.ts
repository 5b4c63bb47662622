import { randomBytes } from 'node:crypto'

/**
 * Unpredictable bytes for data keys and nonces, from the system's generator: the one file of this package that draws any. Not a
 * parameter, as other random values are, because a generator that repeats itself would give the keys away.
 */
export function unpredictableBytes(count: number): Uint8Array {
  return new Uint8Array(randomBytes(count))
}
