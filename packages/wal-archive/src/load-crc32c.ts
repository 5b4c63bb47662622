import { Fault } from '@waltz/errors'
import type { Crc32c } from '@waltz/pg-structures'

/**
 * The native CRC-32C of `@node-rs/crc32`, loaded on the first call.
 * @throws Fault `unsupported` `WAL_CRC_UNAVAILABLE` when the native package does not load here.
 */
export async function loadCrc32c(): Promise<Crc32c> {
  try {
    const { crc32c } = await import('@node-rs/crc32')
    return (bytes, previousCrc = 0) => crc32c(bytes, previousCrc)
  } catch (error) {
    throw new Fault(
      'unsupported',
      'WAL_CRC_UNAVAILABLE',
      'the native CRC-32C could not be loaded, so WAL without a checksum cannot be checked',
      {
        hint: 'install the dependencies again on this machine, with this version of Node',
        cause: error,
      },
    )
  }
}
