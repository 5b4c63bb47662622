import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Fault, type FaultKind } from '@waltz/errors'
import { describe, expect, it } from 'vitest'
import { commands, EXIT_CODES, run, type CommandDefinition, type CommandIo, type Invocation, type RunOptions } from '../src/index.ts'
import { createFakeIo } from './fake-io.ts'

/** The real definitions with other work behind them. */
function commandsThat(work: (invocation: Invocation) => Promise<number>): readonly CommandDefinition[] {
  return commands.map((command) => ({ ...command, load: () => Promise.resolve(work) }))
}

async function runOnce(argv: readonly string[], parts: Partial<CommandIo> = {}, options: RunOptions = {}) {
  using io = createFakeIo(parts)
  const code = await run(argv, io, options)
  return { code, out: io.out(), err: io.err() }
}

const failWith = (error: unknown): RunOptions => ({ commands: commandsThat(() => Promise.reject(error)) })
const goodArguments = (command: CommandDefinition) => Array<string>(command.minArguments).fill('x')

describe('help and version', () => {
  it('go to standard output and end with 0, configuration or not', async () => {
    const env = { WALG_S3_PREFIX: 's3://x', WALG_CONFIG_PATH: '/missing.json' }
    for (const argv of [[], ['--help'], ['help'], ['flags'], ['--version'], ...commands.map((command) => ['help', command.name])]) {
      const { code, out, err } = await runOnce(argv, { env })
      expect([argv, code, err]).toEqual([argv, 0, ''])
      expect(out).toMatch(/\n$/)
    }
  })

  it('list every command with its summary', async () => {
    const { out } = await runOnce([])
    const text = out.replaceAll(/\s+/g, ' ')
    for (const command of commands) expect(text).toContain(` ${command.name} ${command.summary}`)
    for (const expected of ['--config', 'WALG_FILE_PREFIX', '~/.walg.json', 'waltz backup-push "$PGDATA"']) expect(out).toContain(expected)
  })

  it('show usage, every flag, the settings with their defaults, and examples', async () => {
    for (const command of commands) {
      const { out } = await runOnce([...command.name.split(' '), '--help'])
      expect(out).toContain(`Usage: waltz ${command.name}`)
      for (const flag of command.flags) expect(out).toContain(`--${flag.name}`)
      for (const name of command.settings) expect(out).toMatch(new RegExp(`^ {2}${name} +[A-Z]`, 'm'))
      for (const example of command.examples) expect(out).toContain(example.command)
      expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThan(130)
    }
    expect((await runOnce(['backup-push', '-h'])).out).toMatch(/WALG_UPLOAD_QUEUE [^_]*Default:\s+2\./)
  })

  it('say version and commit', async () => expect((await runOnce(['--version'])).out).toBe('waltz version devel devel\n'))

  it('list every setting', async () => {
    const { out } = await runOnce(['flags'])
    for (const flag of ['--walg-file-prefix, --wale-file-prefix', '--walg-s3-prefix', '--pghost']) expect(out).toContain(flag)
  })
})

describe('usage errors', () => {
  for (const command of commands) {
    const expected = command.name === 'wal-fetch' ? 200 : 2
    it.each([
      ['an unknown flag', [command.name, '--bogus']],
      ['too many arguments', [command.name, ...Array<string>(command.maxArguments + 1).fill('x')]],
      ['a flag without its value', [command.name, '--config']],
      ['a storage that is not there yet', [command.name, ...goodArguments(command), '--target-storage', 'second']],
      ['a malformed setting', [command.name, ...goodArguments(command), '--walg-upload-queue', 'x']],
      ['a missing config file', [command.name, ...goodArguments(command), '--config', 'missing.json']],
      ['a log that cannot be opened', [command.name, ...goodArguments(command), '--walg-log-destination', '/no/such/folder/log']],
    ])(`${command.name} with %s ends with ${expected}`, async (_what, argv) => {
      const { code, out, err } = await runOnce(argv)
      expect(code).toBe(expected)
      expect(out).toBe('')
      expect(err).toMatch(/^ERROR: 2026\/03\/01 02:10:44\.123000 /)
      expect(err).toMatch(/^ {2}code: [A-Z_]+$/m)
      expect(err).toMatch(/^ {2}(hint|next): /m)
    })
  }

  it('say what to type next', async () => {
    expect((await runOnce(['backup-list', '--prety'])).err).toBe(
      [
        'ERROR: 2026/03/01 02:10:44.123000 backup-list: unknown flag --prety',
        '  code: USAGE',
        '  hint: did you mean --pretty?',
        '  next: waltz backup-list --help',
        '',
      ].join('\n'),
    )
    expect((await runOnce(['backup-lst'])).err).toContain('  next: waltz --help\n')
  })

  it('of a line that means wal-fetch stop recovery', async () => {
    const lines = [
      ['wal-fetch'],
      ['wal-ftch', 'a', 'b'],
      ['walfetch', 'a', 'b'],
      ['--bogus', 'wal-fetch', 'a', 'b'],
      ['pgbackrest', 'wal-fetch', 'a', 'b'],
    ]
    for (const argv of lines) expect([argv, (await runOnce(argv)).code]).toEqual([argv, 200])
  })
})

