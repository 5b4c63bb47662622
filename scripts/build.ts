/**
 * Makes `dist/`, a folder that holds everything the command needs but Node itself and can be moved anywhere:
 * `dist/waltz` (the executable), `dist/lib` (the program, split so that a run loads what it uses, and once more in one
 * file for the WAL commands, with the code that V8 makes of it) and `dist/node_modules` (packages with native code).
 * `--out FOLDER` makes it elsewhere.
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
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build, type BuildOptions } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values: flags } = parseArgs({ options: { out: { type: 'string' } } })
const target = resolve(flags.out ?? join(root, 'dist'))

/** Packages that cannot be bundled, each with the workspace package that declares it. */
const native: Readonly<Record<string, string>> = {
  'lz4-napi': 'packages/codecs',
  '@node-rs/xxhash': 'packages/codecs',
  '@node-rs/crc32': 'packages/wal-archive',
}

/** Packages that find their native code themselves, each with the workspace package that declares it; no run loads them without need. */
const selfLoading: Readonly<Record<string, string>> = {
  '@napi-rs/lzma': 'packages/codecs',
  'sodium-native': 'packages/crypto',
}
/** What their users can do without: ssh2 has slower code of its own, and these codecs are second engines. */
const optional = ['pg-native', 'cpu-features', 'brotli-wasm', 'lzma-native']

const { version } = JSON.parse(readFileSync(join(root, 'apps/cli/package.json'), 'utf8')) as { version: string }
const shared = {
  bundle: true,
  platform: 'node',
  target: 'node22.15',
  conditions: ['source'],
  // Modules of the present form where a package has both: their names can be imported one by one, and what nobody asks for stays out.
  mainFields: ['module', 'main'],
  external: [...Object.keys(native), ...Object.keys(selfLoading), ...optional, '*.node'],
  minifySyntax: true,
  legalComments: 'none',
  metafile: true,
  absWorkingDir: root,
  logLevel: 'warning',
} as const satisfies BuildOptions
const constants = { WALTZ_VERSION: JSON.stringify(version), WALTZ_COMMIT: JSON.stringify(commit()) }

/** What every wal-push and wal-fetch needs: loaded later in the source, in one file here. */
const neededByWal = [
  'apps/cli/src/run.ts',
  'apps/cli/src/commands/wal-push.run.ts',
  'apps/cli/src/commands/wal-fetch.run.ts',
  'packages/backup-kit/src/index.ts',
  'packages/codecs/src/lz4.ts',
  'packages/storage-file/src/index.ts',
  'packages/backup-kit/src/open-s3.ts',
  'packages/storage-s3/src/index.ts',
]

const making = `${target}.making-${process.pid}`
rmSync(making, { recursive: true, force: true })
mkdirSync(making, { recursive: true })
try {
  await bundle()
  for (const [name, owner] of Object.entries(native)) copyNative(name, join(root, owner))
  for (const [name, owner] of Object.entries(selfLoading)) copyWhole(name, join(root, owner))
  cpSync(join(root, 'apps/cli/launcher/waltz'), join(making, 'waltz'))
  cpSync(join(root, 'apps/cli/launcher/launch.cjs'), join(making, 'lib/launch.cjs'))
  warmUp()
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
  const { metafile } = await build({
    ...shared,
    entryPoints: ['apps/cli/src/bin.ts'],
    outdir: join(making, 'lib'),
    splitting: true,
    format: 'esm',
    chunkNames: 'chunks/[name]-[hash]',
    // Packages in the old module format ask for their folder, and for Node's own modules by require.
    define: { ...constants, __dirname: 'import.meta.dirname', __filename: 'import.meta.filename' },
    banner: {
      js: "import { createRequire as waltzCreateRequire } from 'node:module'; const require = waltzCreateRequire(import.meta.url);",
    },
  })
  const chunks = Object.entries(metafile.outputs).flatMap(([path, { entryPoint }]) =>
    entryPoint === undefined ? [] : [[entryPoint, relative(join(making, 'lib'), join(root, path))] as const],
  )
  await bundleWal(new Map(chunks))
}

/**
 * `lib/wal.cjs`: the same program, with what the WAL commands need in one file. A server runs them for every segment, and
 * Node takes longer to find twenty small modules than to read this one. All else is left to the `chunks`, by source file.
 * Two of Node's own modules that take long to load are replaced by what is used of them.
 */
