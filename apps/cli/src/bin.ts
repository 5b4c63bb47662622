#!/usr/bin/env node
// The only file that touches the process: it hands the process's facts to `run` and ends with the exit code that comes back.
import { fstatSync } from 'node:fs'
import { availableParallelism, homedir, hostname, tmpdir, userInfo } from 'node:os'
import type { CommandIo } from './command.ts'
import { EXIT_CODES, STOP_RECOVERY } from './exit-codes.ts'
import { createTextWriter } from './write-text.ts'

const argv = process.argv.slice(2)
const restores = argv.includes('wal-fetch')
/** For what goes wrong outside of `run`: an installation that lacks a file, a bug. Never to be taken for the end of the WAL. */
const crashCode = restores ? STOP_RECOVERY : EXIT_CODES.internal
// Also how Node ends when nothing is left to wait for and `run` has not come back.
process.exitCode = crashCode

let outputFailure: NodeJS.ErrnoException | undefined
const stdout = createTextWriter(1, (error) => void (outputFailure = error))
// A log that cannot be written, on a full disk for instance, must not end the work that it tells about.
const stderr = createTextWriter(2, () => undefined)

let finished = false
process.on('exit', () => {
  if (!finished) stderr('waltz: ended without a result\n')
})

function crash(error: unknown): void {
  finished = true
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  stderr(`waltz: this should not happen; please report it\n${text}\n`)
  process.exit(crashCode)
}
process.on('uncaughtException', crash)
process.on('unhandledRejection', crash)

const controller = new AbortController()
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    // The first signal asks for an orderly end; whoever sends a second one wants it now.
    if (controller.signal.aborted) end(restores ? STOP_RECOVERY : EXIT_CODES.aborted)
    controller.abort(new Error(`the process got ${name}`))
  })
}

/** Ends at once, open sockets or not; everything is written by then. */
function end(exitCode: number): void {
  finished = true
  if (outputFailure !== undefined) stderr(`waltz: the result could not be written to standard output: ${outputFailure.message}\n`)
  process.exit(outputFailure !== undefined && exitCode === 0 ? EXIT_CODES.unavailable : exitCode)
}

/** The user database, not $HOME; a user that it does not know has no name and perhaps a home. */
function currentUser(): { readonly user?: string; readonly home: string | undefined } {
  try {
    const { username, homedir: home } = userInfo()
    return { user: username, home }
  } catch {
    return { home: valueOr(homedir, undefined) }
  }
}

function valueOr<Value, Other>(read: () => Value, otherwise: Other): Value | Other {
  try {
    return read()
  } catch {
    return otherwise
  }
}

/** Streams know whether they are terminals, but are costly to make: only a device can be one. */
function terminal(): CommandIo['terminal'] {
  const device = valueOr(() => fstatSync(2).isCharacterDevice(), false)
  if (!device || !process.stderr.isTTY) return { interactive: false, columns: 80 }
  return {
    interactive: true,
    // As wide as it is now: people resize windows.
    get columns() {
      return process.stderr.columns || 80
    },
  }
}

function createIo(): CommandIo {
  const { user, home } = currentUser()
  return {
    // A copy: every look-up in the real one asks the system.
    env: { ...process.env },
    // A directory that was removed has no path; its files, which do not exist, can still be asked for.
    cwd: valueOr(() => process.cwd(), '/proc/self/cwd'),
    home,
    hostname: hostname(),
    stdout,
    stderr,
    stdoutBytes: stdout,
    stdin: () => process.stdin,
    terminal: terminal(),
    signal: controller.signal,
    now: () => new Date(),
    host: {
      ...(user === undefined ? {} : { user }),
      processId: process.pid,
      cores: availableParallelism(),
      temporaryFolder: tmpdir(),
      clock: () => performance.now(),
    },
  }
}

// Loaded only now: a failure to load ends like any other crash.
import('./run.ts').then(async ({ run }) => end(await run(argv, createIo())), damaged)

function damaged(error: unknown): void {
  finished = true
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  stderr(`waltz: this installation is incomplete or damaged: install it again, or copy the whole folder again\n${text}\n`)
  process.exit(crashCode)
}
