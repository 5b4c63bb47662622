import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

it('the example of the README about OpenPGP runs as it stands', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const example = /## OpenPGP and envelope OpenPGP\n\n```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
  const args = ['--conditions=source', '--input-type=module-typescript', '-e', example]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: fileURLToPath(new URL('.', import.meta.url)) })
  expect(stdout).toBe('for one pair of eyes false\nenvelope-yc-kms true false\n')
})
