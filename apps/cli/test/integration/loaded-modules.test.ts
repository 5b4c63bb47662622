import { readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { mustRun, nodeBinary, temporaryFolder, waltzDistribution } from '@waltz/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const folder = temporaryFolder()
const repository = folder.makeFolder('repository')
const source = folder.makeFolder('source')
let dist = ''
let node = ''

beforeAll(async () => {
  dist = await waltzDistribution()
  node = await nodeBinary()
})
afterAll(() => folder.dispose())

/** Run before the program: notes every file and every part of Node that is loaded after this one. */
const HOOK = `
const { writeFileSync } = require('node:fs')
const { registerHooks } = require('node:module')
const { fileURLToPath } = require('node:url')
const files = []
registerHooks({ load(url, context, next) { if (url.startsWith('file:')) files.push(fileURLToPath(url)); return next(url, context) } })
// Not a module of the new kind: importing node:fs there loads the streams.
const before = new Set(process.moduleLoadList)
process.on('exit', () => {
  const builtins = process.moduleLoadList.filter((entry) => !before.has(entry) && entry.startsWith('NativeModule '))
  writeFileSync(process.env.LOADED, JSON.stringify({ files, builtins: builtins.map((entry) => entry.slice('NativeModule '.length)) }))
})
`

interface Loaded {
  /** Files below the built folder, and the packages below its node_modules. */
  readonly files: readonly string[]
  /** Packages of the workspace, and of npm, whose code is in those files. */
  readonly packages: readonly string[]
  readonly builtins: readonly string[]
}

async function loadedBy(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Loaded> {
  const hook = folder.join('hook.cjs')
  const report = join(source, 'loaded.json')
  writeFileSync(hook, HOOK)
  const base = { WALG_FILE_PREFIX: repository, WALTZ_NODE: node, NODE_OPTIONS: `--require ${hook}`, LOADED: report }
  await mustRun(join(dist, 'waltz'), args, { cwd: source, env: { ...base, ...env } })
  const { files, builtins } = JSON.parse(readFileSync(report, 'utf8')) as { readonly files: string[]; readonly builtins: string[] }
  // The bundler names the source of every piece in a comment of its own.
  const sources = files.flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/^ *\/\/ (\S+\.[cm]?[jt]s)$/gm)].map(([, name = '']) => name),
  )
  const packages = sources.map((name) => /(?:.*node_modules\/)?((?:packages|apps)\/[^/]+|@[^/]+\/[^/]+|[^/]+)/.exec(name)?.[1] ?? name)
  return { files: files.map((file) => relative(dist, file)).toSorted(), packages: [...new Set(packages)].toSorted(), builtins }
}

/** What costs much to load and has no part in a start. */
const HEAVY = ['net', 'tls', 'http', 'https', 'crypto', 'stream', 'zlib', 'child_process', 'worker_threads', 'tty', 'dns', 'util']
/** What Node loads for a module that imports node:fs, used or not; the one file of the WAL commands is no module. */
const BY_MODULES = ['stream']
const heavyOf = ({ builtins }: Loaded): readonly string[] => builtins.filter((name) => HEAVY.includes(name))

/** In the one file. Of crypto only how objects begin; of S3 what runs when its prefix is set. */
const WAL_PACKAGES = [
  'apps/cli',
  'packages/backup-kit',
  'packages/bytes',
  'packages/codecs',
  'packages/crypto',
  'packages/errors',
  'packages/network',
  'packages/pg-structures',
  'packages/repository',
  'packages/settings',
  'packages/storage',
  'packages/storage-file',
  'packages/storage-s3',
  'packages/wal-archive',
]
const LZ4 = ['node_modules/@node-rs/xxhash/index.js', 'node_modules/lz4-napi/index.js']
const WAL = ['lib/launch.cjs', 'lib/wal.cjs']

