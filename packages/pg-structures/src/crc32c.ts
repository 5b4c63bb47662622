/** A CRC-32C (Castagnoli) function: `previousCrc` continues the checksum of the bytes before. Native ones fit too. */
export type Crc32c = (bytes: Uint8Array, previousCrc?: number) => number

const POLYNOMIAL = 0x82f6_3b78

/** Eight tables of 256: table n advances a byte that has n more bytes behind it. */
function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256)
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (-(crc & 1) & POLYNOMIAL)
    tables[byte] = crc
  }
  for (let at = 256; at < tables.length; at += 1) {
    const before = tables[at - 256]!
    tables[at] = (before >>> 8) ^ tables[before & 0xff]!
  }
  return tables
}

/** Made when first needed: a program that only names WAL files does not wait for them. */
let madeTables: Int32Array | undefined

/** Continues `crc` over `bytes[start, end)` without making a view. Returns an unsigned 32-bit number. */
export function crc32cRange(bytes: Uint8Array, start: number, end: number, crc: number): number {
  const tables = (madeTables ??= makeTables())
  let state = ~crc
  let at = start
  for (; at + 8 <= end; at += 8) {
    const low = state ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24))
    state =
      tables[0x700 | (low & 0xff)]! ^
      tables[0x600 | ((low >>> 8) & 0xff)]! ^
      tables[0x500 | ((low >>> 16) & 0xff)]! ^
      tables[0x400 | (low >>> 24)]! ^
      tables[0x300 | bytes[at + 4]!]! ^
      tables[0x200 | bytes[at + 5]!]! ^
      tables[0x100 | bytes[at + 6]!]! ^
      tables[bytes[at + 7]!]!
  }
  for (; at < end; at += 1) state = (state >>> 8) ^ tables[(state ^ bytes[at]!) & 0xff]!
  return ~state >>> 0
}

/**
 * CRC-32C of `bytes`, an unsigned 32-bit number: the checksum of WAL records and of pg_control (pg_crc32c.h). Portable
 * and table-driven; give a native function where many megabytes are checked.
 */
export function crc32c(bytes: Uint8Array, previousCrc = 0): number {
  return crc32cRange(bytes, 0, bytes.length, previousCrc)
}
