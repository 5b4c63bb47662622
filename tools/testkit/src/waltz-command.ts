import {
  cpSync,
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { nodeBinary } from './binaries.ts'
import { mustRun } from './run-as.ts'
import { cached, fingerprint, pruneCache } from './shared-cache.ts'
import { workspaceRoot } from './workspace-root.ts'

/**
 * Path of a `waltz` that the ordinary user can run from any directory: usable as `archive_command` and
 * `restore_command`. The distribution folder is built once for the present sources when the checkout has
 * `scripts/build.ts`; `WALTZ_TEST_COMMAND=source` in the environment runs the sources instead, which needs no build and
 * starts slower.
 */
export async function waltzCommand(): Promise<string> {
  const wanted = process.env['WALTZ_TEST_COMMAND']
  const built = wanted === undefined ? existsSync(join(workspaceRoot, 'scripts/build.ts')) : wanted !== 'source'
  const node = await nodeBinary()
  const name = `waltz-${built ? 'dist' : 'source'}-${sourcesFingerprint(node)}`
  const folder = await cached(name, (draft) => (built ? buildDistribution(draft, node) : copySources(draft, node)))
  pruneCache('waltz-', folder)
  return join(folder, 'waltz')
}

/** The folder that `npm run build` makes, readable by everybody. */
export async function waltzDistribution(): Promise<string> {
  return join(dirname(await waltzCommand()), 'dist')
}

async function buildDistribution(draft: string, node: string): Promise<void> {
  const dist = join(draft, 'dist')
  const script = join(workspaceRoot, 'scripts/build.ts')
  const env = { PATH: `${dirname(node)}:/usr/local/bin:/usr/bin:/bin`, HOME: draft }
  await mustRun(node, ['--conditions=source', script, '--out', dist], { user: 'self', cwd: workspaceRoot, env, timeoutMs: 180_000 })
  writeWrapper(draft, `PATH='${dirname(node)}':"$PATH" exec "$(dirname "$0")/dist/waltz" "$@"`)
}

async function copySources(draft: string, node: string): Promise<void> {
  const copied = new Set<string>()
  for (const member of members()) copyMember(member, draft, copied)
  writeWrapper(draft, `exec '${node}' --conditions=source "$(dirname "$0")/apps/cli/src/bin.ts" "$@"`)
}

function writeWrapper(draft: string, line: string): void {
  writeFileSync(join(draft, 'waltz'), `#!/bin/sh\n${line}\n`)
  chmodSync(join(draft, 'waltz'), 0o755)
}

/** Folders of the packages and apps, relative to the checkout. */
function members(): string[] {
  return ['packages', 'apps'].flatMap((group) => {
    const folders = readdirSync(join(workspaceRoot, group)).map((name) => `${group}/${name}`)
    return folders.filter((folder) => existsSync(join(workspaceRoot, folder, 'package.json')))
  })
}

function copyMember(member: string, draft: string, copied: Set<string>): void {
  const from = join(workspaceRoot, member)
  mkdirSync(join(draft, member), { recursive: true })
  cpSync(join(from, 'package.json'), join(draft, member, 'package.json'))
  if (existsSync(join(from, 'src'))) cpSync(join(from, 'src'), join(draft, member, 'src'), { recursive: true })
  const manifest = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8')) as Record<string, Record<string, string> | undefined>
  for (const name of Object.keys({ ...manifest['dependencies'], ...manifest['optionalDependencies'] })) {
    copyLink(join(from, 'node_modules', name), draft, copied)
  }
}

/** Copies one link of a node_modules folder and, when it leads into pnpm's store, that store entry with all it links to. */
function copyLink(link: string, draft: string, copied: Set<string>): void {
  if (lstatSync(link, { throwIfNoEntry: false }) === undefined || copied.has(link)) return
  copied.add(link)
  const place = join(draft, relative(workspaceRoot, link))
  mkdirSync(dirname(place), { recursive: true })
  cpSync(link, place, { recursive: true, verbatimSymlinks: true })
  if (!existsSync(link)) return
  const entry = /^(.*\/\.pnpm\/[^/]+\/node_modules)\//.exec(realpathSync(link))?.[1]
  if (entry === undefined) return
  for (const path of linksIn(entry)) copyLink(path, draft, copied)
}

function linksIn(nodeModules: string): string[] {
  return readdirSync(nodeModules).flatMap((name) => {
    const path = join(nodeModules, name)
    return name.startsWith('@') ? readdirSync(path).map((below) => join(path, below)) : name.startsWith('.') ? [] : [path]
  })
}

/** Changes whenever a source file, a manifest or the build script does. */
function sourcesFingerprint(node: string): string {
  const seen: string[] = [node]
  const look = (path: string): void => {
    const found = statSync(path, { throwIfNoEntry: false })
    if (found === undefined) return
    if (!found.isDirectory()) seen.push(`${path} ${found.size} ${found.mtimeMs}`)
    else for (const name of readdirSync(path).sort()) look(join(path, name))
  }
  for (const member of members()) {
    look(join(workspaceRoot, member, 'package.json'))
    look(join(workspaceRoot, member, 'src'))
    look(join(workspaceRoot, member, 'launcher'))
  }
  look(join(workspaceRoot, 'scripts/build.ts'))
  look(join(workspaceRoot, 'pnpm-lock.yaml'))
  return fingerprint(...seen)
}
