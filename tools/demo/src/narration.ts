/** Speaks to the person who watches. */
export interface Narration {
  /** A numbered step that is over. */
  step(text: string): void
  /** A line without number. */
  say(text: string): void
  /**
   * Waits for `work`. On a terminal a line shows what is being done, for how long, and what `detail` says, until it is over;
   * elsewhere nothing is printed.
   */
  during<Result>(text: string, work: Promise<Result>, detail?: () => string): Promise<Result>
  /** Rows under headings, the first column to the left and the others to the right. */
  table(headings: readonly string[], rows: readonly (readonly string[])[]): void
}

const FRAMES = ['|', '/', '-', '\\']
const ERASE = '\r\u001B[K'

/** A narration on standard output. */
export function createNarration(stdout: NodeJS.WriteStream): Narration {
  let steps = 0
  const line = (text: string): void => void stdout.write(`${text}\n`)
  const bold = (text: string): string => (stdout.isTTY ? `\u001B[1m${text}\u001B[22m` : text)
  return {
    step: (text) => {
      steps += 1
      line(`${bold(String(steps).padStart(2))}  ${text}`)
    },
    say: line,
    during: async (text, work, detail) => {
      if (!stdout.isTTY) return work
      const startedAt = performance.now()
      let frame = 0
      const show = (): void => {
        frame += 1
        const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
        const more = detail?.() ?? ''
        const shown = ` ${FRAMES[frame % FRAMES.length]}  ${text} ... ${seconds} s${more === '' ? '' : `, ${more}`}`
        stdout.write(ERASE + shown.slice(0, (stdout.columns > 0 ? stdout.columns : 80) - 1))
      }
      show()
      const timer = setInterval(show, 100)
      try {
        return await work
      } finally {
        clearInterval(timer)
        stdout.write(ERASE)
      }
    },
    table: (headings, rows) => {
      const widths = headings.map((heading, column) => Math.max(heading.length, ...rows.map((row) => row[column]?.length ?? 0)))
      const format = (cells: readonly string[]): string =>
        cells
          .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
          .join('   ')
          .trimEnd()
      line(bold(`    ${format(headings)}`))
      for (const row of rows) line(`    ${format(row)}`)
    },
  }
}

/** `12.3 MiB`. */
export function formatBytes(bytes: number): string {
  return bytes < 2 ** 20 ? `${(bytes / 2 ** 10).toFixed(1)} KiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`
}

/** `12,345`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US')
}
