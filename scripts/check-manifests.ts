/**
 * All packages look alike: name, license, engines, exports with their published twin, files, dependencies by workspace or
 * catalogue, and tsconfig references that follow the dependencies. Prints every difference; exit code 1 when there is one.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const NODE = '>=22.15'

interface Manifest {
  readonly name?: string
  readonly version?: string
  readonly description?: string
  readonly license?: string
  readonly private?: boolean
  readonly type?: string
  readonly sideEffects?: unknown
  readonly engines?: Readonly<Record<string, string>>
  readonly files?: readonly string[]
  readonly scripts?: unknown
  readonly exports?: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly publishConfig?: { readonly exports?: unknown }
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

interface TsConfig {
  readonly references?: readonly { readonly path: string }[]
}

/** Differences of every manifest below `root` from the one shape, one line each. */
export function manifestProblems(root: string): readonly string[] {
  const listed = ((readJson(join(root, 'tsconfig.json')) as TsConfig).references ?? []).map(({ path }) => path)
  const folders = ['packages', 'apps', 'tools'].flatMap((group) => {
    const names = existsSync(join(root, group)) ? readdirSync(join(root, group)) : []
    return names.map((name) => `${group}/${name}`).filter((folder) => existsSync(join(root, folder, 'package.json')))
  })
  return folders.flatMap((folder) => {
    const manifest = readJson(join(root, folder, 'package.json')) as Manifest
    const problems = folder.startsWith('tools/') ? toolProblems(folder, manifest) : packageProblems(root, folder, manifest)
    if (!folder.startsWith('tools/') && !listed.includes(folder)) problems.push('is not listed in tsconfig.json of the workspace')
    problems.push(...referenceProblems(root, folder, manifest))
    return problems.map((problem) => `${folder}: ${problem}`)
  })
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'))
}

function toolProblems(folder: string, manifest: Manifest): string[] {
  const problems = dependencyProblems(manifest)
  if (manifest.private !== true) problems.push('is a tool and must be private')
  if (manifest.name !== `@waltz/${folder.split('/')[1]}`) problems.push('name does not follow the folder')
  return problems
}

function packageProblems(root: string, folder: string, manifest: Manifest): string[] {
  const problems = dependencyProblems(manifest)
  const expect = (is: boolean, problem: string): void => void (is || problems.push(problem))
  expect(manifest.name === `@waltz/${folder.split('/')[1]}`, 'name does not follow the folder')
  expect(/^\d+\.\d+\.\d+$/.test(manifest.version ?? ''), 'version is missing')
  expect(manifest.description?.endsWith('.') === true, 'description is missing or no sentence')
  expect(manifest.license === 'MIT', 'license is not MIT')
  expect(manifest.private === undefined, 'private stands in a package that is published')
  expect(manifest.type === 'module', 'type is not module')
  expect(manifest.engines?.['node'] === NODE, `engines.node is not ${NODE}`)
  expect(manifest.files?.[0] === 'dist', 'files does not begin with dist')
  expect(manifest.scripts === undefined, 'has scripts; they belong into the root')
  if (folder.startsWith('packages/')) expect(manifest.sideEffects === false, 'sideEffects is not false')
  expect(manifest.exports?.['.'] !== undefined, 'exports has no "."')
  for (const [path, conditions] of Object.entries(manifest.exports ?? {})) {
    const stem = path === '.' ? 'index' : path.replace('./', '')
    const wanted = { source: `./src/${stem}.ts`, types: `./dist/${stem}.d.ts`, default: `./dist/${stem}.js` }
    expect(JSON.stringify(conditions) === JSON.stringify(wanted), `exports ${path} is not ${JSON.stringify(wanted)}`)
    expect(existsSync(join(root, folder, wanted.source)), `exports ${path} has no source file`)
  }
  const published = Object.entries(manifest.exports ?? {}).map(
    ([path, { types = '', default: module = '' }]) => [path, { types, default: module }] as const,
  )
  expect(
    JSON.stringify(manifest.publishConfig?.exports) === JSON.stringify(Object.fromEntries(published)),
    'publishConfig.exports is not exports without source',
  )
  return problems
}

function dependencyProblems(manifest: Manifest): string[] {
  const all = { ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.devDependencies }
  return Object.entries(all).flatMap(([name, range]) => {
    if (name.startsWith('@waltz/')) return range === 'workspace:*' ? [] : [`${name} is not workspace:*`]
    return range === 'catalog:' || range.startsWith('npm:') ? [] : [`${name} is not taken from the catalogue`]
  })
}

function referenceProblems(root: string, folder: string, manifest: Manifest): readonly string[] {
  const config = readJson(join(root, folder, 'tsconfig.json')) as TsConfig
  const references = new Set((config.references ?? []).map(({ path }) => relative(root, join(root, folder, path))))
  const foldersOf = (dependencies: Manifest['dependencies']): readonly string[] =>
    Object.keys(dependencies ?? {})
      .filter((name) => name.startsWith('@waltz/'))
      .map((name) => folderOf(root, name.replace('@waltz/', '')))
  const needed = foldersOf(manifest.dependencies)
  // Tools run from their sources and are never published, so these may use what only development installs.
  const allowed = folder.startsWith('tools/') ? [...needed, ...foldersOf(manifest.devDependencies)] : needed
  return [
    ...needed.filter((path) => !references.has(path)).map((path) => `tsconfig.json does not refer to ${path}`),
    ...[...references].filter((path) => !allowed.includes(path)).map((path) => `tsconfig.json refers to ${path}, which is no dependency`),
  ]
}

/** The workspace folder of a package; `packages/NAME` when there is none, which is then missing among the references. */
function folderOf(root: string, name: string): string {
  const group = ['packages', 'apps', 'tools'].find((group) => existsSync(join(root, group, name, 'package.json')))
  return `${group ?? 'packages'}/${name}`
}

if (import.meta.main) {
  const problems = manifestProblems(fileURLToPath(new URL('..', import.meta.url)))
  for (const problem of problems) console.log(problem)
  process.exitCode = problems.length === 0 ? 0 : 1
}
