/** One table, for a terminal or for a page. */
export interface TextTable {
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** Columns whose text begins at the left; the others are figures. */
  readonly left: readonly number[]
}

/** Aligned columns, two blanks between them. */
export function plainTable({ head, rows, left }: TextTable): string {
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)))
  const line = (row: readonly string[]): string =>
    widths
      .map((width, column) => (left.includes(column) ? (row[column] ?? '').padEnd(width) : (row[column] ?? '').padStart(width)))
      .join('  ')
      .trimEnd()
  return all.map(line).join('\n')
}

/** A table of Markdown. */
export function markdownTable({ head, rows, left }: TextTable): string {
  const line = (row: readonly string[]): string => `| ${row.map((text) => text.replaceAll('|', '\\|')).join(' | ')} |`
  const rule = head.map((_, column) => (left.includes(column) ? '---' : '---:'))
  return [line(head), line(rule), ...rows.map(line)].join('\n')
}
