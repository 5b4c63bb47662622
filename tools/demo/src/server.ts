import type { ChildProcess } from 'node:child_process'
import { chownSync, closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import type { Playground } from './playground.ts'

/** A PostgreSQL server of the demo. */
export interface DemoServer {
  readonly dataDirectory: string
  readonly socketDirectory: string
  /** PGHOST and so on, for waltz. */
  readonly environment: Readonly<Record<string, string>>
  /** Rows of a statement. */
  query<Row extends object>(sql: string): Promise<Row[]>
  /** The one value that a query gives, as text. */
  value(sql: string): Promise<string>
  stop(): Promise<void>
  log(): string
}

/** Starts PostgreSQL on a data directory and waits until it answers, read-only or not. */
export async function startServer(playground: Playground, name: string, env: Readonly<Record<string, string>>): Promise<DemoServer> {
  const dataDirectory = join(playground.path, name)
  const socketDirectory = playground.makeFolder(`${name}-socket`)
  const logFile = join(playground.path, `${name}.log`)
  const output = openSync(logFile, 'a')
  const settings = { unix_socket_directories: socketDirectory, listen_addresses: '', logging_collector: 'off' }
  const args = ['-D', dataDirectory, ...Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`])]
  const child = playground.start(join(playground.postgresBin, 'postgres'), args, { env, output })
  closeSync(output)
  if (playground.changesUser) chownSync(logFile, 65_534, 65_534)
  const log = (): string => readFileSync(logFile, 'utf8')
  await ready(
    child,
    join(dataDirectory, 'postmaster.pid'),
    () => new Error(`PostgreSQL did not start:\n${log().split('\n').slice(-20).join('\n')}`),
  )
  const query = async <Row extends object>(sql: string): Promise<Row[]> => {
    const client = new Client({ host: socketDirectory, port: 5432, user: 'postgres', database: 'postgres', statement_timeout: 120_000 })
    client.on('error', () => undefined)
    await client.connect()
    try {
      return (await client.query<Row>(sql)).rows
    } finally {
      await client.end().catch(() => undefined)
    }
  }
  return {
    dataDirectory,
    socketDirectory,
    environment: { PGHOST: socketDirectory, PGPORT: '5432', PGUSER: 'postgres', PGDATABASE: 'postgres' },
    query,
    value: async (sql) => String(Object.values((await query<Record<string, unknown>>(sql))[0] ?? {})[0]),
    stop: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGINT')
      await ended
    },
    log,
  }
}

async function ready(child: ChildProcess, pidFile: string, failure: () => Error): Promise<void> {
  let problem: Error | undefined
  child.once('error', (error) => (problem = error))
  for (let attempt = 0; attempt < 3000; attempt += 1) {
    if (problem !== undefined) throw problem
    if (child.exitCode !== null || child.signalCode !== null) throw failure()
    if (existsSync(pidFile)) {
      const lines = readFileSync(pidFile, 'utf8').split('\n')
      if (lines[0] === String(child.pid) && lines[7]?.trim() === 'ready') return
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw failure()
}
