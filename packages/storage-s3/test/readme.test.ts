import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

it('the example of the README runs as it stands', { timeout: 60_000 }, () => {
  const cwd = new URL('..', import.meta.url)
  const example = /```ts\n(.*?)```/s.exec(readFileSync(new URL('README.md', cwd), 'utf8'))?.[1] ?? ''
  const args = ['--conditions=source', '--input-type=module-typescript', '-e', example]
  const output = execFileSync(process.execPath, args, { cwd, encoding: 'utf8' })
  expect(output).toBe('wal/0001 is 5 bytes\nSTORAGE_ACCESS_DENIED\n')
})
