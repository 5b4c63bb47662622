/**
 * The tests with their deep counts: every form and engine of every store, all of them behind a network that fails too, long listings, a
 * million random repositories for the planner of retention, 100,000 histories of deletions, the demo on every storage. Takes hours;
 * arguments name tests as those of `npm test` do.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const given = process.argv.slice(2)
const deep = [
  'packages/storage',
  'packages/retention-policy/test/oracle.test.ts',
  'packages/backup-kit/test/repository-model.test.ts',
  'packages/backup-kit/test/catalogue-scale.test.ts',
  'packages/backup-kit/test/removal-scale.test.ts',
  'tools/demo/test/integration/demo-storages.test.ts',
]
const wanted = given.length > 0 ? given : deep
const script = join(fileURLToPath(new URL('.', import.meta.url)), 'run-tests.ts')
const { status } = spawnSync(process.execPath, ['--conditions=source', script, ...wanted], {
  stdio: 'inherit',
  env: { ...process.env, WALTZ_SOAK: '1' },
})
process.exitCode = status ?? 1
