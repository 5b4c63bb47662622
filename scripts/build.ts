/**
 * Makes `dist/`, a folder that holds everything the command needs but Node itself and can be moved anywhere:
 * `dist/waltz` (the executable), `dist/lib` (the bundle, split so that a run loads what it uses) and `dist/node_modules`
 * (packages with native code). `--out FOLDER` makes it elsewhere.
 */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values: flags } = parseArgs({ options: { out: { type: 'string' } } })
const target = resolve(flags.out ?? join(root, 'dist'))

/** Packages that cannot be bundled, each with the workspace package that declares it. */
const native: Readonly<Record<string, string>> = {
  'lz4-napi': 'packages/codecs',
  '@node-rs/xxhash': 'packages/codecs',
  '@node-rs/crc32': 'packages/wal-archive',
}

const { version } = JSON.parse(readFileSync(join(root, 'apps/cli/package.json'), 'utf8')) as { version: string }
const making = `${target}.making-${process.pid}`
rmSync(making, { recursive: true, force: true })
mkdirSync(making, { recursive: true })
try {
  await bundle()
  for (const [name, owner] of Object.entries(native)) copyNative(name, join(root, owner))
  cpSync(join(root, 'apps/cli/launcher/waltz'), join(making, 'waltz'))
  cpSync(join(root, 'apps/cli/launcher/launch.cjs'), join(making, 'lib/launch.cjs'))
  writeFileSync(
    join(making, 'package.json'),
    `${JSON.stringify({ name: 'waltz', version, type: 'module', private: true }, undefined, 2)}\n`,
  )
  makeReadable()
  rmSync(target, { recursive: true, force: true })
  renameSync(making, target)
  process.stdout.write(`built ${target}\n`)
} finally {
  rmSync(making, { recursive: true, force: true })
}

async function bundle(): Promise<void> {
  await build({
    entryPoints: [join(root, 'apps/cli/src/bin.ts')],
    outdir: join(making, 'lib'),
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node22.15',
    conditions: ['source'],
    external: [...Object.keys(native), 'pg-native'],
    minifySyntax: true,
    legalComments: 'none',
    chunkNames: 'chunks/[name]-[hash]',
    define: { WALTZ_VERSION: JSON.stringify(version), WALTZ_COMMIT: JSON.stringify(commit()) },
    // Packages in the old module format ask for Node's own modules by require.
    banner: {
      js: "import { createRequire as waltzCreateRequire } from 'node:module'; const require = waltzCreateRequire(import.meta.url);",
    },
    logLevel: 'warning',
  })
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim()
  } catch {
    return 'unknown'
  }
}

/**
 * Copies a package with native code: its description, the binary package that was installed for this machine, and in
 * place of its own loader, which probes the system for a page and may start a program, one that loads that binary.
 */
function copyNative(name: string, from: string): void {
  const source = locate(name, from)
  if (source === undefined) throw new Error(`${name} is not installed: npm run setup`)
  const manifest = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as {
    readonly main: string
    readonly optionalDependencies: Readonly<Record<string, string>>
  }
  const [binary, ...others] = Object.keys(manifest.optionalDependencies).filter((dependency) => locate(dependency, source) !== undefined)
  if (binary === undefined || others.length > 0) throw new Error(`${name} needs one binary package, not ${[binary, ...others].join(', ')}`)
  const binarySource = locate(binary, source) ?? ''
  cpSync(binarySource, join(making, 'node_modules', binary), { recursive: true, dereference: true })
  const require = createRequire(import.meta.url)
  const exported = Object.keys(require(source) as object).filter((key) => key in (require(binarySource) as object))
  const target = join(making, 'node_modules', name)
  mkdirSync(target, { recursive: true })
  for (const file of readdirSync(source).filter((entry) => /^(package\.json|license.*)$/i.test(entry)))
    cpSync(join(source, file), join(target, file))
  const lines = [`const binary = require('${binary}')`, ...exported.map((key) => `exports.${key} = binary.${key}`)]
  writeFileSync(join(target, manifest.main), `${lines.join('\n')}\n`)
}

function locate(name: string, from: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name)
    if (existsSync(candidate)) return realpathSync(candidate)
    if (folder === dirname(folder)) return undefined
  }
}

/** Whoever may read the folder may run it, whatever the umask was. */
function makeReadable(): void {
  execFileSync('chmod', ['-R', 'u+rwX,go+rX,go-w', making])
  chmodSync(join(making, 'waltz'), 0o755)
}