describe('exit codes', () => {
  const kinds = Object.keys(EXIT_CODES) as FaultKind[]

  it.each(kinds)('%s', async (kind) => {
    const fault = new Fault(kind, 'SOME_CODE', 'it failed')
    for (const command of commands.filter(({ name }) => name !== 'wal-fetch')) {
      expect((await runOnce([command.name, ...goodArguments(command)], {}, failWith(fault))).code).toBe(EXIT_CODES[kind])
    }
    expect((await runOnce(['wal-fetch', 'a', 'b'], {}, failWith(fault))).code).toBe(200)
  })

  it('of a bug', async () => {
    expect((await runOnce(['backup-list'], {}, failWith(new TypeError('oops')))).code).toBe(70)
    expect((await runOnce(['wal-push', 'x'], {}, failWith('text'))).code).toBe(70)
    expect((await runOnce(['wal-fetch', 'a', 'b'], {}, failWith(undefined))).code).toBe(200)
  })

  const absent = new Fault('not-found', 'WAL_NOT_FOUND', 'no such file in the archive')
  const standby = async (options: RunOptions, signalFile = 'standby.signal', flags: readonly string[] = []) => {
    using io = createFakeIo()
    writeFileSync(join(io.cwd, signalFile), '')
    return await run(['wal-fetch', 'a', 'b', ...flags], io, options)
  }

  it('74 says only that the archive has no such file', async () => {
    const { code, err } = await runOnce(['wal-fetch', 'a', 'b'], {}, failWith(absent))
    expect(code).toBe(74)
    expect(err).toBe('INFO: 2026/03/01 02:10:44.123000 no such file in the archive\n')
    expect((await runOnce(['wal-fetch', 'a', 'b'], {}, failWith(new Fault('not-found', 'STORAGE_NOT_FOUND', 'x')))).code).toBe(200)
  })

  it('75 is for a standby whose archive may come right', async () => {
    const down = failWith(new Fault('unavailable', 'STORAGE_DOWN', 'x'))
    expect(await standby(down)).toBe(75)
    expect(await standby(down, 'recovery.signal')).toBe(200)
    expect(await standby(failWith(new Fault('unavailable', 'WAL_HOLE', 'x', { retryable: false })))).toBe(75)
    expect(await standby(failWith(new Fault('invalid', 'WAL_ARCHIVE_EMPTY', 'x')))).toBe(75)
    expect(await standby(failWith(new Fault('corrupt', 'X', 'x')))).toBe(200)
    expect(await standby(failWith(new Fault('invalid', 'X', 'x')))).toBe(200)
    expect(await standby(failWith(absent))).toBe(74)
    expect(await standby({}, 'standby.signal', ['--bogus'])).toBe(200)
  })

  it("wal-fetch gives WAL-G's own codes where a setting asks for them", async () => {
    const env = { WALTZ_WAL_FETCH_EXIT_CODES: 'wal-g' }
    expect((await runOnce(['wal-fetch', 'a', 'b'], { env }, failWith(absent))).code).toBe(74)
    expect((await runOnce(['wal-fetch', 'a', 'b'], { env }, failWith(new Fault('corrupt', 'X', 'x')))).code).toBe(1)
    expect((await runOnce(['wal-fetch', 'a'], { env })).code).toBe(200)
  })

  it('that a command returns are kept within what its caller understands', async () => {
    const returning = (code: number) => ({ commands: commandsThat(() => Promise.resolve(code)) })
    const fetched = async (code: number) => (await runOnce(['wal-fetch', 'a', 'b'], {}, returning(code))).code
    expect([await fetched(0), await fetched(74), await fetched(200), await fetched(1), await fetched(75)]).toEqual([0, 74, 200, 200, 200])
    expect(await standby(returning(75))).toBe(75)
    expect((await runOnce(['wal-push', 'x'], {}, returning(200))).code).toBe(125)
    expect((await runOnce(['backup-list'], {}, returning(3))).code).toBe(3)
  })
})

