/**
 * Columns padded with spaces to their widest cell and one more, the last cell of a line not padded: what scripts cut (CMD 3.3).
 * Rows may have more cells than the header. Every line ends in a line end.
 */
export function renderPlainTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows]
  const widths = columnWidths(lines)
  return lines
    .map(
      (cells) => `${cells.map((cell, column) => (column === cells.length - 1 ? cell : pad(cell, (widths[column] ?? 0) + 1))).join('')}\n`,
    )
    .join('')
}

/** One column of a framed table; numbers are aligned to the right. */
export interface FramedColumn {
  readonly title: string
  readonly align?: 'left' | 'right'
}

/** A table in a frame of `+`, `-` and `|`, titles in capitals, as WAL-G draws it (CMD 3.3). */
export function renderFramedTable(columns: readonly FramedColumn[], rows: readonly (readonly string[])[]): string {
  const titles = columns.map((column) => column.title.toUpperCase())
  const widths = columnWidths([titles, ...rows])
  const rule = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+\n`
  const line = (cells: readonly string[]): string => `|${cells.map((cell, column) => ` ${align(cell, column)} |`).join('')}\n`
  const align = (cell: string, column: number): string =>
    columns[column]?.align === 'right' ? pad(cell, widths[column] ?? 0, true) : pad(cell, widths[column] ?? 0)
  return `${rule}${line(titles)}${rule}${rows.map(line).join('')}${rule}`
}

function columnWidths(lines: readonly (readonly string[])[]): readonly number[] {
  const widths: number[] = []
  for (const cells of lines) {
    for (const [column, cell] of cells.entries()) widths[column] = Math.max(widths[column] ?? 0, lengthOf(cell))
  }
  return widths
}

/** Characters as people count them, not UTF-16 units. */
function lengthOf(text: string): number {
  return Array.from(text).length
}

function pad(text: string, width: number, toTheRight = false): string {
  const space = ' '.repeat(Math.max(0, width - lengthOf(text)))
  return toTheRight ? space + text : text + space
}
