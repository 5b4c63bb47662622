import { closeSync, copyFileSync, existsSync, openSync, readFileSync, writeFileSync, appendFileSync } from 'node:fs'
import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { createServer } from 'node:net'
import type { Client, QueryResult } from 'pg'
import { atExit } from './at-exit.ts'
import { postgresBinaries, type PostgresMajor } from './binaries.ts'
import { createDataDirectory, majorOf, makeTablespaceFolder } from './cluster-template.ts'
import { PgClient, quoteIdentifier, quoteLiteral } from './pg-client.ts'
import { baseEnvironment } from './run-as.ts'
import { giveToOrdinaryUser, temporaryFolder } from './temporary-folder.ts'
import { ordinaryUser } from './users.ts'

/** Settings by name; written as they are, quoted for postgresql.conf. */
export type ServerSettings = Readonly<Record<string, string | number | boolean>>

/** What a test wants of a cluster. */
export interface ClusterOptions {
  readonly major: PostgresMajor
  /** Written to postgresql.conf, so that they are part of the data directory and of its backups. */
  readonly settings?: ServerSettings
  /** Environment of the server and so of archive_command and restore_command. */
  readonly env?: Readonly<Record<string, string>>
  /** Must not exist; the default is `data` in a folder of the cluster's own. */
  readonly dataDirectory?: string
  readonly initdbArgs?: readonly string[]
  /** Where pg_wal lies when it shall be a symbolic link. Must not exist. */
  readonly walDirectory?: string
  /** Tablespaces to create after the start: name to location. */
  readonly tablespaces?: Readonly<Record<string, string>>
  /** Listen on a free port of 127.0.0.1 too; otherwise there is only the unix socket. */
  readonly tcp?: boolean
  /** Make the data directory but do not start. */
  readonly stopped?: boolean
}

/** How to reach a server, as the pg package takes it. */
export interface ConnectionSettings {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
}

/** What became of a server that was told to start. */
export type StartOutcome = 'ready' | 'exited' | 'waiting'

/** How to wait for a starting server. */
export interface StartOptions {
  readonly timeoutMs?: number
  /** Return `exited` or `waiting` (still recovering when the time was over) instead of failing. */
  readonly mayFail?: boolean
}

/** A PostgreSQL server of a test's own. */
export interface TestCluster extends AsyncDisposable {
  readonly major: PostgresMajor
  readonly dataDirectory: string
  readonly socketDirectory: string
  readonly port: number
  readonly connection: ConnectionSettings
  /** PGHOST, PGPORT, PGUSER, PGDATABASE and PGDATA. */
  readonly env: Readonly<Record<string, string>>
  /** Runs SQL on a connection of its own; rows of the last statement. */
  query<Row = Record<string, any>>(sql: string, parameters?: readonly unknown[], database?: string): Promise<Row[]>
  /** A connection to keep; ended by the caller. */
  connect(database?: string): Promise<Client>
  /** Waits until it accepts connections. @throws Error with the log when it does not, unless `mayFail`. */
  start(options?: StartOptions): Promise<StartOutcome>
  stop(mode?: 'smart' | 'fast' | 'immediate'): Promise<void>
  /** Kills the postmaster with SIGKILL and waits until its children are gone too. */
  kill(): Promise<void>
  restart(): Promise<void>
  /** Adds settings to postgresql.conf and reloads them when the server runs. */
  configure(settings: ServerSettings): Promise<void>
  /** Sets the environment for the next start. */
  setEnvironment(env: Readonly<Record<string, string>>): void
  /** Everything the server has printed since it was made. */
  log(): string
  isRunning(): boolean
  /** Pid of the postmaster, when it runs. */
  pid(): number | undefined
  /** Polls `sql` (one row, one column) until its text is `expected`. */
  waitForValue(sql: string, expected: string, timeoutMs?: number): Promise<void>
  dispose(): Promise<void>
}

