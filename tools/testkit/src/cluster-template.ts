import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { postgresBinaries, type PostgresMajor } from './binaries.ts'
import { renewClusterIdentity } from './cluster-identity.ts'
import { mustRun } from './run-as.ts'
import { cached, fingerprint } from './shared-cache.ts'
import { giveToOrdinaryUser, temporaryFolder } from './temporary-folder.ts'

/** What decides how a new cluster looks. */
export interface ClusterShape {
  readonly major: PostgresMajor
  /** Extra arguments for initdb, such as `--data-checksums` or `--wal-segsize=1`. */
  readonly initdbArgs: readonly string[]
  /** Where pg_wal shall lie, with a symbolic link in the data directory. */
  readonly walDirectory: string | undefined
}

/** Makes a cluster in `dataDirectory` (which must not exist) by copying one that initdb made earlier for the same shape. */
export async function createDataDirectory(dataDirectory: string, shape: ClusterShape): Promise<void> {
  const template = await clusterTemplate(shape)
  execFileSync('cp', ['-a', join(template, 'data'), dataDirectory])
  renewClusterIdentity(dataDirectory)
  if (shape.walDirectory === undefined) return
  if (existsSync(shape.walDirectory)) throw new Error(`${shape.walDirectory} exists already`)
  renameSync(join(dataDirectory, 'pg_wal'), shape.walDirectory)
  await mustRun('ln', ['-s', shape.walDirectory, join(dataDirectory, 'pg_wal')])
}

async function clusterTemplate(shape: ClusterShape): Promise<string> {
  const binaries = await postgresBinaries(shape.major)
  const name = `template-${shape.major}-${fingerprint(binaries.bin, ...shape.initdbArgs)}`
  return cached(name, async (folder) => {
    await using work = temporaryFolder()
    const data = work.join('data')
    const fixed = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync']
    await mustRun(binaries.initdb, [...fixed, ...shape.initdbArgs])
    if (!existsSync(join(data, 'global/pg_control'))) throw new Error('initdb made no pg_control')
    mkdirSync(folder, { recursive: true })
    execFileSync('cp', ['-a', data, join(folder, 'data')])
    chmodSync(join(folder, 'data'), 0o700)
  })
}

/** The major version in a data directory's PG_VERSION. */
export function majorOf(dataDirectory: string): PostgresMajor {
  return Number(readFileSync(join(dataDirectory, 'PG_VERSION'), 'utf8')) as PostgresMajor
}

/** Makes a folder for the ordinary user with the mode that PostgreSQL wants for tablespaces. */
export function makeTablespaceFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  giveToOrdinaryUser(path)
}
