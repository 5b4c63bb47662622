/** What a run needs before it can begin: the shipped command, Node, PostgreSQL's client programs. */
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { nodeBinary, programExists, runningAsRoot, waltzDistribution } from '@waltz/testkit'
import { onPath } from './files.ts'
import type { Tools } from './model.ts'

const DEBIAN = '/usr/lib/postgresql'

/**
 * Builds the shipped folder (once for the present sources) and finds the rest.
 * @throws Error when the harness itself cannot work here.
 */
export async function findTools(): Promise<Tools> {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('the harness measures with what Linux on x64 offers')
  if (!programExists('/usr/bin/perl')) throw new Error('/usr/bin/perl is missing, which does the measuring: apt-get install perl-base')
  return { node: await nodeBinary(), distribution: await waltzDistribution(), postgresBin: clientFolder() }
}

/** Debian's newest client programs, else those on PATH. They talk to servers of their own version and older ones. */
function clientFolder(): string | undefined {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).filter((name) => Number(name) >= 15) : []
  const [newest] = versions.sort((a, b) => Number(b) - Number(a)).map((name) => join(DEBIAN, name, 'bin'))
  if (newest !== undefined && existsSync(join(newest, 'pg_basebackup'))) return newest
  const found = onPath('pg_basebackup')
  return found === undefined ? undefined : dirname(found)
}

/** Who runs what is measured, for the reader. */
export function runsAs(): string {
  return runningAsRoot() ? 'servers and peers run as nobody' : 'servers and peers run as this user'
}
