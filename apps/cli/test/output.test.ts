import { Fault } from '@waltz/errors'
import { describe, expect, it } from 'vitest'
import { commands } from '../src/commands/index.ts'
import { formatBytes, formatDuration } from '../src/format-amount.ts'
import { renderCommandHelp, renderFlags, renderRootHelp } from '../src/help.ts'
import { createLog, type LogLevel } from '../src/log.ts'
import { createProgress } from '../src/progress.ts'
import { renderError } from '../src/render-error.ts'
import { createScreen } from '../src/screen.ts'

describe('the log', () => {
  const linesAt = (level: LogLevel): string[] => {
    const lines: string[] = []
    const log = createLog({ write: (line) => lines.push(line), now: () => new Date(2026, 2, 1, 2, 10, 44, 7), level })
    log.debug('d')
    log.info('i')
    log.warn('w')
    log.error('e')
    return lines
  }
  it('writes lines as WAL-G does, by level', () => {
    expect(linesAt('DEVEL')).toEqual([
      'DEBUG: 2026/03/01 02:10:44.007000 d',
      'INFO: 2026/03/01 02:10:44.007000 i',
      'WARNING: 2026/03/01 02:10:44.007000 w',
      'ERROR: 2026/03/01 02:10:44.007000 e',
    ])
    expect(linesAt('NORMAL').map((line) => line.split(':')[0])).toEqual(['INFO', 'WARNING', 'ERROR'])
    expect(linesAt('ERROR').map((line) => line.split(':')[0])).toEqual(['ERROR'])
  })
})

describe('progress', () => {
  const MIB = 1_048_576
  const setUp = (interactive: boolean, columns = 80) => {
    let atMs = 0
    let err = ''
    let tick: (() => void) | undefined
    const screen = createScreen({ stderr: (text) => void (err += text), terminal: { interactive, columns } })
    const now = () => new Date(atMs)
    const log = createLog({ write: screen.line, now, level: 'NORMAL' })
    const every = (_intervalMs: number, call: () => void) => {
      tick = call
      return () => void (tick = undefined)
    }
    const progress = createProgress({ screen, log, now, every })
    return {
      progress,
      log,
      err: () => err,
      wait: (ms: number) => void (atMs += ms),
      tick: () => tick?.(),
      ticking: () => tick !== undefined,
    }
  }

  it('redraws one line on a terminal: phase, bytes, rate, time left', () => {
    const { progress, err, wait } = setUp(true)
    progress.phase('copying files', 800 * MIB)
    wait(2000)
    progress.update(200 * MIB)
    expect(err().split('\r\u001B[K').at(-1)).toBe('copying files 200 MiB of 800 MiB (25%), 100 MiB/s, 0:06 left')
    wait(10)
    progress.update(210 * MIB)
    expect(err()).not.toContain('210')
    progress.finish()
    expect(err().endsWith('\r\u001B[K')).toBe(true)
    expect(err()).not.toContain('\n')
  })

  it('fits the width of the terminal', () => {
    const { progress, err } = setUp(true, 20)
    progress.phase('a phase with a long name', 5)
    for (const line of err().split('\r\u001B[K')) expect(line.length).toBeLessThan(20)
  })

  it('leaves out whole clauses where there is little room, and follows the width of the terminal', () => {
    let err = ''
    let columns = 80
    const terminal = {
      interactive: true,
      get columns() {
        return columns
      },
    }
    const screen = createScreen({ stderr: (text) => void (err += text), terminal })
    const drawn = (): string => err.split('\r\u001B[K').at(-1) ?? ''
    const text = 'copying files 200 MiB of 800 MiB (25%), 100 MiB/s, 0:06 left'
    screen.status(text)
    expect(drawn()).toBe(text)
    columns = text.length
    screen.status(`${text} `)
    expect(drawn()).toBe('copying files 200 MiB of 800 MiB (25%), 100 MiB/s')
    columns = 42
    screen.status(text)
    expect(drawn()).toBe('copying files 200 MiB of 800 MiB (25%)')
    columns = 20
    screen.status(text)
    expect(drawn()).toBe('copying files 200 M')
  })

  it('lets log lines pass above the drawn line', () => {
    const { progress, log, err } = setUp(true)
    progress.phase('copying', 100)
    log.info('hello')
    expect(err().split('\r\u001B[K').at(-1)).toMatch(/^INFO: .* hello\ncopying 0 B of 100 B \(0%\)$/)
  })

  it('logs a line every five seconds elsewhere, stalled or not', () => {
    const { progress, err, wait, tick, ticking } = setUp(false)
    progress.phase('copying', 100 * MIB)
    for (let second = 1; second <= 11; second++) {
      wait(1000)
      if (second < 6) progress.update(second * MIB)
      else tick()
    }
    const lines = err().trimEnd().split('\n')
    expect(lines).toHaveLength(2)
    expect(lines[0]).toMatch(/ copying 5\.0 MiB of 100 MiB \(5%\), 1\.0 MiB\/s, 1:35 left$/)
    progress.finish()
    expect(ticking()).toBe(false)
    expect(err()).not.toContain('\r')
  })

  it('goes on when the same phase learns its total', () => {
    const { progress, err, wait } = setUp(true)
    progress.phase('copying')
    wait(1000)
    progress.update(10 * MIB)
    progress.phase('copying', 20 * MIB)
    expect(err().split('\r\u001B[K').at(-1)).toBe('copying 10.0 MiB of 20.0 MiB (50%), 10.0 MiB/s, 0:01 left')
  })

  it('shows how long a phase without bytes takes', () => {
    const { progress, err, wait, tick } = setUp(false)
    progress.phase('waiting for WAL')
    wait(65_000)
    tick()
    expect(err()).toMatch(/ waiting for WAL, 1:05\n$/)
  })

  it('writes amounts as people do', () => {
    expect([0, 999, 1000, 1536, 150 * MIB, 1.5 * 1024 * MIB].map(formatBytes)).toEqual([
      '0 B',
      '999 B',
      '1.0 KiB',
      '1.5 KiB',
      '150 MiB',
      '1.5 GiB',
    ])
    expect([0, 7000, 760_000, 11_100_000].map(formatDuration)).toEqual(['0:00', '0:07', '12:40', '3:05:00'])
  })
})

