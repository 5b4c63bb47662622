/**
 * The tests with their deep counts: every form of every store behind a network that fails, ten thousand races, long listings. Takes as
 * long as it takes; arguments name tests as those of `npm test` do.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const given = process.argv.slice(2)
const wanted = given.length > 0 ? given : ['packages/storage', 'packages/retention-policy']
const script = join(fileURLToPath(new URL('.', import.meta.url)), 'run-tests.ts')
const { status } = spawnSync(process.execPath, ['--conditions=source', script, ...wanted], {
  stdio: 'inherit',
  env: { ...process.env, WALTZ_SOAK: '1' },
})
process.exitCode = status ?? 1
