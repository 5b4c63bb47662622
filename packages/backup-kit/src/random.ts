import { randomBytes } from 'node:crypto'

/**
 * So many lower-case hex digits, different at every call. The one place in the libraries that draws random numbers: they
 * only keep names apart, so a caller has no reason to choose them, and the parts below take them as a parameter.
 */
export function randomHex(digits: number): string {
  return randomBytes(Math.ceil(digits / 2))
    .toString('hex')
    .slice(0, digits)
}

/** From 0 up to but not including 1, for the jitter of retries. */
export function randomFraction(): number {
  return randomBytes(4).readUInt32LE() / 2 ** 32
}
