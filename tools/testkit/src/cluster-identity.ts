import { readFileSync, readdirSync, writeFileSync, openSync, writeSync, closeSync } from 'node:fs'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { crc32c } from './crc32c.ts'

/**
 * Gives a cleanly stopped, never used cluster a system identifier of its own, in pg_control and in the long page header
 * of its first WAL segment. Copies of one template are different clusters then, as if initdb had run for each.
 */
export function renewClusterIdentity(dataDirectory: string): void {
  const controlPath = join(dataDirectory, 'global/pg_control')
  const control = readFileSync(controlPath)
  const crcAt = controlChecksumOffset(control)
  const identifier = (BigInt(Math.floor(Date.now() / 1000)) << 32n) | BigInt(randomBytes(4).readUInt32LE())
  control.writeBigUInt64LE(identifier, 0)
  control.writeUInt32LE(crc32c(control.subarray(0, crcAt)), crcAt)
  writeFileSync(controlPath, control)
  const wal = join(dataDirectory, 'pg_wal')
  for (const name of readdirSync(wal).filter((entry) => /^[0-9A-F]{24}$/.test(entry))) {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(identifier)
    const file = openSync(join(wal, name), 'r+')
    writeSync(file, bytes, 0, 8, 24)
    closeSync(file)
  }
}

/** Its place differs between versions; it is where the checksum of everything before stands. */
function controlChecksumOffset(control: Buffer): number {
  for (let offset = 200; offset + 4 <= 512; offset += 4) {
    if (crc32c(control.subarray(0, offset)) === control.readUInt32LE(offset)) return offset
  }
  throw new Error('pg_control has no valid checksum')
}
