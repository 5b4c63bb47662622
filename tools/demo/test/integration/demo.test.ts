import { readdirSync, existsSync, rmSync } from 'node:fs'
import { mustRun, runAs, temporaryFolder } from '@waltz/testkit'
import { expect, test } from 'vitest'
import { processesOf, startDemo } from '../support/start-demo.ts'

test('the journey ends with its proof, in a dozen lines, and the kept folder is as described', async () => {
  await using folder = temporaryFolder()
  const { code, stdout, stderr } = await startDemo(folder.path, '--keep').exited
  expect(stderr).toBe('')
  expect(code).toBe(0)
  expect(stdout).toContain('Proven: every row of that moment is back')
  expect(stdout.match(/^ +(?:customers|orders) .* the same$/gm)).toHaveLength(2)
  expect(stdout.split('\n').filter((line) => /^ ?\d+ {2}/.test(line)).length).toBeLessThanOrEqual(12)
  const [kept = ''] = readdirSync(folder.path)
  expect(kept).toMatch(/^waltz-demo-/)
  expect(processesOf(folder.path)).toEqual([])
  const [list = '', another = ''] = stdout.split('\n').filter((line) => / waltz-demo|\/waltz backup-/.test(line))
  expect(await mustRun('sh', ['-c', list], { user: 'self' })).toMatch(/base_[0-9A-F]{24}/)
  expect((await runAs('sh', ['-c', another], { user: 'self' })).code).toBe(0)
  expect(existsSync(`${folder.path}/${kept}/another/PG_VERSION`)).toBe(true)
  rmSync(`${folder.path}/${kept}`, { recursive: true })
})

test.each([
  ['at once', /back to the second/],
  ['when the server runs', /new and empty/],
  ['during the backup', /Two tables are filled/],
  ['after the mistake', /DROP TABLE/],
  ['during recovery', /the backup is restored/],
])('Ctrl-C %s stops everything and leaves nothing behind', async (_when, line) => {
  await using folder = temporaryFolder()
  const demo = startDemo(folder.path)
  await demo.waitFor(line)
  demo.kill('SIGINT')
  demo.kill('SIGINT')
  const { code, stdout } = await demo.exited
  expect(code).toBe(130)
  expect(stdout).toContain('Stopped by Ctrl-C')
  expect(readdirSync(folder.path)).toEqual([])
  expect(processesOf(folder.path)).toEqual([])
})

test.each([
  [['--storage', 'tape'], 'unknown storage tape; the demo takes --keep and --storage file|s3|azure|swift|ssh'],
  [['--storage'], '--storage names nothing'],
  [['--keep', '--storage', 's3'], 'the server of s3 ends with the demo: take one of the two'],
])('%j is refused', async (args, problem) => {
  await using folder = temporaryFolder()
  expect(await startDemo(folder.path, ...args).exited).toMatchObject({ code: 2, stderr: expect.stringContaining(problem) as string })
  expect(readdirSync(folder.path)).toEqual([])
})

test('a failure is shown, and cleaned up behind', async () => {
  await using folder = temporaryFolder()
  const demo = startDemo(folder.path, '--kep')
  expect(await demo.exited).toMatchObject({ code: 2, stderr: expect.stringContaining('unknown argument --kep') as string })
  expect(readdirSync(folder.path)).toEqual([])
})
