import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { createNameFilter } from '../src/restore/name-filter.ts'

const spool = mkdtempSync(join(tmpdir(), 'waltz-filter-'))
afterAll(() => rmSync(spool, { recursive: true, force: true }))

describe.each([
  ['in memory', 1 << 20],
  ['on disk', 512],
])('a filter %s', (_, maxNamesInMemory) => {
  it('knows its names, remembers what was met, and nothing else', () => {
    using filter = createNameFilter({ spoolDirectory: spool, maxNamesInMemory })
    const count = 40_000
    for (let index = 0; index < count; index++) filter.add(`base/${index % 7}/${16_384 + index}`)
    filter.add('')
    filter.add('base/0/16384')
    expect(filter.size).toBe(count + 1)
    expect(filter.has('')).toBe(true)
    for (let index = 0; index < count; index += 2) expect(filter.mark(`base/${index % 7}/${16_384 + index}`)).toBe(true)
    expect(filter.mark('base/0/16384')).toBe(true)
    expect(filter.mark('base/0/16384_fsm')).toBe(false)
    expect(filter.marked).toBe(count / 2)
    for (let index = 0; index < count; index++) {
      const name = `base/${index % 7}/${16_384 + index}`
      if (!filter.has(name) || filter.isMarked(name) !== (index % 2 === 0)) throw new Error(`${name} is wrong`)
      if (filter.has(`${name}_vm`)) throw new Error(`${name}_vm is not in the set`)
    }
  })
})

describe('the table on disk', () => {
  it('leaves no file behind', () => {
    using filter = createNameFilter({ spoolDirectory: join(spool, 'new'), maxNamesInMemory: 512 })
    for (let index = 0; index < 5000; index++) filter.add(`n${index}`)
    expect(readdirSync(join(spool, 'new'))).toEqual([])
  })
})

it('tells two million similar names apart', () => {
  using filter = createNameFilter({ spoolDirectory: spool, maxNamesInMemory: 1 << 22 })
  for (let index = 0; index < 2_000_000; index++) filter.add(`base/16384/${index}`)
  expect(filter.size).toBe(2_000_000)
})
