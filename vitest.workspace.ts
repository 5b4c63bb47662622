import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineProject, type TestProjectConfiguration } from 'vitest/config'

const root = new URL('.', import.meta.url)
const members = ['packages', 'apps', 'tools']
  .flatMap((group) => readdirSync(new URL(group, root)).map((name) => `${group}/${name}`))
  .concat('bench')
  .filter((path) => existsSync(new URL(`${path}/test`, root)))

/** Workspace packages are tested from their sources. */
const resolve = { conditions: ['source', 'node'] }

/** Lets test files share storage servers; does next to nothing until one is asked for. */
const globalSetup = fileURLToPath(new URL('tools/testkit/src/servers/shared-setup.ts', root))

/** Stores behind a network that fails: most of them wait most of the time, so all but one are left to the soak. */
const soakOnly = ['storage', 'storage-azure', 'storage-gcs', 'storage-ssh', 'storage-swift'].map(
  (name) => `packages/${name}/test/**/network-faults.test.ts`,
)
const soaking = (process.env['WALTZ_SOAK'] ?? '') !== ''

/** Tests against storage servers that do not look at the clock: two files at a time, since they wait a lot. */
const storage = [
  'packages/storage-*/test/integration/!(network-faults).test.ts',
  'apps/cli/test/integration/storages-*.test.ts',
  'tools/package-tests/test/integration/standalone.test.ts',
]

const named = (name: string, include: readonly string[], extra: object = {}): TestProjectConfiguration =>
  defineProject({
    resolve,
    ssr: { resolve },
    test: { name, include: [...include], exclude: ['**/node_modules/**', ...(soaking ? [] : soakOnly)], globalSetup, ...extra },
  })

const project = (name: string, folder: string, extra: object = {}): TestProjectConfiguration =>
  named(
    name,
    members.map((member) => `${member}/test/${folder}*.test.ts`),
    extra,
  )

/**
 * One project per kind of test. `unit` touches no server; `integration` starts real ones; `interop` reads what other
 * programs wrote; `drill` plays whole journeys; `storage` runs against storage servers. Other server tests run one file at a time: they share two cores.
 */
const projects: TestProjectConfiguration[] = [
  project('unit', '{,push/}'),
  project('interop', 'interop/', { testTimeout: 60_000 }),
  named('storage', storage, { testTimeout: 180_000, hookTimeout: 180_000 }),
  project('integration', 'integration/', {
    testTimeout: 180_000,
    hookTimeout: 180_000,
    fileParallelism: false,
    exclude: ['**/node_modules/**', ...storage, ...(soaking ? [] : soakOnly)],
  }),
  project('drill', 'drill/', { testTimeout: 300_000, hookTimeout: 300_000, fileParallelism: false }),
]

export default projects
