import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

it('the example of the README runs as it stands', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
  const args = ['--conditions=source', '--input-type=module-typescript', '-e', example]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: fileURLToPath(new URL('.', import.meta.url)) })
  expect(stdout).toContain('58 bytes: written last year')
  expect(stdout).toContain('229 bytes: written today')
  expect(stdout).toContain('CRYPTO_DAMAGED: aws-kms data is damaged at byte 184')
})
