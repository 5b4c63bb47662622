import { Fault } from '@waltz/errors'

/** A mistake in the command line. `command` is the one whose help shows the way. */
export function usageFault(
  message: string,
  options: { readonly command?: string | undefined; readonly hint?: string | undefined } = {},
): Fault {
  const context = options.command === undefined ? {} : { command: options.command }
  return new Fault('invalid', 'USAGE', message, { context, ...(options.hint === undefined ? {} : { hint: options.hint }) })
}

/** Something known from WAL-G that Waltz cannot do yet. Exit code 2, like every other mistake in a command line. */
export function notAvailableFault(what: string, options: { readonly command?: string | undefined } = {}): Fault {
  const context = options.command === undefined ? {} : { command: options.command }
  return new Fault('invalid', 'NOT_AVAILABLE_YET', `${what} is not available yet; nothing was done`, { context })
}
