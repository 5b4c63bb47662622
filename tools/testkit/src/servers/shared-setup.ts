/**
 * Vitest's global set-up: lets the test files of a run share servers. It listens on a socket that the environment of the workers
 * names (an abstract one, so that there is no file to leave behind), starts the keeper when a first server is asked for, and ends
 * it after the last test.
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { nodeBinary } from '../binaries.ts'
import type { KeeperAnswer } from './keeper.ts'
import { SHARED_SERVERS, socketPath } from './shared-server.ts'

type Keeper = ChildProcessByStdio<Writable, Readable, null>

/** Begins to listen; what it returns ends the servers and resolves when they are gone. Does nothing where a run has it already. */
export default async function setup(): Promise<() => Promise<void>> {
  if (process.env[SHARED_SERVERS] !== undefined) return async () => undefined
  const name = `waltz-tests-${randomBytes(12).toString('hex')}`
  const broker = createBroker()
  const server = createServer((socket) => broker.serve(socket))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(socketPath(name), resolve)
  })
  server.unref()
  process.env[SHARED_SERVERS] = name
  return async () => {
    delete process.env[SHARED_SERVERS]
    server.close()
    await broker.end()
  }
}

/** Hands the names that tests ask for on to the keeper, and its answers back. */
function createBroker(): { serve(socket: Socket): void; end(): Promise<void> } {
  const answers = new Map<string, KeeperAnswer>()
  const waiting = new Map<string, Socket[]>()
  let keeper: Promise<Keeper> | undefined
  let gone: string | undefined
  const tell = (answer: KeeperAnswer): void => {
    answers.set(answer.name, answer)
    for (const socket of waiting.get(answer.name) ?? []) socket.end(`${JSON.stringify(answer)}\n`)
    waiting.delete(answer.name)
  }
  const startKeeper = async (): Promise<Keeper> => {
    const script = fileURLToPath(new URL('keeper.ts', import.meta.url))
    const child = spawn(await nodeBinary(), ['--conditions=source', script], { stdio: ['pipe', 'pipe', 'inherit'], detached: true })
    child.stdin.on('error', () => undefined)
    createInterface({ input: child.stdout }).on('line', (line) => tell(JSON.parse(line) as KeeperAnswer))
    child.once('exit', (code, signal) => {
      const problem = `the process that keeps the servers has ended (${signal ?? `exit ${String(code)}`})`
      gone = problem
      for (const name of [...answers.keys(), ...waiting.keys()]) tell({ name, problem })
    })
    child.unref()
    return child
  }
  const ask = async (name: string, socket: Socket): Promise<void> => {
    const known = answers.get(name)
    if (known !== undefined) return void socket.end(`${JSON.stringify(known)}\n`)
    waiting.set(name, [...(waiting.get(name) ?? []), socket])
    try {
      const child = await (keeper ??= startKeeper())
      if (gone === undefined) child.stdin.write(`${name}\n`)
      else tell({ name, problem: gone })
    } catch (error) {
      tell({ name, problem: String(error) })
    }
  }
  return {
    serve: (socket) => {
      socket.on('error', () => undefined)
      createInterface({ input: socket }).once('line', (name) => void ask(name, socket))
    },
    end: async () => {
      const child = await keeper?.catch(() => undefined)
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.ref()
      child.stdin.end()
      await ended
    },
  }
}
