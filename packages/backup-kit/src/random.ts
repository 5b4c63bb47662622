// Not node:crypto: loading it takes longer than archiving a small file, and nothing here has to be unguessable.

/**
 * So many lower-case hex digits, different at every call. The one place in the libraries that draws random numbers: they
 * only keep names apart, so a caller has no reason to choose them, and the parts below take them as a parameter.
 */
export function randomHex(digits: number): string {
  let hex = ''
  while (hex.length < digits)
    hex += Math.floor(Math.random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0')
  return hex.slice(0, digits)
}

/** From 0 up to but not including 1, for the jitter of retries. */
export function randomFraction(): number {
  return Math.random()
}