describe('a run', () => {
  it('gives the command its settings, warnings and config file', async () => {
    using io = createFakeIo({ env: { WALG_UPLOAD_QUEUE: '5', WALG_FIEL_PREFIX: '/x', WALG_DELTA_MAX_STEPS: '6' } })
    const path = join(io.cwd, 'c.yaml')
    writeFileSync(path, 'walg_file_prefix: /backups\nwalg_upload_queue: 9\n')
    let seen: Invocation | undefined
    const options = { commands: commandsThat((invocation) => Promise.resolve(((seen = invocation), 0))) }
    expect(await run(['backup-push', '/d', '--json', '--config', 'c.yaml', '-p', '--turbo', '--verify'], io, options)).toBe(0)
    expect(seen).toMatchObject({
      args: ['/d'],
      json: true,
      configFile: path,
      flags: { permanent: true, json: true },
      settings: { filePrefix: '/backups', uploadQueue: 5, uploadDiskConcurrency: 4, verifyPageChecksums: true },
      settingWarnings: [{ name: 'WALG_DELTA_MAX_STEPS' }, { name: 'WALG_FIEL_PREFIX', nearest: 'WALG_FILE_PREFIX' }],
    })
    expect(io.err().match(/^WARNING: .*$/gm)).toHaveLength(2)
    expect(io.out()).toBe('')
  })

  it('closes the kit that the command opened, once, however it ends', async () => {
    for (const end of [() => Promise.resolve(0), () => Promise.reject(new Fault('corrupt', 'X', 'x'))]) {
      let opened = 0
      let closed = 0
      const openKit = () => Promise.resolve({ opened: (opened += 1), [Symbol.asyncDispose]: () => Promise.resolve(void (closed += 1)) })
      const work = async (invocation: Invocation) => {
        await invocation.openKit()
        await invocation.openKit()
        return await end()
      }
      await runOnce(
        ['backup-list'],
        {},
        { commands: commandsThat(work), openKit: openKit as unknown as NonNullable<RunOptions['openKit']> },
      )
      expect([opened, closed]).toEqual([1, 1])
    }
  })

  it('does not change its end when closing fails', async () => {
    const openKit = () => Promise.resolve({ [Symbol.asyncDispose]: () => Promise.reject(new Error('stuck')) })
    const work = async (invocation: Invocation) => ((await invocation.openKit()) === undefined ? 1 : 0)
    const options = { commands: commandsThat(work), openKit: openKit as unknown as NonNullable<RunOptions['openKit']> }
    expect((await runOnce(['backup-list'], {}, options)).code).toBe(0)
  })

  it('logs to the file that a setting names, and errors to standard error too', async () => {
    using io = createFakeIo({ env: { WALG_LOG_DESTINATION: 'waltz.log' } })
    const path = join(io.cwd, 'waltz.log')
    writeFileSync(path, 'before\n')
    const work = (invocation: Invocation) => {
      invocation.log.info('hello')
      return Promise.reject(new Fault('corrupt', 'BROKEN', 'it broke'))
    }
    expect(await run(['backup-list'], io, { commands: commandsThat(work) })).toBe(24)
    const text = readFileSync(path, 'utf8')
    expect(text).toMatch(/^before\nINFO: .* hello\nERROR: .* backup-list: it broke\n {2}code: BROKEN\n/)
    expect(io.err()).toMatch(/^ERROR: .*it broke/)
    expect(io.err()).not.toContain('hello')
  })

  it('tells every setting and its origin at level DEVEL, secrets hidden, and the stack of an error', async () => {
    const env = { WALG_LOG_LEVEL: 'DEVEL', PGPASSWORD: 'hunter2', WALG_FILE_PREFIX: '/backups' }
    const { err } = await runOnce(['backup-list'], { env }, failWith(new Error('oops')))
    expect(err).toContain('WALG_FILE_PREFIX=/backups (environment)\n')
    expect(err).toContain('PGPASSWORD=(hidden) (environment)\n')
    expect(err).not.toContain('hunter2')
    expect(err).toMatch(/^DEBUG: .* Error: oops\n {4}at /m)
  })
})
