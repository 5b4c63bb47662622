import { describe, expect, test } from 'vitest'
import { fileSystemOf } from '../src/environment.ts'
import type { ResultRow } from '../src/model.ts'
import { createProgress, formatDuration, secondsLeft } from '../src/progress.ts'
import { noiseLine, ratioNote, workloadTables } from '../src/report/report.ts'
import { markdownTable, plainTable } from '../src/report/table.ts'
import { formatBytes, formatMs, formatRatio } from '../src/report/units.ts'
import { betweenMarkers } from '../src/report/write-docs.ts'
import { quoted } from '../src/shell.ts'

const table = {
  head: ['peer', 'wall'],
  rows: [
    ['tar | lz4', '1.0 s'],
    ['x', '10.0 s'],
  ],
  left: [0],
}

describe('tables', () => {
  test('plain: names to the left, figures to the right', () => {
    expect(plainTable(table)).toBe('peer         wall\ntar | lz4   1.0 s\nx          10.0 s')
  })

  test('Markdown: a bar in a name is no column', () => {
    expect(markdownTable(table)).toBe('| peer | wall |\n| --- | ---: |\n| tar \\| lz4 | 1.0 s |\n| x | 10.0 s |')
  })
})

describe('the tables of workloads', () => {
  const row = (peer: string, wallMs: number, foreignCpuMs = 0): ResultRow => ({
    suite: 'startup',
    operation: 'version',
    title: 'start',
    against: 'node',
    peer,
    samples: [{ wallMs, cpuMs: 2000, serverCpuMs: 0, peakRssBytes: 2 ** 20, foreignCpuMs, load: 0.5 }],
    storedBytes: undefined,
  })

  test('ratios divide by the named peer, and noise is marked', () => {
    const rows = [row('waltz', 3000), row('node', 2000, 1500)]
    const [only] = workloadTables(rows)
    expect(only?.table.rows).toEqual([
      ['waltz', '3.00 s', '3.00 s', '2.00 s', '2.00 s', '', '1 MiB', '', '1.50', '1.00', '0.5', '0.00'],
      ['node', '2.00 s', '2.00 s', '2.00 s', '2.00 s', '', '1 MiB', '', '1.00', '1.00', '0.5', '0.75 !'],
    ])
    expect(ratioNote(rows, 'start')).toContain('of node')
    expect(noiseLine(rows)).toMatch(/^NOISY: in 1 of 2 rows/)
  })

  test('without that peer there are no ratios, and that is said', () => {
    const rows = [row('waltz', 3000)]
    expect(workloadTables(rows)[0]?.table.rows[0]?.slice(8, 10)).toEqual(['-', '-'])
    expect(ratioNote(rows, 'start')).toBe('no ratios: node was not measured')
    expect(noiseLine(rows)).toContain('quiet')
  })
})

test('figures', () => {
  expect([512, 2 ** 30, 3.5 * 2 ** 30, 23.44 * 2 ** 20, 128 * 2 ** 20].map(formatBytes)).toEqual([
    '512 B',
    '1 GiB',
    '3.50 GiB',
    '23.4 MiB',
    '128 MiB',
  ])
  expect([5.25, 123.4, 1234].map(formatMs)).toEqual(['5.3 ms', '123 ms', '1.23 s'])
  expect([0.504, undefined, Number.NaN].map(formatRatio)).toEqual(['0.50', '-', '-'])
  expect([59.4, 61, -3].map(formatDuration)).toEqual(['59 s', '1 min 1 s', '0 s'])
})

test('the time left follows how wrong the guesses were', () => {
  expect(secondsLeft({ elapsed: 1, expectedDone: 2, expectedLeft: 100 })).toBe(100)
  expect(secondsLeft({ elapsed: 20, expectedDone: 40, expectedLeft: 100 })).toBe(50)
  expect(secondsLeft({ elapsed: 4000, expectedDone: 40, expectedLeft: 100 })).toBe(500)
})

test('a log gets few lines, a terminal the newest one in place', () => {
  const said: string[] = []
  const log = createProgress((text) => said.push(text), false)
  for (const text of ['one', 'two']) log.now(text)
  log.say('stays')
  expect(said).toEqual(['one\n', 'stays\n'])
  const shown: string[] = []
  const terminal = createProgress((text) => shown.push(text), true)
  for (const text of ['one', 'two']) terminal.now(text)
  expect(shown).toEqual(['\r\u001B[Kone', '\r\u001B[Ktwo'])
})

describe('the page', () => {
  const page = 'before\n<!-- begin of the figures: written by npm run bench -- --write -->\nold\n<!-- end of the figures -->\nafter\n'

  test('only what stands between the markers changes, and once more does not add up', () => {
    const once = betweenMarkers(page, 'new\n')
    expect(once).toBe(page.replace('\nold\n', '\n\nnew\n\n'))
    expect(betweenMarkers(once, 'new')).toBe(once)
  })

  test('a suite that runs only when named has a section of its own', () => {
    const own =
      '<!-- begin of the figures of codecs: written by npm run bench -- codecs --write -->\n<!-- end of the figures of codecs -->\n'
    expect(betweenMarkers(`${own}${page}`, 'new', 'codecs')).toBe(`${own.replace('-->\n<', '-->\n\nnew\n\n<')}${page}`)
    expect(betweenMarkers(`${own}${page}`, 'new')).toBe(`${own}${betweenMarkers(page, 'new')}`)
    expect(() => betweenMarkers(page, 'new', 'codecs')).toThrow(/of codecs/)
  })

  test('a page without markers is refused', () => {
    expect(() => betweenMarkers('before\nafter\n', 'new')).toThrow(/no lines/)
  })
})

test('the file system of a path is that of the longest mount above it', () => {
  const mounts = '/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\nx /tmpfoo xfs rw 0 0\n'
  expect(['/tmp/a', '/tmpfoo', '/home', '/tmpf'].map((path) => fileSystemOf(path, mounts))).toEqual(['tmpfs', 'xfs', 'ext4', 'ext4'])
})

test('words of a shell line', () => {
  expect([`/tmp/a-1.tar`, `it's`, 'a b'].map(quoted)).toEqual(['/tmp/a-1.tar', `'it'\\''s'`, `'a b'`])
})
