import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { startGcsFake } from '@waltz/testkit'

it('the example of the README runs as it stands, against the fake', { timeout: 60_000 }, async () => {
  await using fake = await startGcsFake()
  const cwd = new URL('..', import.meta.url)
  const example = /```ts\n(.*?)```/s.exec(readFileSync(new URL('README.md', cwd), 'utf8'))?.[1] ?? ''
  const args = ['--conditions=source', '--input-type=module-typescript', '-e', example]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd, encoding: 'utf8', env: { GCS_ENDPOINT: fake.endpoint } })
  expect(stdout).toBe('wal_005/000000010000000000000001.lz4 11\none\n')
  expect(fake.bucket().all()).toEqual([])
})