describe('errors', () => {
  it('are told with code, causes, hint and the next step', () => {
    const cause = new Error('connect ECONNREFUSED', { cause: new Error('deeper\nsecond line') })
    const fault = new Fault('unavailable', 'STORAGE_DOWN', 'the store does not answer', { hint: 'look at the network', cause })
    expect(renderError(fault, 'wal-push')).toBe(
      [
        'wal-push: the store does not answer',
        '  code: STORAGE_DOWN',
        '  cause: connect ECONNREFUSED',
        '  cause: deeper',
        '  hint: look at the network',
        '  next: the same command again',
      ].join('\n'),
    )
  })

  it('do not repeat a cause that the message has already', () => {
    expect(renderError(new Fault('corrupt', 'X', 'bad: no end', { cause: new Error('no end') }), undefined)).toBe('bad: no end\n  code: X')
  })

  it('of ours are called bugs', () => {
    expect(renderError(new TypeError('x is undefined'), 'backup-list')).toMatch(
      /^backup-list: x is undefined\n {2}code: INTERNAL\n {2}hint: this is a bug/,
    )
  })
})

describe('help', () => {
  const pages = (columns: number): string[] => [
    renderRootHelp(columns),
    renderFlags(columns),
    ...commands.map((command) => renderCommandHelp(command, columns)),
  ]

  it.each([110, 80, 60])('has no line above %i columns but those to be typed', (columns) => {
    for (const page of pages(columns)) {
      const texts = page.split('\n').filter((line, index, all) => !/^ {2}#/.test(all[index - 1] ?? '') && !/^ +-|^Usage:|^ {2}#/.test(line))
      expect(texts.filter((line) => line.length > columns)).toEqual([])
    }
  })

  it('says the same at any width', () => {
    const words = (page: string): string => page.split(/\s+/).join(' ')
    expect(pages(40).map(words)).toEqual(pages(110).map(words))
  })
})
