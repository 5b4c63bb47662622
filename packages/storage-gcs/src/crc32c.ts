import { Fault } from '@waltz/errors'

/** Continues a checksum over further bytes; 0 begins one. */
export type Crc32c = (bytes: Uint8Array, previousCrc: number) => number

/**
 * The native CRC-32C of `@node-rs/crc32`, loaded on the first call.
 * @throws Fault `unsupported` `GCS_CRC_UNAVAILABLE` when the native package does not load here.
 */
export async function loadCrc32c(): Promise<Crc32c> {
  try {
    const { crc32c } = await import('@node-rs/crc32')
    return (bytes, previousCrc) => crc32c(bytes, previousCrc)
  } catch (error) {
    throw new Fault('unsupported', 'GCS_CRC_UNAVAILABLE', 'the native CRC-32C could not be loaded, so nothing can be verified', {
      hint: 'install the dependencies again on this machine, with this version of Node',
      cause: error,
    })
  }
}

/** As the JSON API writes it: base64 of four bytes, the highest first. */
export function formatCrc32c(crc: number): string {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(crc)
  return bytes.toString('base64')
}
