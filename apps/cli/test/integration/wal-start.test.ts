import { chmodSync, cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { mustRun, nodeBinary, runAs, temporaryFolder, waltzDistribution, type RunResult } from '@waltz/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const folder = temporaryFolder()
const repository = folder.makeFolder('repository')
const source = folder.makeFolder('source')
const report = join(source, 'loaded.json')
const starts = join(source, 'starts')
/** A copy that tests may damage. */
let dist = ''
let node = ''

/** Run before the program: notes what it loads, and whether it takes the code that the build made. */
const HOOK = `
const fs = require('node:fs')
const { registerHooks } = require('node:module')
const { fileURLToPath } = require('node:url')
// Not a module of the new kind: importing node:fs there loads the streams.
const before = new Set(process.moduleLoadList)
const vm = require('node:vm')
const files = new Set()
let code = 'not asked for'
registerHooks({ load(url, context, next) { if (url.startsWith('file:')) files.add(fileURLToPath(url)); return next(url, context) } })
const { readFileSync } = fs
fs.readFileSync = (path, ...rest) => { files.add(String(path).replace(/^file:../, '')); return readFileSync(path, ...rest) }
const { dlopen } = process
process.dlopen = (module, path, ...rest) => { files.add(path); return dlopen.call(process, module, path, ...rest) }
const { Script } = vm
vm.Script = function (text, options) {
  const script = new Script(text, options)
  code = options.cachedData === undefined ? 'none' : script.cachedDataRejected ? 'rejected' : 'taken'
  return script
}
process.on('exit', () => {
  const builtins = process.moduleLoadList.filter((entry) => !before.has(entry) && entry.startsWith('NativeModule '))
  fs.writeFileSync(${JSON.stringify(report)}, JSON.stringify({ files: [...files], code, builtins: builtins.map((entry) => entry.slice(13)) }))
})
`

/** A program that stands in for Node: \`line\` is shell text that ends with what starts the real one. */
function standIn(name: string, line: (real: string) => string): string {
  const path = folder.join(name)
  writeFileSync(path, `#!/bin/sh\necho . >>'${starts}'\n${line(`'${node}'`)}\n`)
  chmodSync(path, 0o755)
  return path
}

/** An archive that belongs to a cluster already, as all but new ones do: then nothing is listed. */
const identity = {
  version: 1,
  systemIdentifier: '7412345678901234567',
  createdAt: '2026-03-01T10:00:00Z',
  tool: { name: 'waltz', version: '' },
}

let watching = ''
beforeAll(async () => {
  writeFileSync(join(folder.makeFolder('repository/waltz'), 'cluster.json'), JSON.stringify(identity))
  dist = folder.join('dist')
  cpSync(await waltzDistribution(), dist, { recursive: true })
  await mustRun('/bin/chmod', ['-R', 'u+w,a+rX', dist], { user: 'self' })
  node = await nodeBinary()
  writeFileSync(folder.join('hook.cjs'), HOOK)
  watching = standIn('watching', (real) => `exec ${real} --require '${folder.join('hook.cjs')}' "$@"`)
})
beforeEach(() => {
  for (const path of [report, starts]) rmSync(path, { force: true })
})
afterAll(() => folder.dispose())

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<RunResult> {
  const base = { WALG_FILE_PREFIX: repository, WALTZ_NODE: watching, WALTZ_WAL_FETCH_DEADLINE: '0s' }
  return runAs(join(dist, 'waltz'), args, { cwd: source, env: { ...base, ...env }, timeoutMs: 30_000 })
}

interface Loaded {
  readonly files: readonly string[]
  readonly builtins: readonly string[]
  readonly code: string
}

/** What the last run loaded, by its path below the built folder. */
function loaded(): Loaded {
  const { files, builtins, code } = JSON.parse(readFileSync(report, 'utf8')) as Loaded
  const below = files.map((file) => relative(dist, resolve(file))).filter((file) => !file.startsWith('..'))
  return { files: [...new Set(below)].toSorted(), builtins: [...builtins].toSorted(), code }
}

let pushed = 0x100
function newHistory(): string {
  const name = `${(++pushed).toString(16).toUpperCase().padStart(8, '0')}.history`
  writeFileSync(join(source, name), '1\t0/3000000\tno recovery target specified\n')
  return name
}
const startCount = (): number => readFileSync(starts, 'utf8').trim().split('\n').length

const START = ['lib/launch.cjs', 'lib/wal.cache', 'lib/wal.cjs']
/** Of each package its two lines and the one binary for this machine. */
const LZ4 = [
  /^node_modules\/@antoniomuso\/[^/]+\/[^/]+\.node$/,
  /^node_modules\/@node-rs\/xxhash-[^/]+\/[^/]+\.node$/,
  /^node_modules\/@node-rs\/xxhash\/index\.js$/,
  /^node_modules\/lz4-napi\/index\.js$/,
].map((pattern): unknown => expect.stringMatching(pattern))
/** Everything of Node that is loaded beyond what an empty script loads. */
const BUILTINS = ['internal/abort_controller', 'os', 'vm']

describe('what the WAL commands load, started as a server starts them', () => {
  it('wal-push --help: the one file, and the help', async () => {
    expect((await start(['wal-push', '--help'])).code).toBe(0)
    const { files, builtins } = loaded()
    const chunks = files.filter((file) => file.startsWith('lib/chunks/'))
    expect(files).toEqual([...chunks, ...START].toSorted())
    expect(chunks.map((file) => file.replace(/-[A-Z0-9]+\.js$/, ''))).toEqual([
      ...Array.from({ length: chunks.length - 1 }, () => 'lib/chunks/chunk'),
      'lib/chunks/help',
    ])
    expect(chunks.length).toBeLessThanOrEqual(6)
    expect(builtins).toEqual(BUILTINS)
  })

  it('wal-push, wal-push of what is stored, wal-fetch: the one file and lz4', async () => {
    const name = newHistory()
    for (const args of [
      ['wal-push', name],
      ['wal-push', name],
      ['wal-fetch', name, 'RECOVERYHISTORY'],
    ]) {
      const { code, stderr } = await start(args)
      expect([code, stderr.includes('ERROR')], stderr).toEqual([0, false])
      expect(loaded()).toEqual({ files: [...START, ...LZ4], builtins: BUILTINS, code: 'taken' })
    }
    expect(readFileSync(join(source, 'RECOVERYHISTORY'), 'utf8')).toBe(readFileSync(join(source, name), 'utf8'))
  })
})

describe('the code that the build made', () => {
  /** Pushes with one file of the folder changed. */
  async function withChanged(
    file: string,
    change: (bytes: Buffer) => Uint8Array,
    env?: Readonly<Record<string, string>>,
  ): Promise<RunResult> {
    const path = join(dist, 'lib', file)
    const bytes = readFileSync(path)
    writeFileSync(path, change(bytes))
    try {
      return await start(['wal-push', newHistory()], env)
    } finally {
      writeFileSync(path, bytes)
    }
  }
  const flippedAt = (where: (bytes: Buffer) => number) => (bytes: Buffer) => {
    const copy = Buffer.from(bytes)
    copy[where(bytes)]! ^= 0x10
    return copy
  }
  const half = (bytes: Buffer): number => (bytes.length - readFileSync(join(dist, 'lib/wal.cjs')).length) / 2

  it.each([
    ['flipped in its first half', flippedAt((bytes) => Math.floor(half(bytes) / 2))],
    ['flipped in its second half', flippedAt((bytes) => Math.floor(half(bytes) * 1.5))],
    ['flipped in its last byte', flippedAt((bytes) => half(bytes) - 1)],
    ['of another text', flippedAt((bytes) => bytes.length - 1)],
    ['cut', (bytes: Buffer) => bytes.subarray(0, bytes.length - 2)],
    ['cut to half', (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
    ['empty', () => Buffer.alloc(0)],
    ['longer', (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(2)])],
    ['zeros', (bytes: Buffer) => Buffer.alloc(bytes.length)],
  ])('is not used when it is %s, and nothing else changes', async (_what, change) => {
    const { code, stderr } = await withChanged('wal.cache', change)
    expect([code, loaded().code], stderr).toEqual([0, 'none'])
    expect(stderr).toContain('FILE PATH')
  })

  it('is not used when it is missing', async () => {
    const path = join(dist, 'lib/wal.cache')
    const bytes = readFileSync(path)
    rmSync(path)
    try {
      expect([(await start(['wal-push', newHistory()])).code, loaded().code]).toEqual([0, 'none'])
    } finally {
      writeFileSync(path, bytes)
    }
  })

  it('is never run instead of another text of the same length', async () => {
    const { code, stderr } = await withChanged('wal.cjs', (bytes) =>
      Buffer.from(bytes.toString('latin1').replaceAll('FILE PATH', 'FILE WEGE'), 'latin1'),
    )
    expect([code, loaded().code]).toEqual([0, 'none'])
    expect(stderr).toContain('FILE WEGE')
  })

  it('is refused by a V8 with other flags, as by another one, and the text is compiled', async () => {
    const other = standIn('other-flags', (real) => `exec ${real} --require '${folder.join('hook.cjs')}' --no-use-ic "$@"`)
    const { code, stderr } = await start(['wal-push', newHistory()], { WALTZ_NODE: other })
    expect([code, loaded().code], stderr).toEqual([0, 'rejected'])
  })

  it('is not asked for where NODE_OPTIONS says something', async () => {
    const { code } = await start(['wal-push', newHistory()], { NODE_OPTIONS: '--enable-source-maps' })
    expect([code, loaded().code]).toEqual([0, 'not asked for'])
  })
})

describe('a Node that does not know the flags', () => {
  it('is started again without them, and says so', async () => {
    const old = standIn(
      'old',
      (real) => `case " $* " in *" --no-rehash-snapshot "*) echo 'bad option' >&2; exit 9 ;; esac\nexec ${real} "$@"`,
    )
    const name = newHistory()
    const push = await start(['wal-push', name], { WALTZ_NODE: old })
    expect([push.code, startCount()]).toEqual([0, 2])
    expect(push.stderr).toMatch(/bad option\n.*FILE PATH/)
    expect((await start(['wal-fetch', name, 'fetched'], { WALTZ_NODE: old })).code).toBe(0)
    expect((await start(['wal-fetch', '0000FFFF.history', 'fetched'], { WALTZ_NODE: old })).code).toBe(74)
  })

  it('is not what it is taken for when the program ends with that code', async () => {
    const path = join(dist, 'lib/wal.cjs')
    const text = readFileSync(path)
    const ran = join(source, 'ran')
    writeFileSync(path, `require('fs').appendFileSync(${JSON.stringify(ran)}, 'x'); process.exit(9)`)
    try {
      const codes = [(await start(['wal-push', newHistory()])).code, (await start(['wal-fetch', '00000001.history', 'fetched'])).code]
      expect([codes, readFileSync(ran, 'utf8'), startCount()]).toEqual([[70, 200], 'xx', 2])
    } finally {
      writeFileSync(path, text)
    }
  })
})

it('every part that is loaded later can be loaded', async () => {
  const chunks = join(dist, 'lib/chunks')
  const script = folder.join('import-all.mjs')
  const urls = readdirSync(chunks).map((file) => pathToFileURL(join(chunks, file)).href)
  writeFileSync(script, `for (const url of ${JSON.stringify(urls)}) await import(url).catch((error) => console.log(url, error.message))\n`)
  const { code, stdout } = await runAs(node, [script], { cwd: dirname(script), env: {}, timeoutMs: 30_000 })
  expect([code, stdout, urls.length > 10]).toEqual([0, '', true])
})
