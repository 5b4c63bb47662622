import type { CommandIo } from './command.ts'

/** Standard error with one line at its end that can be drawn again; log lines go above it. */
export interface Screen {
  /** Whether a status line can be drawn at all. */
  readonly interactive: boolean
  /** Writes text and a line end. */
  readonly line: (text: string) => void
  /** Draws the status line in the place of the last one; an empty text takes it away. */
  readonly status: (text: string) => void
}

const CLEAR_LINE = '\r\u001B[K'

/** Wraps standard error. Where it is no terminal, `status` does nothing. */
export function createScreen(io: Pick<CommandIo, 'stderr' | 'terminal'>): Screen {
  const { interactive } = io.terminal
  let shown = ''
  return {
    interactive,
    line(text) {
      io.stderr(shown === '' ? `${text}\n` : `${CLEAR_LINE}${text}\n${shown}`)
    },
    status(text) {
      if (!interactive) return
      // The last column stays free: writing into it would wrap the line on many terminals.
      const fitted = fit(text, Math.max(1, io.terminal.columns - 1))
      if (fitted === shown) return
      io.stderr(`${CLEAR_LINE}${fitted}`)
      shown = fitted
    },
  }
}

/** What fits of a text: whole clauses where there are any, so that no number is cut in two. */
function fit(text: string, columns: number): string {
  const characters = Array.from(text)
  if (characters.length <= columns) return text
  const start = characters.slice(0, columns + 1).join('')
  const lastClause = start.lastIndexOf(', ')
  return lastClause > 0 ? start.slice(0, lastClause) : characters.slice(0, columns).join('')
}
