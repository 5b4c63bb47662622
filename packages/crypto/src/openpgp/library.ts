import type * as openpgp from 'openpgp'
import { engineMissingFault } from '../crypto-faults.ts'

/** The library OpenPGP.js: keys, session keys, and the forms of messages that are not read here. */
export type OpenPgpLibrary = typeof openpgp

/**
 * Loads the library, which takes some 50 ms the first time.
 * @throws Fault `unsupported` `CRYPTO_ENGINE_MISSING`.
 */
export async function loadOpenPgpLibrary(): Promise<OpenPgpLibrary> {
  try {
    return await import('openpgp')
  } catch (error) {
    throw engineMissingFault('openpgp', 'the OpenPGP cipher', error)
  }
}
