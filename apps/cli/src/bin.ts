#!/usr/bin/env node
// The only file that touches the process: it hands the process's facts to `run` and ends with the exit code that comes back.
import { availableParallelism, homedir, hostname, tmpdir, userInfo } from 'node:os'
import type { CommandIo } from './command.ts'
import { EXIT_CODES, STOP_RECOVERY } from './exit-codes.ts'

const argv = process.argv.slice(2)
const restores = argv.includes('wal-fetch')
/** For what goes wrong outside of `run`: an installation that lacks a file, a bug. Never to be taken for the end of the WAL. */
const crashCode = restores ? STOP_RECOVERY : EXIT_CODES.internal
// Also how Node ends when nothing is left to wait for and `run` has not come back.
process.exitCode = crashCode

let finished = false
process.on('exit', () => {
  if (!finished) process.stderr.write('waltz: ended without a result\n')
})

function crash(error: unknown): void {
  finished = true
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  try {
    process.stderr.write(`waltz: this should not happen; please report it\n${text}\n`)
  } finally {
    process.exit(crashCode)
  }
}
process.on('uncaughtException', crash)
process.on('unhandledRejection', crash)

// Who reads our output may go away (`waltz backup-list | head -1`); that changes nothing about the work.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') crash(error)
  })
}

const controller = new AbortController()
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    // The first signal asks for an orderly end; whoever sends a second one wants it now.
    if (controller.signal.aborted) end(restores ? STOP_RECOVERY : EXIT_CODES.aborted)
    controller.abort(new Error(`the process got ${name}`))
  })
}

function end(exitCode: number): void {
  finished = true
  process.exit(exitCode)
}

/** The user database, not $HOME; a user that it does not know has no name and perhaps a home. */
function currentUser(): { readonly user?: string; readonly home: string | undefined } {
  try {
    const { username, homedir: home } = userInfo()
    return { user: username, home }
  } catch {
    return { home: homedir() }
  }
}

function createIo(): CommandIo {
  const { user, home } = currentUser()
  return {
    env: process.env,
    cwd: process.cwd(),
    home,
    hostname: hostname(),
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    terminal: { interactive: process.stderr.isTTY, columns: process.stderr.columns ?? 80 },
    signal: controller.signal,
    now: () => new Date(),
    host: { ...(user === undefined ? {} : { user }), processId: process.pid, cores: availableParallelism(), temporaryFolder: tmpdir() },
  }
}

// Loaded only now: a failure to load ends like any other crash.
const { run } = await import('./run.ts')
const exitCode = await run(argv, createIo())
// Ends at once, open sockets or not, but not before everything is written.
process.stdout.write('', () => process.stderr.write('', () => end(exitCode)))
