import { nodeBinary, runAs, startCluster, temporaryFolder } from '@waltz/testkit'
import { expect, test } from 'vitest'
import { readmeExamples } from '../../src/readme-examples.ts'

const examples = readmeExamples().filter(({ problem, needsServer }) => problem === undefined && needsServer)

test('the kit has an example with a server', () => {
  expect(examples.map(({ name }) => name)).toContain('backup-kit')
})

test.each(examples)('$name: its README runs as it stands beside a server', async ({ folder, blocks }) => {
  await using temporary = temporaryFolder()
  await using cluster = await startCluster({ major: 17 })
  const node = await nodeBinary()
  for (const block of blocks) {
    const result = await runAs(node, ['--conditions=source', '--input-type=module-typescript'], {
      user: 'self',
      cwd: folder,
      input: block,
      env: { ...cluster.env, TMPDIR: temporary.path },
    })
    expect(result, result.stdout + result.stderr).toMatchObject({ code: 0, stderr: '' })
  }
})
