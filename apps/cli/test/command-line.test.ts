import { isFault } from '@waltz/errors'
import { describe, expect, it } from 'vitest'
import { parseCommandLine } from '../src/command-line.ts'
import { commands } from '../src/index.ts'

const parse = (...argv: string[]) => parseCommandLine(argv, commands)
const parseRun = (...argv: string[]) => {
  const request = parse(...argv)
  if (request.kind !== 'run') throw new Error(`asked for ${request.kind}`)
  return { command: request.command.name, args: request.args, flags: request.flags, settingFlags: request.settingFlags }
}
const mistake = (...argv: string[]) => {
  try {
    parse(...argv)
  } catch (error) {
    if (isFault(error)) return error
    throw error
  }
  throw new Error('was accepted')
}

describe('flags', () => {
  const wanted = {
    command: 'backup-push',
    args: ['/data'],
    flags: { full: true, config: '/c.json' },
    settingFlags: { WALG_FILE_PREFIX: '/x' },
  }
  it.each([
    ['before', ['--config', '/c.json', '--walg-file-prefix', '/x', '--full', 'backup-push', '/data']],
    ['after', ['backup-push', '/data', '--config', '/c.json', '--walg-file-prefix', '/x', '--full']],
    ['in between', ['--walg-file-prefix', '/x', 'backup-push', '--full', '/data', '--config', '/c.json']],
    ['with an equals sign', ['--walg-file-prefix=/x', 'backup-push', '--full=true', '/data', '--config=/c.json']],
    ['as a letter', ['--walg-file-prefix=/x', 'backup-push', '-f', '/data', '--config=/c.json']],
  ])('are accepted %s', (_where, argv) => expect(parseRun(...argv)).toEqual(wanted))

  it('can be switched off', () => expect(parseRun('backup-push', '/d', '--full=false').flags).toEqual({ full: false }))
  it('take the last value', () => expect(parseRun('backup-list', '--config', 'a', '--config=b').flags).toEqual({ config: 'b' }))
  it('are bundled', () => expect(parseRun('backup-push', '-fp', '/d').flags).toEqual({ full: true, permanent: true }))
  it('end at two dashes', () => expect(parseRun('wal-push', '--', '--file').args).toEqual(['--file']))
  it('leave a single dash alone', () => expect(parseRun('wal-push', '-').args).toEqual(['-']))
  it('take a value that looks like a flag', () => expect(parseRun('backup-list', '--config', '-x').flags).toEqual({ config: '-x' }))
  it('take an empty value', () => expect(parseRun('backup-list', '--walg-file-prefix=').settingFlags).toEqual({ WALG_FILE_PREFIX: '' }))
  it('keep an equals sign in a value', () =>
    expect(parseRun('backup-list', '--pgoptions=-c a=b').settingFlags).toEqual({ PGOPTIONS: '-c a=b' }))
  it('do not take the command for a value', () => expect(parseRun('--pretty', 'backup-list').command).toBe('backup-list'))

  it('of a command give settings their value', () => {
    const { settingFlags, flags } = parseRun(
      'backup-push',
      '/d',
      '-v',
      '--add-user-data',
      '{"a":1}',
      '--walg-verify-page-checksums',
      'false',
    )
    expect(settingFlags).toEqual({ WALG_VERIFY_PAGE_CHECKSUMS: 'true', WALG_SENTINEL_USER_DATA: '{"a":1}' })
    expect(flags).toMatchObject({ verify: true })
  })

  it('that stand for settings take any spelling of the name', () => {
    expect(parseRun('backup-list', '--wale-file-prefix', '/x').settingFlags).toEqual({ WALE_FILE_PREFIX: '/x' })
  })
})

describe('words', () => {
  it('know the other name of a command', () => expect(parseRun('backup-pull', '/d', 'LATEST').command).toBe('backup-fetch'))
  it('ask for help in four ways', () => {
    expect(parse()).toEqual({ kind: 'help', command: undefined })
    expect(parse('-h')).toEqual({ kind: 'help', command: undefined })
    for (const argv of [
      ['help', 'wal-push'],
      ['wal-push', '--help'],
      ['--help', 'wal-push'],
      ['wal-push', 'a', 'b', 'c', '-h'],
    ]) {
      expect(parse(...argv)).toMatchObject({ kind: 'help', command: { name: 'wal-push' } })
    }
  })
  it('ask for the version', () => {
    for (const argv of [['--version'], ['-v'], ['backup-list', '--version'], ['backup-list', '-v']])
      expect(parse(...argv)).toEqual({ kind: 'version' })
    expect(parseRun('backup-push', '-v', '/d').flags).toEqual({ verify: true })
  })
  it('ask for the list of settings', () => expect(parse('flags')).toEqual({ kind: 'flags' }))
})

