import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineProject, type TestProjectConfiguration, type UserWorkspaceConfig } from 'vitest/config'

const root = new URL('.', import.meta.url)
const members = ['packages', 'apps', 'tools']
  .flatMap((group) => readdirSync(new URL(group, root)).map((name) => `${group}/${name}`))
  .concat('bench')
  .filter((path) => existsSync(new URL(`${path}/test`, root)))

/** Workspace packages are tested from their sources. */
const resolve = { conditions: ['source', 'node'] }

/** Lets test files share storage servers; does next to nothing until one is asked for. */
const globalSetup = fileURLToPath(new URL('tools/testkit/src/servers/shared-setup.ts', root))

/** Stores behind a network that fails: they wait most of the time, many cases of a file at once. */
const faults = ['packages/storage*/test/**/network-faults.test.ts']
/** The same with the second engines, which few people choose: left to the soak. */
const secondEngines = ['packages/storage-*/test/**/{google-cloud,pkgcloud}/network-faults.test.ts']
const soaking = (process.env['WALTZ_SOAK'] ?? '') !== ''

/** Tests against storage servers that do not look at the clock, and wait a lot. */
const storage = [
  'packages/storage-*/test/integration/!(network-faults).test.ts',
  'apps/cli/test/integration/storages-*.test.ts',
  'tools/package-tests/test/integration/standalone.test.ts',
]

/** Tests that look at the clock: one at a time, alone. */
const alone = [
  'apps/cli/test/integration/{backup-push-server,never-promotes,shipped-command}.test.ts',
  'packages/backup-kit/test/integration/open-sql-connection.test.ts',
  'tools/testkit/test/integration/{cluster,servers}.test.ts',
]

/** Tests that look at the memory of their own process: each file in a process of its own. */
const memory = [
  'packages/backup-kit/test/{catalogue,removal}-scale.test.ts',
  'packages/repository/test/files-metadata.test.ts',
  'packages/storage/test/conformance-more.test.ts',
  'packages/storage-file/test/conformance.test.ts',
]

const named = (name: string, include: readonly string[], { exclude = [], ...extra }: Extra): TestProjectConfiguration =>
  defineProject({
    resolve,
    ssr: { resolve },
    test: { name, include: [...include], exclude: ['**/node_modules/**', ...exclude], globalSetup, ...extra },
  })

const inFolder = (folder: string): readonly string[] => members.map((member) => `${member}/test/${folder}*.test.ts`)

type Extra = NonNullable<UserWorkspaceConfig['test']>

/** So many files of a project at a time, whatever the machine; those of the next turn begin when all of them have ended. */
const atOnce = (maxWorkers: number, groupOrder: number): Extra => ({ maxWorkers, sequence: { groupOrder } })
/** The files of all such projects one after the other, at the very end. */
const oneByOne: Extra = { fileParallelism: false }
const patient: Extra = { testTimeout: 180_000, hookTimeout: 180_000 }

/**
 * One project per kind of test. `unit` and `memory` touch no server; `interop` reads what other programs wrote; `storage` runs against
 * storage servers, `integration` against PostgreSQL and as processes, `alone` the same with an eye on the clock; `faults` are stores
 * behind networks that fail; `drill` plays whole journeys. All of it is made for two cores.
 */
const projects: TestProjectConfiguration[] = [
  named('unit', inFolder('{,push/}'), { ...atOnce(2, 1), exclude: [...faults, ...memory] }),
  named('memory', memory, atOnce(2, 1)),
  named('interop', inFolder('interop/'), { ...atOnce(2, 1), testTimeout: 60_000 }),
  named('storage', storage, { ...atOnce(3, 2), ...patient }),
  named('integration', inFolder('integration/'), { ...atOnce(2, 3), ...patient, exclude: [...storage, ...faults, ...alone] }),
  named('alone', alone, { ...oneByOne, ...patient }),
  named('faults', faults, { ...oneByOne, exclude: soaking ? [] : secondEngines, maxConcurrency: 10, hookTimeout: 180_000 }),
  named('drill', inFolder('drill/'), { ...atOnce(2, 4), testTimeout: 300_000, hookTimeout: 300_000 }),
]

export default projects
