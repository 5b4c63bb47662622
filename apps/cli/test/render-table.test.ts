import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { renderFramedTable, renderPlainTable } from '../src/render-table.ts'

const recorded = (name: string): string => readFileSync(new URL(`fixtures/listings/${name}.txt`, import.meta.url), 'utf8')

/** The cells of a recorded framed table: what stands between its bars. */
function cellsOfFrame(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    )
}

describe('tables are drawn to the byte as WAL-G draws them', () => {
  for (const repository of ['retention', 'remote', 'delta-plain']) {
    for (const kind of ['plain', 'detail']) {
      it(`${repository}, ${kind}`, () => {
        const text = recorded(`${repository}-${kind}`)
        const [header = [], ...rows] = text
          .trimEnd()
          .split('\n')
          .map((line) => line.split(/ +/))
        expect(rows.length).toBeGreaterThan(0)
        expect(renderPlainTable(header, rows)).toBe(text)
      })
    }
    for (const kind of ['pretty', 'detail-pretty']) {
      it(`${repository}, ${kind}`, () => {
        const text = recorded(`${repository}-${kind}`)
        const [titles = [], ...rows] = cellsOfFrame(text)
        const columns = titles.map((title, index) => ({
          title: title.toLowerCase(),
          align: index === 0 ? ('right' as const) : ('left' as const),
        }))
        expect(renderFramedTable(columns, rows)).toBe(text)
      })
    }
  }

  it('counts characters, not UTF-16 units', () => {
    expect(renderPlainTable(['a', 'b'], [['🐘x', '1']])).toBe('a  b\n🐘x 1\n')
  })
})