/** Makes a new cluster, starts it, and creates its tablespaces. */
export async function startCluster(options: ClusterOptions): Promise<TestCluster> {
  const work = temporaryFolder()
  const dataDirectory = options.dataDirectory ?? work.join('data')
  const { major, walDirectory, initdbArgs = [] } = options
  await createDataDirectory(dataDirectory, { major, initdbArgs, walDirectory })
  if (options.settings !== undefined) appendSettings(dataDirectory, options.settings)
  const cluster = await openCluster(dataDirectory, { ...options, settings: {}, work })
  if (options.stopped === true) return cluster
  try {
    await cluster.start()
    for (const [name, location] of Object.entries(options.tablespaces ?? {})) {
      if (location !== '') makeTablespaceFolder(location)
      await cluster.query(`create tablespace ${quoteIdentifier(name)} location ${quoteLiteral(location)}`)
    }
  } catch (error) {
    await cluster.dispose()
    throw error
  }
  return cluster
}

/** Options of `startRestored`. */
export interface RestoredOptions extends StartOptions {
  /** Given on the command line, so that they win over every file in the directory. */
  readonly settings?: ServerSettings
  readonly env?: Readonly<Record<string, string>>
  readonly tcp?: boolean
  /** Only make the handle. */
  readonly stopped?: boolean
}

/**
 * Starts a server on a directory that something else made (a restore, a copy). The directory itself is not changed and
 * not removed by `dispose`. With `mayFail`, look at `isRunning()` and `log()` of what comes back.
 */
export async function startRestored(directory: string, major?: PostgresMajor, options: RestoredOptions = {}): Promise<TestCluster> {
  const cluster = await openCluster(directory, { ...options, major: major ?? majorOf(directory), work: temporaryFolder() })
  if (options.stopped === true) return cluster
  try {
    await cluster.start(options)
  } catch (error) {
    await cluster.dispose()
    throw error
  }
  return cluster
}

interface OpenOptions {
  readonly major: PostgresMajor
  readonly settings?: ServerSettings
  readonly env?: Readonly<Record<string, string>>
  readonly tcp?: boolean
  readonly work: ReturnType<typeof temporaryFolder>
}

