/** The folder that a build makes, copied elsewhere, and ways to start what is in it: for test files that treat it in different ways. */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { mustRun, nodeBinary, runAs, temporaryFolder, waltzDistribution, type RunResult, type TemporaryFolder } from '@waltz/testkit'

/** The file that is stored. */
export const HISTORY = '00000002.history'
/** The exit code of `wal-fetch` that ends recovery. */
export const STOP = 200
/** Everything lies in it. */
export const folder: TemporaryFolder = temporaryFolder()
const repository = folder.makeFolder('repository')
/** Where the file to store lies. */
export const source: string = folder.makeFolder('source')
/** The copied folder, read-only. */
export let dist = ''
/** The Node that it is run with. */
export let node = ''

/** The words that a server's shell would run, and what the archive commands are used with. */
export const fetchOne = (name = HISTORY): readonly string[] => ['wal-fetch', name, join(folder.path, 'fetched')]
/** Stores the file. */
export const pushOne: readonly string[] = ['wal-push', join(source, HISTORY)]

/** How the command is started. */
export interface Start {
  readonly program?: string
  /** Runs the script with this shell instead of /bin/sh. */
  readonly shell?: string
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
}

/** Runs the copied command to its end. */
export function start(
  args: readonly string[],
  { program = join(dist, 'waltz'), shell, env = {}, cwd = '/' }: Start = {},
): Promise<RunResult> {
  const options = {
    cwd,
    env: { WALG_FILE_PREFIX: repository, WALTZ_NODE: node, WALTZ_WAL_FETCH_DEADLINE: '0s', ...env },
    timeoutMs: 30_000,
  }
  return shell === undefined ? runAs(program, args, options) : runAs(shell, [program, ...args], options)
}

/** Runs a line of shell text with `$WALTZ` in it. */
export function shellLine(line: string, { env = {}, cwd = '/' }: Start = {}): Promise<RunResult> {
  const all = { WALTZ: join(dist, 'waltz'), WALG_FILE_PREFIX: repository, WALTZ_NODE: node, ...env }
  return runAs('/bin/sh', ['-c', line], { env: all, cwd, timeoutMs: 30_000 })
}

/** Copies the distribution, and stores a first file with it. */
export async function copyShipped(): Promise<void> {
  dist = folder.join('a place with \'quotes\', "more" & $(spaces)', 'dist')
  mkdirSync(dirname(dist), { recursive: true })
  cpSync(await waltzDistribution(), dist, { recursive: true })
  await mustRun('/bin/chmod', ['-R', 'a-w,a+rX', dist], { user: 'self' })
  node = await nodeBinary()
  writeFileSync(join(source, HISTORY), '1\t0/3000000\tno recovery target specified\n')
  if ((await start(pushOne)).code !== 0) throw new Error('the copied command cannot store a file')
}

/** Removes everything. */
export async function removeShipped(): Promise<void> {
  await mustRun('/bin/chmod', ['-R', 'u+w', dist], { user: 'self' })
  await folder.dispose()
}
