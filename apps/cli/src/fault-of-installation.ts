import { Fault, isFault } from '@waltz/errors'

const LOADING_CODES: ReadonlySet<string> = new Set(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND', 'ERR_DLOPEN_FAILED'])

/**
 * A part of the program that is missing or cut is found out when it is first needed. What Node says then is turned into
 * a Fault `internal` `INSTALLATION_BROKEN`; every other error is given back as it is.
 */
export function faultOfInstallation(error: unknown): unknown {
  if (isFault(error) || !(error instanceof Error)) return error
  const code = 'code' in error ? String(error.code) : ''
  // Nothing else lets a SyntaxError through: texts are parsed where their own errors are made of it.
  if (!LOADING_CODES.has(code) && !(error instanceof SyntaxError)) return error
  return new Fault('internal', 'INSTALLATION_BROKEN', 'a part of this installation is missing or damaged', {
    hint: 'install it again, or copy the whole folder again',
    cause: error,
  })
}