async function bundleWal(chunks: ReadonlyMap<string, string>): Promise<void> {
  const resolveHere = Symbol('asked by this plugin')
  const { metafile } = await build({
    ...shared,
    entryPoints: ['apps/cli/src/bin.ts'],
    outfile: join(making, 'lib/wal.cjs'),
    format: 'cjs',
    // The chunks are loaded by require: Node warns of the other way out of a compiled script, on the standard error of every run.
    supported: { 'dynamic-import': false },
    define: { ...constants, 'import.meta.dirname': '__dirname' },
    plugins: [
      {
        name: 'chunks-stay-outside',
        setup(plugins) {
          plugins.onResolve({ filter: /^node:(fs|timers)\/promises$/ }, ({ path }) => {
            return { path: join(root, 'apps/cli/launcher', `${path.slice('node:'.length).replace('/', '-')}.ts`) }
          })
          plugins.onResolve({ filter: /./ }, async ({ path, kind, importer, resolveDir, pluginData }) => {
            if (kind !== 'dynamic-import' || pluginData === resolveHere) return undefined
            const found = await plugins.resolve(path, { kind, importer, resolveDir, pluginData: resolveHere })
            const source = relative(root, found.path)
            if (found.external || neededByWal.includes(source)) return undefined
            const chunk = chunks.get(source)
            if (chunk === undefined) throw new Error(`${source} is loaded later and has no chunk`)
            return { path: `./${chunk}`, external: true }
          })
        },
      },
    ],
  })
  const inside = new Set(Object.keys(metafile.inputs))
  const gone = neededByWal.filter((source) => !inside.has(source))
  if (gone.length > 0) throw new Error(`not part of the WAL commands any more: ${gone.join(', ')}`)
  // Nothing starts this file by its name, and what is compiled as a script may not begin with such a line.
  const path = join(making, 'lib/wal.cjs')
  writeFileSync(path, readFileSync(path, 'utf8').replace(/^#!.*\n/, ''))
}

/**
 * `lib/wal.cache`: see launch.cjs. Made by the Node that builds; another version compiles `wal.cjs` anew with every run,
 * which costs ten milliseconds.
 */
function warmUp(): void {
  const script = readFileSync(join(making, 'waltz'), 'utf8')
  const flags = /^"\$node" ((?:--\S+ )+)"\$here\/lib\/launch\.cjs"/m.exec(script)?.[1]?.trim().split(' ')
  if (flags === undefined) throw new Error('the script waltz does not start Node in the way that is looked for here')
  const env = { PATH: process.env['PATH'] ?? '', TMPDIR: tmpdir(), WALG_LOG_LEVEL: 'ERROR' }
  execFileSync(process.execPath, [...flags, join(root, 'apps/cli/launcher/warm-up.cjs'), join(making, 'lib')], { stdio: 'inherit', env })
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
 * place of its own loader, which probes the system for a page and may start a program, two lines that load that binary.
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
  const binaryFile = (JSON.parse(readFileSync(join(binarySource, 'package.json'), 'utf8')) as { readonly main: string }).main
  const target = join(making, 'node_modules', name)
  mkdirSync(target, { recursive: true })
  for (const file of readdirSync(source).filter((entry) => /^(package\.json|license.*)$/i.test(entry)))
    cpSync(join(source, file), join(target, file))
  if (manifest.main !== 'index.js') throw new Error(`${name} begins with ${manifest.main}, where launch.cjs looks for index.js`)
  const path = relative(target, join(making, 'node_modules', binary, binaryFile))
  const require = createRequire(import.meta.url)
  const exported = Object.keys(require(source) as object).filter((key) => key in (require(binarySource) as object))
  // The second line is for Node's search for the names that a module may import; it does not run.
  const lines = [`process.dlopen(module, __dirname + '/${path}')`, `0 && (module.exports = { ${exported.join(', ')} })`]
  writeFileSync(join(target, 'index.js'), `${lines.join('\n')}\n`)
}

/** Copies a package as it is, and what it depends on and was installed, but for the native code of other machines and what no program reads. */
function copyWhole(name: string, from: string): void {
  const source = locate(name, from)
  const target = join(making, 'node_modules', name)
  if (source === undefined || existsSync(target)) return
  const others = new RegExp(`^prebuilds/(?!${process.platform}-${process.arch}(?:/|$))`)
  cpSync(source, target, {
    recursive: true,
    dereference: true,
    filter: (path) => {
      const inside = relative(source, path)
      return !others.test(inside) && inside !== 'node_modules' && !/\.(?:d\.[cm]?ts|md|cc|map)$/i.test(inside)
    },
  })
  const { dependencies = {}, optionalDependencies = {} } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as {
    readonly dependencies?: Readonly<Record<string, string>>
    readonly optionalDependencies?: Readonly<Record<string, string>>
  }
  for (const dependency of Object.keys({ ...dependencies, ...optionalDependencies })) copyWhole(dependency, source)
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
