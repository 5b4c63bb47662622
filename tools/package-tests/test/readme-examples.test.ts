import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nodeBinary, runAs, temporaryFolder, workspaceRoot } from '@waltz/testkit'
import { describe, expect, test } from 'vitest'
import { needsStorageServer } from '../src/example-surroundings.ts'
import { codeBlocks, packageEntries, readmeExamples } from '../src/readme-examples.ts'

const examples = readmeExamples()

describe('the examples in the READMEs of the packages', () => {
  test.each(examples)('$name has one', ({ problem }) => {
    expect(problem).toBeUndefined()
  })

  // Those that speak with a storage server run in `integration/standalone.test.ts`.
  test.each(examples.filter(({ name, problem, needsServer }) => problem === undefined && !needsServer && !needsStorageServer(name)))(
    '$name: it runs as it stands',
    async ({ folder, blocks }) => {
      await using temporary = temporaryFolder()
      const node = await nodeBinary()
      for (const block of blocks) {
        const result = await runAs(node, ['--conditions=source', '--input-type=module-typescript'], {
          user: 'self',
          cwd: folder,
          input: block,
          env: { TMPDIR: temporary.path },
          timeoutMs: 30_000,
        })
        expect(result, result.stdout + result.stderr).toMatchObject({ code: 0, stderr: '' })
      }
    },
    60_000,
  )

  test('they compile under the strictest settings', async () => {
    await using folder = temporaryFolder()
    const blocks = examples.flatMap(({ name, blocks }) => blocks.map((text, index) => ({ file: `${name}-${index}.ts`, text })))
    expect(blocks.length).toBeGreaterThan(0)
    for (const { file, text } of blocks) writeFileSync(folder.join(file), text)
    writeFileSync(folder.join('wrong-0.ts'), "import { lsn } from '@waltz/pg-structures'\n\nlsn(1)\n")
    const compilerOptions = {
      noEmit: true,
      composite: false,
      declaration: false,
      declarationMap: false,
      isolatedDeclarations: false,
      rewriteRelativeImportExtensions: false,
      allowImportingTsExtensions: true,
      // An example makes a key with the library that its install line names.
      paths: { ...packageEntries(), openpgp: [join(workspaceRoot, 'packages/crypto/node_modules/openpgp/dist/types/index.d.ts')] },
      typeRoots: [join(workspaceRoot, 'tools/package-tests/node_modules/@types')],
    }
    const config = { extends: join(workspaceRoot, 'tsconfig.base.json'), compilerOptions, include: ['*.ts'] }
    writeFileSync(folder.join('tsconfig.json'), JSON.stringify(config))
    // Nothing around them says that they are modules otherwise.
    writeFileSync(folder.join('package.json'), JSON.stringify({ type: 'module' }))
    const { stdout } = await runAs(join(workspaceRoot, 'node_modules/.bin/tsc'), ['-p', '.', '--pretty', 'false'], {
      user: 'self',
      cwd: folder.path,
    })
    // What is wrong in the sources themselves is not for this test to say.
    const complaints = stdout.split('\n').filter((line) => /^[\w-]+-\d+\.ts\(/.test(line) || line.startsWith('error'))
    expect(complaints).toEqual([expect.stringMatching(/^wrong-0\.ts\(3,5\): error TS2345/)])
  }, 60_000)
})

test('blocks of other languages and text around them are left alone', () => {
  expect(codeBlocks('a\n```sh\nls\n```\n\n```ts\nconst a = 1\n```\nb\n```ts\nconst b = `x`\n```\n')).toEqual([
    'const a = 1\n',
    'const b = `x`\n',
  ])
  expect(codeBlocks('no block')).toEqual([])
})
