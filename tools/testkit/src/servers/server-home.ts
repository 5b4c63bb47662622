import { spawn, type ChildProcess } from 'node:child_process'
import { appendFileSync, closeSync, existsSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { atExit } from '../at-exit.ts'
import { programExists } from '../binaries.ts'
import { baseEnvironment, runAs } from '../run-as.ts'
import { giveToOrdinaryUser, temporaryFolder } from '../temporary-folder.ts'
import { ordinaryUser } from '../users.ts'
import { isAlive, killTree } from './process-tree.ts'
import { accepts, listeningPorts } from './sockets.ts'

type Environment = Readonly<Record<string, string>>

/** The temporary folder that one server lives in, and the processes that run for it, all as the ordinary user. */
export interface ServerHome {
  readonly path: string
  /** Makes a folder below it that belongs to the ordinary user. */
  makeFolder(name: string): string
  /** Writes a file that belongs to the ordinary user, and returns its path. */
  write(name: string, content: string | Uint8Array, mode?: number): string
  /** Runs a program to its end; what it says goes to the log too. @throws Error when it fails. */
  run(command: string, args: readonly string[], env?: Environment): Promise<string>
  /** Starts a program that stays in the foreground; `name` names its log. Ends with the process that started it. */
  start(name: string, command: string, args: readonly string[], env?: Environment): ServerProcess
  /** Waits until `holds`. @throws Error when one of the processes has ended, or when it takes too long. */
  until(what: string, holds: () => Promise<boolean> | boolean): Promise<void>
  /** The end of every log. */
  logs(): string
  /** Kills every process by its id and waits until it is gone, then removes the folder. */
  stop(): Promise<void>
}

/** A program that runs in a server's home. */
export interface ServerProcess {
  readonly name: string
  readonly pid: number
  /** How it ended, while it does not run. */
  ended(): string | undefined
  /** Whether it listens on a port itself; so that a stranger who came first is not taken for it. */
  listensOn(port: number): Promise<boolean>
}

const PATIENCE_MS = 90_000
const LOG_TAIL_CHARACTERS = 4000

/** Makes a home with nothing in it but the folder of its logs. */
export function createServerHome(): ServerHome {
  const folder = temporaryFolder()
  const logFolder = folder.makeFolder('log')
  const children: { readonly process: ServerProcess; readonly child: ChildProcess }[] = []
  let stopped: Promise<void> | undefined
  const killAll = (): readonly number[] => children.flatMap(({ process }) => (process.ended() === undefined ? killTree(process.pid) : []))
  // Before the folder is removed at that moment.
  const forget = atExit(() => void killAll())

  const write = (name: string, content: string | Uint8Array, mode = 0o644): string => {
    const path = folder.join(name)
    writeFileSync(path, content, { mode })
    giveToOrdinaryUser(path)
    return path
  }
  const run = async (command: string, args: readonly string[], env: Environment = {}): Promise<string> => {
    const result = await runAs(command, args, { env: { HOME: folder.path, ...env }, cwd: folder.path, timeoutMs: PATIENCE_MS })
    const said = `${result.stdout}${result.stderr}`
    appendFileSync(join(logFolder, 'setup.log'), `$ ${command} ${args.join(' ')}\n${said}`)
    if (result.code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${result.signal ?? `exit ${String(result.code)}`}`)
    return result.stdout
  }
  const start = (name: string, command: string, args: readonly string[], env: Environment = {}): ServerProcess => {
    if (stopped !== undefined) throw new Error(`${name} shall start in a home that is closed`)
    const output = openSync(join(logFolder, `${name}.log`), 'a')
    giveToOrdinaryUser(join(logFolder, `${name}.log`))
    const [program = command, ...rest] = [...endsWithParent(), command, ...args]
    const environment = { ...baseEnvironment(), HOME: folder.path, ...env }
    const stdio = ['ignore', output, output] as const
    const child = spawn(program, rest, { cwd: folder.path, env: environment, stdio: [...stdio], detached: true, ...ordinaryUser() })
    closeSync(output)
    const server = describeProcess(name, child)
    children.push({ process: server, child })
    return server
  }
  const stop = async (): Promise<void> => {
    const pids = killAll()
    const deadline = Date.now() + 20_000
    while (pids.some(isAlive)) {
      if (Date.now() > deadline) throw new Error(`processes live on after SIGKILL: ${pids.filter(isAlive).join(', ')}`)
      await pause(10)
    }
    forget()
    await folder.dispose()
  }
  return {
    path: folder.path,
    makeFolder: (name) => folder.makeFolder(name),
    write,
    run,
    start,
    until: (what, holds) => waitUntil(what, holds, () => children.map(({ process }) => process)),
    logs: () => tails(logFolder),
    stop: () => (stopped ??= stop()),
  }
}

/** A program in front of which a process is killed when the one that started it is, however that comes to pass. */
function endsWithParent(): readonly string[] {
  return programExists('/usr/bin/setpriv') ? ['/usr/bin/setpriv', '--pdeathsig', 'KILL', '--'] : []
}

function describeProcess(name: string, child: ChildProcess): ServerProcess {
  let failure: string | undefined
  child.once('error', (error) => (failure = error.message))
  child.unref()
  const pid = child.pid ?? -1
  const ended = (): string | undefined => {
    if (failure !== undefined) return failure
    if (child.signalCode !== null) return `was ended by ${child.signalCode}`
    return child.exitCode === null ? undefined : `ended with exit ${child.exitCode}`
  }
  const listensOn = async (port: number): Promise<boolean> => {
    const ports = listeningPorts(pid)
    return ports === undefined ? accepts(port) : ports.includes(port)
  }
  return { name, pid, ended, listensOn }
}

async function waitUntil(what: string, holds: () => Promise<boolean> | boolean, processes: () => readonly ServerProcess[]): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    for (const one of processes()) {
      const ended = one.ended()
      if (ended !== undefined) throw new Error(`${one.name} ${ended}`)
    }
    if (await holds()) return
    if (Date.now() > deadline) throw new Error(`${what} took longer than ${PATIENCE_MS / 1000} s`)
    await pause(25)
  }
}

/** The end of every log in a folder, with its name above it. */
export function tails(folder: string): string {
  if (!existsSync(folder)) return `${folder} is gone`
  return readdirSync(folder)
    .filter((name) => name.endsWith('.log'))
    .map((name) => {
      const text = readFileSync(join(folder, name), 'utf8').trimEnd()
      return `--- ${name}\n${text.slice(-LOG_TAIL_CHARACTERS)}\n`
    })
    .join('')
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
