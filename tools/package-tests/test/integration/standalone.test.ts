import { cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nodeBinary, runAs, temporaryFolder, type RunOptions, type TemporaryFolder } from '@waltz/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { exampleSurroundings } from '../../src/example-surroundings.ts'
import { installAlone } from '../../src/install-example.ts'
import { packPackages } from '../../src/pack-packages.ts'
import { readmeExamples } from '../../src/readme-examples.ts'

const FOUNDATION = ['@waltz/bytes', '@waltz/errors', '@waltz/storage']
const WITH_NETWORK = [...FOUNDATION, '@waltz/network']

/** What comes with each package, besides itself, of this workspace. */
const alone: readonly (readonly [name: string, others: readonly string[]])[] = [
  ['codecs', ['@waltz/bytes', '@waltz/errors']],
  ['crypto', ['@waltz/bytes', '@waltz/errors']],
  ['network', ['@waltz/errors']],
  ['retention-policy', ['@waltz/errors']],
  ['storage-azure', WITH_NETWORK],
  ['storage-file', FOUNDATION],
  ['storage-gcs', WITH_NETWORK],
  ['storage-s3', WITH_NETWORK],
  ['storage-ssh', FOUNDATION],
  ['storage-swift', WITH_NETWORK],
]

/** Installing waits for the disk and the registry most of the time. */
const INSTALLED_AT_ONCE = 3

let work: TemporaryFolder
let node: string
/** Where each package was installed. */
const folders = new Map<string, string>()
beforeAll(async () => {
  work = temporaryFolder()
  const tarballs = await packPackages(work.makeFolder('tarballs'))
  node = await nodeBinary()
  const names = alone.map(([name]) => name).values()
  const lane = async (): Promise<void> => {
    for (const name of names) {
      const folder = work.makeFolder(name)
      await installAlone(`@waltz/${name}`, folder, tarballs)
      folders.set(name, folder)
    }
  }
  await Promise.all(Array.from({ length: INSTALLED_AT_ONCE }, lane))
})
afterAll(async () => work?.dispose())

describe.each(alone)('@waltz/%s alone, from its tarball in an empty folder', (name, others) => {
  const own = `@waltz/${name}`
  let folder: string
  beforeAll(() => {
    folder = folders.get(name) ?? ''
  })

  test('it brings the foundation along, and no other backend', () => {
    const installed = readdirSync(join(folder, 'node_modules/@waltz')).map((entry) => `@waltz/${entry}`)
    expect(installed.toSorted()).toEqual([own, ...others].toSorted())
  })

  test('importing it loads nothing but packages of this workspace', async () => {
    const text = `
      import { registerHooks } from 'node:module'
      import { createRequire } from 'node:module'
      const urls = []
      registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) })
      await import('${own}')
      const paths = [...urls, ...Object.keys(createRequire(import.meta.url).cache)].filter((path) => path.includes('/node_modules/'))
      const names = paths.map((path) => /.*\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(path)[1])
      console.log(JSON.stringify([...new Set(names)].sort()))`
    const loaded = JSON.parse(await runText(folder, text)) as readonly string[]
    expect(loaded).toContain(own)
    expect([own, ...others]).toEqual(expect.arrayContaining([...loaded]))
  })

  test('the example of its README runs', async ({ skip }) => {
    const surroundings = await exampleSurroundings(name)
    if (typeof surroundings === 'string') return skip(surroundings)
    await using around = surroundings
    const [block = ''] = readmeExamples().find((example) => example.name === name)?.blocks ?? []
    expect(block).toContain(own)
    expect(await runText(folder, block, { ...around.env, TMPDIR: folder })).not.toBe('')
  })
})

/** What an engine that is not there leads to: packages that are taken away, a program that needs them, and what it says. */
const engines = [
  {
    name: 'codecs',
    gone: ['@napi-rs/lzma'],
    text: `
      import { createCodecRegistry } from '@waltz/codecs'
      import { readAll, sourceOf } from '@waltz/bytes'
      const codec = await createCodecRegistry().byName('lzma')
      await readAll(codec.compress(sourceOf('x')), 1000)`,
    code: 'CODEC_LOAD_FAILED',
    wanted: '@napi-rs/lzma',
  },
  {
    name: 'crypto',
    gone: [],
    text: `
      import { awsKeyService } from '@waltz/crypto/aws-kms'
      await awsKeyService({ keyId: 'k', region: 'r' }).wrap(new Uint8Array(32))`,
    code: 'CRYPTO_ENGINE_MISSING',
    wanted: '@aws-sdk/client-kms',
  },
  {
    name: 'crypto',
    gone: ['sodium-native', 'libsodium-wrappers'],
    text: `
      import { libsodium } from '@waltz/crypto/libsodium'
      import { readAll, sourceOf } from '@waltz/bytes'
      await readAll(libsodium({ key: new Uint8Array(32) }).encrypt(sourceOf('x')), 1000)`,
    code: 'CRYPTO_ENGINE_MISSING',
    wanted: 'libsodium-wrappers',
  },
] as const

describe('an engine that is not installed', () => {
  test.each(engines)('$wanted of @waltz/$name is named, with the way to install it', async ({ name, gone, text, code, wanted }) => {
    const folder = work.join(`without ${wanted.replace('/', ' ')}`)
    cpSync(folders.get(name) ?? '', folder, { recursive: true, verbatimSymlinks: true })
    // npm leaves out optional packages that do not fit the Node.js it runs on.
    for (const one of gone) rmSync(join(folder, 'node_modules', one), { recursive: true, force: true })
    const said = await runText(folder, `try {${imported(text)}} catch ({ code, hint }) { console.log(code, hint) }`)
    expect(said).toContain(code)
    expect(said).toContain(`npm install ${wanted}`)
  })
})

/** Static imports as ones that may stand in a block. */
const imported = (text: string): string => text.replaceAll(/import (\{[^}]*\}) from ('[^']*')/g, 'const $1 = await import($2)')

/** Runs a module from a file, as a user would, and gives what it printed; fails when it fails or complains. */
async function runText(folder: string, text: string, env: RunOptions['env'] = {}): Promise<string> {
  writeFileSync(join(folder, 'example.ts'), text)
  const result = await runAs(node, ['example.ts'], { user: 'self', cwd: folder, env, timeoutMs: 60_000 })
  expect(result, result.stdout + result.stderr).toMatchObject({ code: 0, stderr: '' })
  return result.stdout
}
