import { spawn, type ChildProcess } from 'node:child_process'
import { constants } from 'node:os'
import { atExit } from './at-exit.ts'
import { ordinaryUser } from './users.ts'

/** How a program is started. The environment is a small fixed one plus `env`; nothing of the test's own leaks in. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  /** `ordinary` (the default) is the user that servers run as; `self` is whoever runs the tests. */
  readonly user?: 'ordinary' | 'self'
  readonly input?: string | Uint8Array
  /** The process is killed after this time; the default is two minutes. */
  readonly timeoutMs?: number
}

/** How a program ended. */
export interface RunResult {
  /** The exit code, or undefined when a signal ended it. */
  readonly code: number | undefined
  readonly signal: NodeJS.Signals | undefined
  readonly stdout: string
  readonly stderr: string
}

/** A program that is still running. */
export interface RunningProcess {
  readonly pid: number
  readonly child: ChildProcess
  /** Settles when the process and its pipes have ended; never rejects for an exit code. */
  readonly exited: Promise<RunResult>
  /** What it has printed so far. */
  stdout(): string
  stderr(): string
  /** Sends a signal; SIGKILL unless told otherwise. */
  kill(signal?: NodeJS.Signals): void
  /** Resolves when `pattern` has appeared on standard output or standard error; rejects when the process ends before. */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<void>
}

/** The environment every program under test starts from: no home, UTC, the C locale. */
export function baseEnvironment(): Record<string, string> {
  return { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC', HOME: '/nonexistent' }
}

/** Starts a program and returns at once. It is killed when the test process exits. */
export function startAs(command: string, args: readonly string[], options: RunOptions = {}): RunningProcess {
  const user = options.user === 'self' ? undefined : ordinaryUser()
  const env = { ...baseEnvironment(), ...options.env }
  const child = spawn(command, args, { env, cwd: options.cwd ?? '/', ...user, stdio: ['pipe', 'pipe', 'pipe'] })
  const text = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8')
    child[name].on('data', (chunk: string) => (text[name] += chunk))
  }
  const exited = whenExited(child, text, { command, timeoutMs: options.timeoutMs ?? 120_000 })
  child.stdin.on('error', () => undefined)
  child.stdin.end(options.input ?? '')
  const running: RunningProcess = {
    pid: child.pid ?? -1,
    child,
    exited,
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    kill: (signal = 'SIGKILL') => void child.kill(signal),
    waitFor: (pattern, timeoutMs) => waitForText(running, pattern, timeoutMs ?? 60_000),
  }
  return running
}

/** Runs a program to its end. Rejects only when it could not be started or ran out of time. */
export async function runAs(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return startAs(command, args, options).exited
}

/** Runs a program that must succeed and returns its standard output. */
export async function mustRun(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await runAs(command, args, options)
  if (result.code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${describeEnd(result)}\n${result.stdout}${result.stderr}`)
  return result.stdout
}

/** `exit 3` or `SIGKILL`, for messages. */
export function describeEnd(result: RunResult): string {
  return result.signal ?? `exit ${String(result.code)}`
}

function whenExited(
  child: ChildProcess,
  text: { readonly stdout: string; readonly stderr: string },
  limits: { readonly command: string; readonly timeoutMs: number },
): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const forget = atExit(() => void child.kill('SIGKILL'))
    let late = false
    const timer = setTimeout(() => {
      late = true
      child.kill('SIGKILL')
    }, limits.timeoutMs)
    const finish = (): void => {
      clearTimeout(timer)
      forget()
    }
    child.once('error', (error) => {
      finish()
      reject(error)
    })
    child.once('close', (code, signal) => {
      finish()
      if (late) reject(new Error(`${limits.command} did not end within ${limits.timeoutMs} ms\n${text.stdout}${text.stderr}`))
      else resolve({ code: code ?? undefined, signal: signal ?? undefined, stdout: text.stdout, stderr: text.stderr })
    })
  })
}

async function waitForText(running: RunningProcess, pattern: RegExp, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!pattern.test(running.stdout() + running.stderr())) {
    const output = (): string => `${running.stdout()}${running.stderr()}`
    if (running.child.exitCode !== null || running.child.signalCode !== null) {
      await running.exited
      if (pattern.test(output())) return
      throw new Error(`the process ended before ${String(pattern)} appeared:\n${output()}`)
    }
    if (Date.now() > deadline) throw new Error(`${String(pattern)} did not appear within ${timeoutMs} ms:\n${output()}`)
    await new Promise((wake) => setTimeout(wake, 10))
  }
}

/** The number of a signal, for tests of exit codes (128 + n). */
export function signalNumber(name: NodeJS.Signals): number {
  return constants.signals[name]
}
