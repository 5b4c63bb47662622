import { isFault, type Fault } from '@waltz/errors'

const MAX_CAUSES = 3
const MAX_CAUSE_LENGTH = 200

/**
 * An error as people read it: what happened, then code, causes, hint and what to type next, each on a line of its own.
 * `command` is the one that ran, where that is known.
 */
export function renderError(error: unknown, command: string | undefined): string {
  const message = error instanceof Error ? error.message : String(error)
  const where = command === undefined ? '' : `${command}: `
  const details = isFault(error)
    ? [['code', error.code], ...causesOf(error), ['hint', error.hint], ['next', nextStep(error)]]
    : [
        ['code', 'INTERNAL'],
        ...causesOf(error),
        ['hint', 'this is a bug in Waltz: please report it with the command and, from WALG_LOG_LEVEL=DEVEL, the stack trace'],
      ]
  const lines = details.filter(([, text]) => text !== undefined && text !== '').map(([name, text]) => `  ${name}: ${text}`)
  return [`${where}${message}`, ...lines].join('\n')
}

/** The first line of each error underneath, as long as it says something new. */
function causesOf(error: unknown): readonly (readonly [string, string])[] {
  const causes: string[] = []
  let said = error instanceof Error ? error.message : ''
  let cause: unknown = error instanceof Error ? error.cause : undefined
  while (cause !== undefined && cause !== null && causes.length < MAX_CAUSES) {
    const [line = ''] = (cause instanceof Error ? cause.message : textOf(cause)).split('\n')
    if (line !== '' && !said.includes(line)) {
      causes.push(line.length > MAX_CAUSE_LENGTH ? `${line.slice(0, MAX_CAUSE_LENGTH)}...` : line)
      said += line
    }
    cause = cause instanceof Error ? cause.cause : undefined
  }
  return causes.map((text) => ['cause', text] as const)
}

function textOf(cause: unknown): string {
  return typeof cause === 'string' ? cause : ''
}

function nextStep(fault: Fault): string | undefined {
  if (fault.code === 'USAGE' || fault.code === 'NOT_AVAILABLE_YET') {
    const { command } = fault.context
    return command === undefined ? 'waltz --help' : `waltz ${command} --help`
  }
  if (fault.code === 'SETTINGS_INVALID') return 'waltz flags'
  if (fault.kind === 'aborted' || fault.retryable) return 'the same command again'
  return undefined
}