/** Archives a file that was not archived before. */
let pushed = 1
function pushArguments(): readonly string[] {
  const name = `${(++pushed).toString(16).toUpperCase().padStart(8, '0')}.history`
  writeFileSync(join(source, name), '1\t0/3000000\tno recovery target specified\n')
  return ['wal-push', name]
}

describe('what a command loads', () => {
  it('--version: the frame, errors and settings', async () => {
    const loaded = await loadedBy(['--version'])
    expect(loaded.packages).toEqual(['apps/cli', 'packages/errors', 'packages/settings'])
    expect(heavyOf(loaded)).toEqual(BY_MODULES)
  })

  it.each([[['--help']], [['backup-push', '--help']], [['flags']]])('%s: no more than that', async (args) => {
    const loaded = await loadedBy(args)
    expect(loaded.packages).toEqual(['apps/cli', 'packages/errors', 'packages/settings'])
    expect(heavyOf(loaded)).toEqual(BY_MODULES)
  })

  it('wal-push --help: the one file of the WAL commands, and the help', async () => {
    const loaded = await loadedBy(['wal-push', '--help'])
    expect(loaded.packages).toEqual(WAL_PACKAGES)
    expect(loaded.files.filter((file) => file.startsWith('node_modules'))).toEqual([])
    expect(heavyOf(loaded)).toEqual([])
  })

  it('wal-push with lz4: one file and the two addons of lz4', async () => {
    const loaded = await loadedBy(pushArguments())
    expect(loaded.files).toEqual([...WAL, ...LZ4])
    expect(loaded.packages).toEqual(WAL_PACKAGES)
    expect(heavyOf(loaded)).toEqual([])
  })

  it.each(['zstd', 'brotli'])('wal-push with %s: no addon, and of Node what that needs', async (method) => {
    const loaded = await loadedBy(pushArguments(), { WALG_COMPRESSION_METHOD: method })
    const chunks = loaded.files.filter((file) => file.startsWith('lib/chunks/'))
    expect(loaded.files).toEqual([...chunks, ...WAL].toSorted())
    expect(chunks.some((file) => file.includes(`/${method}-`))).toBe(true)
    expect(chunks.filter((file) => /\/(lz4|gzip|none|zstd|brotli)-/.test(file))).toHaveLength(1)
    expect(loaded.packages).toEqual(WAL_PACKAGES)
    expect(heavyOf(loaded).toSorted()).toEqual(['stream', 'zlib'])
  })

  it('wal-fetch: the codec that the object has, whatever the settings say', async () => {
    const [, name = ''] = pushArguments()
    await loadedBy(['wal-push', name], { WALG_COMPRESSION_METHOD: 'none' })
    const loaded = await loadedBy(['wal-fetch', name, 'fetched'], { WALG_COMPRESSION_METHOD: 'none' })
    expect(loaded.files.filter((file) => !file.startsWith('lib/chunks/'))).toEqual(WAL)
    expect(loaded.files.filter((file) => /\/(lz4|gzip|zstd|brotli)-/.test(file))).toEqual([])
    expect(heavyOf(loaded)).toEqual([])
  })

  it('a config file: the parser of its format and no other', async () => {
    const parsers = { json: '{}', yaml: '{}', toml: '' }
    const seen: Record<string, readonly string[]> = {}
    for (const [extension, text] of Object.entries(parsers)) {
      const file = join(source, `config.${extension}`)
      writeFileSync(file, text)
      const { packages } = await loadedBy([...pushArguments(), '--config', file])
      seen[extension] = packages.filter((name) => !WAL_PACKAGES.includes(name))
    }
    expect(seen).toEqual({ json: [], yaml: ['js-yaml'], toml: ['smol-toml'] })
  })

  it('backup-list: no database driver, no codec, no addon', async () => {
    const loaded = await loadedBy(['backup-list'])
    expect(loaded.packages.filter((name) => !WAL_PACKAGES.includes(name))).toEqual([])
    expect(loaded.files.filter((file) => file.startsWith('node_modules') || /\/(lz4|gzip|zstd|brotli|none)-/.test(file))).toEqual([])
  })
})
