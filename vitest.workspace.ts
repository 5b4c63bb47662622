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

const project = (name: string, folder: string, extra: object = {}): TestProjectConfiguration =>
  defineProject({
    resolve,
    ssr: { resolve },
    test: { name, include: members.map((member) => `${member}/test/${folder}*.test.ts`), globalSetup, ...extra },
  })

/**
 * One project per kind of test. `unit` touches no server; `integration` starts real ones; `interop` reads what other
 * programs wrote; `drill` plays whole journeys. Server tests run one file at a time: they share two cores.
 */
const projects: TestProjectConfiguration[] = [
  project('unit', '{,push/}'),
  project('interop', 'interop/', { testTimeout: 60_000 }),
  project('integration', 'integration/', { testTimeout: 180_000, hookTimeout: 180_000, fileParallelism: false }),
  project('drill', 'drill/', { testTimeout: 300_000, hookTimeout: 300_000, fileParallelism: false }),
]

export default projects
