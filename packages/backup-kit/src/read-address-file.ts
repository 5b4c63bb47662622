import { readFileSync } from 'node:fs'
import { Fault } from '@waltz/errors'

/**
 * The text of a file that belongs to the address of a server.
 * @throws Fault `invalid` `SERVER_ADDRESS_INVALID` when it cannot be read.
 */
export function readAddressFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new Fault('invalid', 'SERVER_ADDRESS_INVALID', `could not read ${path}: ${(error as Error).message}`, {
      cause: error,
      hint: 'Correct PGSSLROOTCERT, PGSSLCERT, PGSSLKEY or PGPASSFILE.',
    })
  }
}
