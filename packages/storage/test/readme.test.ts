import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

it('the examples of the README run as they stand', { timeout: 60_000 }, () => {
  const cwd = new URL('..', import.meta.url)
  const examples = [...readFileSync(new URL('README.md', cwd), 'utf8').matchAll(/```ts\n(.*?)```/gs)].map(([, text = '']) => text)
  const outputs = examples.map((example) => {
    const args = ['--conditions=source', '--input-type=module-typescript', '-e', example]
    return execFileSync(process.execPath, args, { cwd, encoding: 'utf8' })
  })
  expect(outputs).toEqual(['hello.txt 5\nhello\n', '11 three parts\n'])
})
