const BASE = 65_521
/** The most bytes whose sums stay below 2^32 (RFC 1950, 8.2). */
const STRETCH = 5552

/** The Adler-32 of `bytes` (RFC 1950), as an unsigned number. */
export function adler32(bytes: Uint8Array): number {
  let a = 1
  let b = 0
  for (let start = 0; start < bytes.length; start += STRETCH) {
    const end = Math.min(bytes.length, start + STRETCH)
    for (let at = start; at < end; at += 1) {
      a += bytes[at] ?? 0
      b += a
    }
    a %= BASE
    b %= BASE
  }
  return b * 65_536 + a
}
