/**
 * Installs one of the examples into an empty folder, with packed packages as they are published:
 * `install-example.ts NAME FOLDER`. Whatever else it needs comes from the registry.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { checkout, packPackages, type Tarballs } from './pack-packages.ts'
import { run } from './run.ts'

/** What was fetched lately need not be asked for again. */
const INSTALL = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']

/** Copies the example `name` into `folder` and installs what its manifest asks for, packages of this workspace from `tarballs`. */
export async function installExample(name: string, folder: string, tarballs: Tarballs): Promise<void> {
  const example = join(checkout, 'examples', name)
  for (const file of readdirSync(example)) {
    if (file !== 'node_modules' && file !== 'package.json') cpSync(join(example, file), join(folder, file), { recursive: true })
  }
  const manifest = JSON.parse(readFileSync(join(example, 'package.json'), 'utf8')) as { readonly dependencies: Record<string, string> }
  // What the example names directly npm wants to see with the same words among its dependencies.
  const overrides = Object.fromEntries([...tarballs].map(([dependency, path]) => [dependency, `file:${path}`]))
  const dependencies = Object.fromEntries(Object.entries(manifest.dependencies).map(([key, range]) => [key, overrides[key] ?? range]))
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify({ ...manifest, dependencies, overrides }, undefined, 2)}\n`)
  await run('npm', INSTALL, { cwd: folder })
}

/** Installs the package `name` of this workspace into the empty `folder`, alone: only what it asks for comes with it. */
export async function installAlone(name: string, folder: string, tarballs: Tarballs): Promise<void> {
  const overrides = Object.fromEntries([...tarballs].map(([dependency, path]) => [dependency, `file:${path}`]))
  const manifest = { name: 'alone', private: true, type: 'module', dependencies: { [name]: overrides[name] }, overrides }
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`)
  await run('npm', INSTALL, { cwd: folder })
}

if (import.meta.main) {
  const [name, folder] = process.argv.slice(2)
  if (name === undefined || folder === undefined || !existsSync(join(checkout, 'examples', name))) {
    console.error('usage: install-example.ts NAME FOLDER, where NAME is one of the folders in examples/')
    process.exit(2)
  }
  const target = resolve(folder)
  mkdirSync(target, { recursive: true })
  if (readdirSync(target).length > 0) {
    console.error(`${target} is not empty`)
    process.exit(1)
  }
  // They stay beside the program, so that `npm install` works there again.
  const tarballs = join(target, 'tarballs')
  mkdirSync(tarballs)
  await installExample(name, target, await packPackages(tarballs))
  console.log(`${name} is ready in ${target}`)
}
