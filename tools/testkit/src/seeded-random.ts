/** Random values that are the same in every run. */
export interface SeededRandom {
  /** At least 0, below 1. */
  next(): number
  /** At least 0, below `limit`. */
  integer(limit: number): number
  bytes(count: number): Uint8Array
  /** `count` random bytes as lower-case hex. */
  hex(count: number): string
}

/** A small generator (mulberry32) that a seed determines. Not for secrets. */
export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0
  const word = (): number => {
    state = (state + 0x6d2b_79f5) >>> 0
    let value = Math.imul(state ^ (state >>> 15), state | 1)
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61)
    return (value ^ (value >>> 14)) >>> 0
  }
  const bytes = (count: number): Uint8Array => {
    const result = Buffer.alloc(Math.ceil(count / 4) * 4)
    for (let offset = 0; offset < count; offset += 4) result.writeUInt32LE(word(), offset)
    return new Uint8Array(result.buffer, result.byteOffset, count)
  }
  return {
    next: () => word() / 2 ** 32,
    integer: (limit) => Math.floor((word() / 2 ** 32) * limit),
    bytes,
    hex: (count) => Buffer.from(bytes(count)).toString('hex'),
  }
}
