import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from './run.ts'

const PNPM = 'pnpm@12.21.0'

/** Absolute path of the checkout. */
export const checkout: string = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '')

/** Tarballs by the name of their package. */
export type Tarballs = ReadonlyMap<string, string>

/**
 * Builds and packs every package as it is published, into `folder`. Works in a copy of the sources, so that what an earlier
 * build left in a `dist` folder is in no tarball, and the checkout stays as it is.
 */
export async function packPackages(folder: string): Promise<Tarballs> {
  const copy = mkdtempSync(join(tmpdir(), 'waltz-packing-'))
  try {
    const members = copyWorkspace(copy)
    await run(join(checkout, 'node_modules/.bin/tsc'), ['-b', ...members], { cwd: copy })
    const filters = members.flatMap((member) => ['--filter', `./${member}`])
    await run('npx', ['-y', PNPM, '--recursive', ...filters, 'pack', '--pack-destination', folder], { cwd: copy })
    return new Map(members.map((member) => tarballOf(join(copy, member), folder)))
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

/** What building and packing read. Links of `node_modules` that lead to other packages lead to their copies. */
function copyWorkspace(copy: string): readonly string[] {
  for (const name of ['package.json', 'pnpm-workspace.yaml', 'tsconfig.base.json', 'LICENSE'])
    cpSync(join(checkout, name), join(copy, name))
  symlinkSync(join(checkout, 'node_modules'), join(copy, 'node_modules'))
  const published = foldersIn('packages').concat(foldersIn('apps'))
  for (const member of published) {
    for (const name of ['package.json', 'tsconfig.json', 'README.md', 'src', 'node_modules']) copyIfThere(join(member, name), copy)
  }
  // Packing looks up the versions of development dependencies too.
  for (const member of foldersIn('tools')) copyIfThere(join(member, 'package.json'), copy)
  return published
}

function foldersIn(group: string): readonly string[] {
  return readdirSync(join(checkout, group))
    .map((name) => `${group}/${name}`)
    .filter((folder) => existsSync(join(checkout, folder, 'package.json')))
}

function copyIfThere(path: string, copy: string): void {
  if (!existsSync(join(checkout, path))) return
  mkdirSync(dirname(join(copy, path)), { recursive: true })
  cpSync(join(checkout, path), join(copy, path), { recursive: true, verbatimSymlinks: true })
}

function tarballOf(packageFolder: string, folder: string): readonly [string, string] {
  const { name, version } = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8')) as { name: string; version: string }
  const path = join(folder, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`)
  if (!existsSync(path)) throw new Error(`packing ${name} made no ${path}`)
  return [name, path]
}
