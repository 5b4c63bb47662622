import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isFault } from '@waltz/errors'
import { nearestName } from '@waltz/settings'
import type { BackupKit } from '@waltz/backup-kit'
import { parseCommandLine, wordsOf, type Request } from './command-line.ts'
import type { CommandDefinition, CommandIo, Invocation } from './command.ts'
import { commands as allCommands, findCommand } from './commands/index.ts'
import { checkedExitCode, exitCodeFor, type RecoveryFacts } from './exit-code.ts'
import { END_OF_WAL } from './exit-codes.ts'
import { faultOfInstallation } from './fault-of-installation.ts'
import { createLog, type Log } from './log.ts'
import { createProgress } from './progress.ts'
import { openLog } from './open-log.ts'
import { openKitFor } from './open-kit.ts'
import { openSettings } from './open-settings.ts'
import { renderError } from './render-error.ts'
import { withStorageLog } from './storage-log.ts'
import { createScreen, type Screen } from './screen.ts'
import { commit, version } from './version.ts'

type RunRequest = Extract<Request, { readonly kind: 'run' }>

/** What is known so far about a run, for the exit code and the message of whatever goes wrong next. */
interface RunState {
  command: string | undefined
  log: Log
  facts: RecoveryFacts
}

/** What a program that embeds the command line may replace. */
export interface RunOptions {
  readonly commands?: readonly CommandDefinition[]
  readonly openKit?: typeof openKitFor
}

/**
 * Runs one command line and gives its exit code; never throws and never ends the process. Results go to `io.stdout`,
 * everything else to `io.stderr`.
 */
export async function run(argv: readonly string[], io: CommandIo, options: RunOptions = {}): Promise<number> {
  const { commands = allCommands, openKit = openKitFor } = options
  const screen = createScreen(io)
  const state: RunState = {
    command: guessCommand(argv, commands),
    log: createLog({ write: screen.line, now: io.now, level: 'NORMAL' }),
    facts: { standby: isStandby(io.cwd) },
  }
  try {
    const request = parseCommandLine(argv, commands)
    if (request.kind !== 'run') {
      await printAbout(request, io)
      return 0
    }
    return await runCommand(request, { io, screen, state, openKit })
  } catch (thrown) {
    const error = faultOfInstallation(thrown)
    const exitCode = exitCodeFor(error, state.command, state.facts)
    report(error, exitCode, state)
    return exitCode
  }
}

/**
 * The command that a failure must be told to, before the command line is known to be good. A line that names wal-fetch
 * anywhere, or nearly names it, is the server's restore_command: only its exit code keeps recovery from ending early.
 */
function guessCommand(argv: readonly string[], commands: readonly CommandDefinition[]): string | undefined {
  const words = wordsOf(argv, commands)
  if (argv.includes('wal-fetch')) return 'wal-fetch'
  return findCommand(words, commands)?.command.name ?? (words[0] === undefined ? undefined : nearestName(words[0], ['wal-fetch']))
}

/** `restore_command` runs in the data directory; there the server's own mark tells a standby from other recoveries. */
function isStandby(cwd: string): boolean {
  return existsSync(join(cwd, 'standby.signal'))
}

async function printAbout(request: Exclude<Request, RunRequest>, io: CommandIo): Promise<void> {
  if (request.kind === 'version') return io.stdout(`waltz version ${version} ${commit}\n`)
  const help = await import('./help.ts')
  const columns = io.terminal.interactive ? io.terminal.columns : undefined
  if (request.kind === 'flags') return io.stdout(help.renderFlags(columns))
  if (request.group !== undefined) return io.stdout(help.renderGroupHelp(request.group, columns))
  io.stdout(request.command === undefined ? help.renderRootHelp(columns) : help.renderCommandHelp(request.command, columns))
}

interface RunParts {
  readonly io: CommandIo
  readonly screen: Screen
  readonly state: RunState
  readonly openKit: typeof openKitFor
}

async function runCommand(request: RunRequest, parts: RunParts): Promise<number> {
  const { io, screen, state } = parts
  const { command } = request
  state.command = command.name
  const opened = await openSettings(request, io)
  const { settings } = opened
  state.facts = { ...state.facts, style: settings.walFetchExitCodes }
  using openedLog = openLog({ level: settings.logLevel, destination: settings.logDestination }, screen, io)
  const { log } = openedLog
  // An error must be seen even when the log goes to a file.
  state.log = openedLog.toFile ? bothLogs(log, state.log) : log
  for (const warning of opened.warnings) log.warn(warning.message)
  if (settings.logLevel === 'DEVEL') for (const line of opened.describe()) log.debug(line)
  const progress = createProgress({ screen, log, now: io.now, every: repeat })
  const kit = createKitOpener((observe) => parts.openKit(settings, io, withStorageLog(log, observe)))
  try {
    const work = await command.load()
    const { args, flags } = request
    const invocation: Invocation = {
      args,
      flags,
      settings,
      io,
      log,
      progress,
      settingWarnings: opened.warnings,
      configFile: opened.configFile,
      json: flags['json'] === true,
      openKit: kit.open,
    }
    return checkedExitCode(await work(invocation), command.name, state.facts)
  } catch (thrown) {
    // Reported while the log file is still open.
    progress.finish()
    const error = faultOfInstallation(thrown)
    const exitCode = exitCodeFor(error, command.name, state.facts)
    report(error, exitCode, state)
    return exitCode
  } finally {
    progress.finish()
    await kit.close(log)
  }
}

function bothLogs(first: Log, second: Log): Log {
  return {
    ...first,
    error(text) {
      first.error(text)
      second.error(text)
    },
  }
}

interface KitOpener {
  readonly open: Invocation['openKit']
  readonly close: (log: Log) => Promise<void>
}

/** Opens the kit on the first demand; closing it never changes how a command ended. */
function createKitOpener(openOne: Invocation['openKit']): KitOpener {
  let kit: Promise<BackupKit> | undefined
  return {
    open: (observe) => (kit ??= openOne(observe)),
    async close(log) {
      if (kit === undefined) return
      try {
        await (await kit)[Symbol.asyncDispose]()
      } catch (error) {
        log.debug(`while closing: ${error instanceof Error ? error.message : String(error)}`)
      }
    },
  }
}

function repeat(intervalMs: number, call: () => void): () => void {
  const timer = setInterval(call, intervalMs)
  timer.unref()
  return () => clearInterval(timer)
}

function report(error: unknown, exitCode: number, state: RunState): void {
  // The end of the WAL is not a mishap: recovery asks for files that are not there all the time.
  if (exitCode === END_OF_WAL && state.command === 'wal-fetch' && isFault(error)) return state.log.info(error.message)
  state.log.error(renderError(error, state.command))
  if (error instanceof Error && error.stack !== undefined) state.log.debug(error.stack)
}
