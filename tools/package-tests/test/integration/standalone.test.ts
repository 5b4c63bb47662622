import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nodeBinary, runAs, temporaryFolder, type RunOptions, type TemporaryFolder } from '@waltz/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { exampleSurroundings } from '../../src/example-surroundings.ts'
import { installAlone } from '../../src/install-example.ts'
import { packPackages, type Tarballs } from '../../src/pack-packages.ts'
import { readmeExamples } from '../../src/readme-examples.ts'

const FOUNDATION = ['@waltz/bytes', '@waltz/errors', '@waltz/storage']
const WITH_NETWORK = [...FOUNDATION, '@waltz/network']

/** What comes with each package, besides itself, of this workspace. */
const alone: readonly (readonly [name: string, others: readonly string[]])[] = [
  ['network', ['@waltz/errors']],
  ['storage-azure', WITH_NETWORK],
  ['storage-file', FOUNDATION],
  ['storage-gcs', WITH_NETWORK],
  ['storage-s3', WITH_NETWORK],
  ['storage-ssh', FOUNDATION],
  ['storage-swift', WITH_NETWORK],
]

let work: TemporaryFolder
let tarballs: Tarballs
let node: string
beforeAll(async () => {
  work = temporaryFolder()
  tarballs = await packPackages(work.makeFolder('tarballs'))
  node = await nodeBinary()
})
afterAll(async () => work?.dispose())

describe.each(alone)('@waltz/%s alone, from its tarball in an empty folder', (name, others) => {
  const own = `@waltz/${name}`
  let folder: string
  beforeAll(async () => {
    folder = work.makeFolder(name)
    await installAlone(own, folder, tarballs)
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

/** Runs a module from a file, as a user would, and gives what it printed; fails when it fails or complains. */
async function runText(folder: string, text: string, env: RunOptions['env'] = {}): Promise<string> {
  writeFileSync(join(folder, 'example.ts'), text)
  const result = await runAs(node, ['example.ts'], { user: 'self', cwd: folder, env, timeoutMs: 60_000 })
  expect(result, result.stdout + result.stderr).toMatchObject({ code: 0, stderr: '' })
  return result.stdout
}
