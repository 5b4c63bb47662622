#!/usr/bin/env node
// The only file that touches the process: it hands its facts to `run` and ends with the exit code that comes back.
import { availableParallelism, homedir, hostname, tmpdir, userInfo } from 'node:os'
import type { CommandIo } from './command.ts'
import { EXIT_CODES, STOP_RECOVERY } from './exit-code.ts'
import { run } from './run.ts'

const argv = process.argv.slice(2)
/** For what goes wrong outside of `run`. A restore_command must never look like the end of the WAL. */
const crashCode = argv.includes('wal-fetch') ? STOP_RECOVERY : EXIT_CODES.internal

function crash(error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  try {
    process.stderr.write(`waltz: this is a bug, please report it\n${text}\n`)
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
    if (controller.signal.aborted) process.exit(argv.includes('wal-fetch') ? STOP_RECOVERY : EXIT_CODES.aborted)
    controller.abort(new Error(`the process got ${name}`))
  })
}

/** The user database, not $HOME; a user that it does not know has neither name nor home. */
function currentUser(): { readonly user?: string; readonly home: string | undefined } {
  try {
    const { username, homedir: home } = userInfo()
    return { user: username, home }
  } catch {
    return { home: homedir() }
  }
}

const { user, home } = currentUser()
const io: CommandIo = {
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

const exitCode = await run(argv, io)
// Ends at once, sockets or not, but not before everything is written.
process.exitCode = exitCode
process.stdout.write('', () => process.stderr.write('', () => process.exit(exitCode)))