async function openCluster(dataDirectory: string, options: OpenOptions): Promise<TestCluster> {
  const { major, work } = options
  const binaries = await postgresBinaries(major)
  const port = options.tcp === true ? await freePort() : 5432
  const socketDirectory = work.makeFolder('s')
  const logPath = work.join('server.log')
  writeFileSync(logPath, '')
  giveToOrdinaryUser(logPath)
  const always: ServerSettings = {
    unix_socket_directories: socketDirectory,
    port,
    listen_addresses: options.tcp === true ? '127.0.0.1' : '',
    fsync: false,
    shared_buffers: '16MB',
    logging_collector: false,
    log_destination: 'stderr',
    ...options.settings,
  }
  const args = ['-D', dataDirectory, ...Object.entries(always).flatMap(([name, value]) => ['-c', `${name}=${settingText(value)}`])]
  const connection: ConnectionSettings = { host: socketDirectory, port, user: 'postgres', database: 'postgres' }
  let environment = options.env ?? {}
  let server: ChildProcess | undefined

  const isRunning = (): boolean => server !== undefined && server.exitCode === null && server.signalCode === null
  const log = (): string => readFileSync(logPath, 'utf8')
  const forget = atExit(() => void (isRunning() && server?.kill('SIGQUIT')))

  const connect = async (database = 'postgres'): Promise<Client> => {
    const client = new PgClient({ ...connection, database })
    client.on('error', () => undefined)
    await client.connect()
    return client
  }
  const query = async (sql: string, parameters?: readonly unknown[], database?: string): Promise<any[]> => {
    const client = await connect(database)
    try {
      const result: QueryResult | QueryResult[] = await client.query(sql, parameters === undefined ? undefined : [...parameters])
      return (Array.isArray(result) ? result.at(-1)?.rows : result.rows) ?? []
    } finally {
      await client.end().catch(() => undefined)
    }
  }
  const exited = async (): Promise<void> => {
    if (server !== undefined && isRunning()) await new Promise((resolve) => server?.once('exit', resolve))
  }
  const start = async ({ timeoutMs = 60_000, mayFail = false }: StartOptions = {}): Promise<StartOutcome> => {
    if (isRunning()) throw new Error(`the server of ${dataDirectory} runs already`)
    const output = openSync(logPath, 'a')
    const env = { ...baseEnvironment(), ...environment }
    server = spawn(binaries.postgres, args, { env, cwd: '/', stdio: ['ignore', output, output], ...ordinaryUser() })
    closeSync(output)
    const failure = new Promise<never>((_, reject) => server?.once('error', reject))
    failure.catch(() => undefined)
    const outcome = await Promise.race([waitUntilReady(dataDirectory, () => (isRunning() ? server?.pid : undefined), timeoutMs), failure])
    if (outcome === 'ready' || mayFail) return outcome
    throw new Error(`PostgreSQL ${major} did not start (${outcome}):\n${log()}`)
  }
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (!isRunning()) return
    server?.kill(signal)
    const patience = setTimeout(() => server?.kill('SIGQUIT'), 60_000)
    await exited()
    clearTimeout(patience)
  }
  const kill = async (): Promise<void> => {
    if (!isRunning()) return
    const children = childrenOf(server?.pid ?? 0)
    server?.kill('SIGKILL')
    await exited()
    const deadline = Date.now() + 20_000
    while (children.some(alive)) {
      if (Date.now() > deadline) throw new Error('children of a killed postmaster live on')
      await pause(20)
    }
  }
  const dispose = async (): Promise<void> => {
    await end('SIGQUIT')
    forget()
    await work.dispose()
  }
  return {
    major,
    dataDirectory,
    socketDirectory,
    port,
    connection,
    env: { PGHOST: socketDirectory, PGPORT: String(port), PGUSER: 'postgres', PGDATABASE: 'postgres', PGDATA: dataDirectory },
    query,
    connect,
    start,
    stop: (mode = 'fast') => end(({ smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const)[mode]),
    kill,
    restart: async () => {
      await end('SIGINT')
      await start()
    },
    configure: async (settings) => {
      appendSettings(dataDirectory, settings)
      if (isRunning()) await query('select pg_reload_conf()')
    },
    setEnvironment: (env) => {
      environment = env
    },
    log,
    isRunning,
    pid: () => (isRunning() ? server?.pid : undefined),
    waitForValue: async (sql, expected, timeoutMs = 60_000) => {
      const deadline = Date.now() + timeoutMs
      for (;;) {
        const [row] = await query(sql)
        const value = row === undefined ? undefined : String(Object.values(row as object)[0])
        if (value === expected) return
        if (Date.now() > deadline) throw new Error(`${sql} gave ${String(value)}, not ${expected}\n${log()}`)
        await pause(50)
      }
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  }
}

async function waitUntilReady(dataDirectory: string, runningPid: () => number | undefined, timeoutMs: number): Promise<StartOutcome> {
  const deadline = Date.now() + timeoutMs
  const pidFile = join(dataDirectory, 'postmaster.pid')
  for (;;) {
    const pid = runningPid()
    if (pid === undefined) return 'exited'
    if (existsSync(pidFile)) {
      const lines = readFileSync(pidFile, 'utf8').split('\n')
      if (lines[0] === String(pid) && lines[7]?.trim() === 'ready') return 'ready'
    }
    if (Date.now() > deadline) return 'waiting'
    await pause(15)
  }
}

function appendSettings(dataDirectory: string, settings: ServerSettings): void {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${settingText(value).replaceAll("'", "''")}'\n`)
  appendFileSync(join(dataDirectory, 'postgresql.conf'), lines.join(''))
}

function settingText(value: string | number | boolean): string {
  return typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value)
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

function alive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** A TCP port of 127.0.0.1 that nobody uses right now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

/** Puts a file into the data directory as the server's own. */
export function writeServerFile(path: string, content: string | Uint8Array): void {
  writeFileSync(path, content, { mode: 0o600 })
  giveToOrdinaryUser(path)
}

/** Copies a file into the data directory as the server's own. */
export function copyServerFile(from: string, to: string): void {
  copyFileSync(from, to)
  giveToOrdinaryUser(to)
}
