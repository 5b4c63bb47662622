import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { scanSource, type ScannedSource } from './scan-source.ts'

/** One source file. */
export interface SourceModule {
  /** Relative to the workspace. */
  readonly path: string
  readonly scanned: ScannedSource
}

/** One package of the workspace with its sources. */
export interface Member {
  /** `packages/bytes`. */
  readonly folder: string
  readonly group: 'packages' | 'apps' | 'tools'
  /** Without the scope: `bytes`. */
  readonly name: string
  readonly dependencies: readonly string[]
  readonly devDependencies: readonly string[]
  readonly modules: readonly SourceModule[]
}

/** All that the layer rules look at. */
export interface Workspace {
  readonly root: string
  readonly members: readonly Member[]
  readonly rootDependencies: readonly string[]
}

/** Reads manifests and sources below `root`. */
export function readWorkspace(root: string): Workspace {
  const groups = ['packages', 'apps', 'tools'] as const
  const members = groups.flatMap((group) => {
    const folders = existsSync(join(root, group)) ? readdirSync(join(root, group)).map((name) => `${group}/${name}`) : []
    return folders.filter((folder) => existsSync(join(root, folder, 'package.json'))).map((folder) => readMember(root, group, folder))
  })
  const manifest = readManifest(join(root, 'package.json'))
  return { root, members, rootDependencies: [...keys(manifest, 'dependencies'), ...keys(manifest, 'devDependencies')] }
}

type Manifest = Readonly<Record<string, unknown>>

function readManifest(path: string): Manifest {
  return JSON.parse(readFileSync(path, 'utf8')) as Manifest
}

function keys(manifest: Manifest, field: string): readonly string[] {
  return Object.keys(manifest[field] ?? {})
}

function readMember(root: string, group: Member['group'], folder: string): Member {
  const manifest = readManifest(join(root, folder, 'package.json'))
  return {
    folder,
    group,
    name: String(manifest['name']).replace('@waltz/', ''),
    dependencies: ['dependencies', 'peerDependencies', 'optionalDependencies'].flatMap((field) => keys(manifest, field)),
    devDependencies: keys(manifest, 'devDependencies'),
    modules: sourceFiles(join(root, folder, 'src')).map((path) => ({
      path: relative(root, path),
      scanned: scanSource(readFileSync(path, 'utf8')),
    })),
  }
}

function sourceFiles(folder: string): readonly string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? sourceFiles(path) : /\.[cm]?ts$/.test(entry.name) ? [path] : []
  })
}

/** How many source files there are, counted another way than they were read: a check that read fewer has checked nothing. */
export function countSourceFiles(root: string): number {
  const all = ['packages', 'apps', 'tools'].flatMap((group) =>
    existsSync(join(root, group)) ? readdirSync(join(root, group)).map((name) => join(root, group, name, 'src')) : [],
  )
  const files = all.flatMap((folder) => (existsSync(folder) ? readdirSync(folder, { recursive: true }).map(String) : []))
  return files.filter((file) => /\.[cm]?ts$/.test(file)).length
}