describe('mistakes', () => {
  it.each([
    [['frobnicate'], 'unknown command "frobnicate"', undefined],
    [['backup-psuh'], 'unknown command "backup-psuh"', 'did you mean backup-push?'],
    [['--bogus'], 'unknown flag --bogus', undefined],
    [['backup-list', '--prety'], 'unknown flag --prety', 'did you mean --pretty?'],
    [['backup-list', '--walg-fiel-prefix=/x'], 'unknown flag --walg-fiel-prefix', 'did you mean --walg-file-prefix?'],
    [['backup-list', '-z'], 'unknown flag -z', undefined],
    [['backup-list', '--config'], '--config needs a value', undefined],
    [['backup-list', '--pretty=maybe'], '--pretty is true or false, and nothing else', undefined],
    [['help', 'nothing-like-it'], 'unknown command "nothing-like-it"', undefined],
  ])('%j', (argv, message, hint) => {
    const fault = mistake(...argv)
    expect([fault.kind, fault.code, fault.message, fault.hint]).toEqual(['invalid', 'USAGE', message, hint])
  })

  it('never repeat the value of a flag', () => {
    for (const argv of [['--pgpasword=hunter2'], ['backup-list', '--pgpasword', 'hunter2'], ['backup-list', '--pretty=hunter2']]) {
      const fault = mistake(...argv)
      expect(`${fault.message} ${fault.hint}`).not.toContain('hunter2')
    }
  })

  for (const command of commands) {
    const words = command.name.split(' ')
    it(`${command.name} counts its arguments`, () => {
      const many = Array<string>(command.maxArguments + 1).fill('x')
      expect(mistake(...words, ...many).message).toMatch(/^[a-z -]+ takes .+, got \d+ arguments?$/)
      if (command.minArguments > 0)
        expect(mistake(...words, ...many.slice(0, command.minArguments - 1)).context).toEqual({ command: command.name })
      expect(parseRun(...words, ...many.slice(1)).args).toHaveLength(command.maxArguments)
    })

    for (const flag of command.flags) {
      const argv = [
        ...words,
        ...Array<string>(command.minArguments).fill('x'),
        flag.type === 'string' ? `--${flag.name}=y` : `--${flag.name}`,
      ]
      it(argv.join(' '), () => {
        if (flag.notYet === true) {
          const fault = mistake(...argv)
          expect([fault.kind, fault.code]).toEqual(['invalid', 'NOT_AVAILABLE_YET'])
          expect(fault.message).toContain(`--${flag.name} is not available yet`)
        } else expect(parseRun(...argv).flags[flag.name]).toBe(flag.type === 'string' ? 'y' : true)
      })
    }
  }

  it('says where a backup without a directory went', () => expect(mistake('backup-push').message).toContain('backup-push "$PGDATA"'))
  it('lets a flag that is not there yet be switched off', () =>
    expect(parseRun('backup-push', '/d', '--copy-composer=false').flags).toEqual({ 'copy-composer': false }))

  it.each([
    [['wal-restore', 'x', 'y'], 'wal-restore'],
    [['pgbackrest', 'wal-fetch', 'x', '--confirm'], 'pgbackrest wal-fetch'],
    [['pgbackrest'], 'pgbackrest'],
    [['pgbackrest', 'wal-fetch', 'a', 'b'], 'pgbackrest wal-fetch'],
    [['wal-verify', 'integrity'], 'wal-verify'],
    [['help', 'daemon'], 'daemon'],
    [['pgbackrest', '--help'], 'pgbackrest'],
  ])('%j is known and not available', (argv, name) => {
    const fault = mistake(...argv)
    expect([fault.kind, fault.code]).toEqual(['invalid', 'NOT_AVAILABLE_YET'])
    expect(fault.message).toContain(`the command ${name} is not available yet`)
  })
})
