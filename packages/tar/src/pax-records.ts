import { Buffer } from 'node:buffer'

const SPACE = 0x20
const EQUALS = 0x3d
const NEWLINE = 0x0a

/** Records `length key=value\n`, the length counting itself (POSIX pax, "pax Header Block"). */
export function encodePaxRecords(records: readonly (readonly [string, string])[]): Uint8Array {
  return Buffer.concat(records.map(([key, value]) => encodeRecord(key, value)))
}

function encodeRecord(key: string, value: string): Buffer {
  const rest = Buffer.from(` ${key}=${value}\n`)
  let length = rest.length
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return Buffer.concat([Buffer.from(String(length)), rest])
}

/** Keys and raw values; undefined when the bytes are not a list of records. A value may hold any bytes. */
export function decodePaxRecords(bytes: Uint8Array): ReadonlyMap<string, Uint8Array> | undefined {
  const records = new Map<string, Uint8Array>()
  let at = 0
  while (at < bytes.length) {
    const space = bytes.indexOf(SPACE, at)
    const digits = space < 0 ? '' : Buffer.from(bytes.subarray(at, space)).toString('latin1')
    if (!/^[0-9]{1,8}$/.test(digits)) return undefined
    const end = at + Number(digits)
    const equals = bytes.indexOf(EQUALS, space + 1)
    if (end > bytes.length || end <= space + 1 || bytes[end - 1] !== NEWLINE || equals <= space + 1 || equals >= end) return undefined
    records.set(Buffer.from(bytes.subarray(space + 1, equals)).toString('latin1'), bytes.subarray(equals + 1, end - 1))
    at = end
  }
  return records
}
