import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkLayers, layers } from '../../../scripts/check-layers.ts'
import { importedModules, scanSource } from '../../../scripts/layers/scan-source.ts'
import { temporaryFolder, workspaceRoot } from '../src/index.ts'

const table = [['errors'], ['bytes', 'settings'], ['storage'], ['storage-file', 'storage-s3', 'repository'], ['backup-kit'], ['cli']]

const manifest = (name: string, dependencies: readonly string[] = [], devDependencies: readonly string[] = []): string =>
  JSON.stringify({
    name: `@waltz/${name}`,
    dependencies: Object.fromEntries(dependencies.map((dependency) => [dependency, '*'])),
    devDependencies: Object.fromEntries(devDependencies.map((dependency) => [dependency, '*'])),
  })

/** A small workspace that keeps every rule. */
const clean: Readonly<Record<string, string>> = {
  'package.json': '{"devDependencies":{"vitest":"*"}}',
  'packages/errors/package.json': manifest('errors'),
  'packages/errors/src/index.ts': "export { Fault } from './fault.ts'\nexport { faultCodes } from './fault-codes.ts'\n",
  'packages/errors/src/fault.ts':
    "export class Fault extends Error {}\nexport const assert = () => { throw new Fault('internal', 'ASSERTION_FAILED', 'x') }\n",
  'packages/errors/src/fault-codes.ts': "export const faultCodes = {\n  ASSERTION_FAILED: 'A bug.',\n}\n",
  'packages/bytes/package.json': manifest('bytes', ['@waltz/errors'], ['vitest']),
  'packages/bytes/src/index.ts':
    "import { Fault } from '@waltz/errors'\nimport { open } from 'node:fs'\n// process.env in a comment\n/* console.log */\n" +
    "export const text = 'process.exit, console.log and Date.now() in a text' + `new Date() ${open('x')}`\n" +
    "export const then = (now: () => Date) => new Date(now().getTime())\nexport const fail = () => new Fault('invalid', 'BYTES_BAD', 'x')\n" +
    "export const buffer = Buffer.from('vitest')\nexport const pattern = /process.env|'/.test('')\nexport const own = { process: { env: 1 } }\n",
  'packages/bytes/src/fault-codes.ts': "export const faultCodes = {\n  BYTES_BAD: 'Bad.',\n}\n",
  'packages/settings/package.json': manifest('settings', ['@waltz/errors']),
  'packages/settings/src/index.ts':
    "import { Fault } from '@waltz/errors'\nexport const bug = () => new Fault('internal', 'ASSERTION_FAILED', 'x')\n",
  'packages/storage/package.json': manifest('storage', ['@waltz/bytes']),
  'packages/storage/src/index.ts': "export type { text } from '@waltz/bytes'\n",
  'packages/storage-file/package.json': manifest('storage-file', ['@waltz/storage']),
  'packages/storage-file/src/deep/index.ts': "import * as store from '@waltz/storage/memory'\nexport { store }\n",
  'packages/storage-s3/package.json': manifest('storage-s3', ['@waltz/storage', 'aws4fetch']),
  'packages/storage-s3/src/index.ts': "export const sign = async () => import('aws4fetch')\n",
  'packages/repository/package.json': manifest('repository', ['@waltz/storage']),
  'packages/repository/src/index.ts': 'export const layout = 5\n',
  'packages/backup-kit/package.json': manifest('backup-kit', ['@waltz/settings', '@waltz/repository']),
  'packages/backup-kit/src/index.ts': "import '@waltz/settings'\n",
  'apps/cli/package.json': manifest('cli', ['@waltz/backup-kit', '@waltz/settings'], ['@waltz/testkit']),
  'apps/cli/src/bin.ts': 'process.exitCode = Math.random() + Date.now()\nconsole.log(new Date())\n',
  'tools/testkit/package.json': manifest('testkit', ['@waltz/storage']),
  'tools/testkit/src/index.ts': 'console.log(process.env, new Date())\n',
}

async function problemsOf(
  changes: Readonly<Record<string, string | undefined>>,
  rows: readonly (readonly string[])[] = table,
): Promise<string> {
  await using folder = temporaryFolder()
  for (const [path, content] of Object.entries({ ...clean, ...changes })) {
    if (content === undefined) continue
    mkdirSync(dirname(join(folder.path, path)), { recursive: true })
    writeFileSync(join(folder.path, path), content)
  }
  return checkLayers(folder.path, rows).problems.join('\n')
}

test('a workspace that keeps the rules has no problems', async () => {
  expect(await problemsOf({})).toBe('')
})

const bytes = 'packages/bytes/src/more.ts'

const violations: readonly (readonly [string, Readonly<Record<string, string | undefined>>, RegExp])[] = [
  [
    'a dependency on its own row',
    { 'packages/bytes/package.json': manifest('bytes', ['@waltz/errors', '@waltz/settings']) },
    /bytes may not read settings/,
  ],
  [
    'a declared dependency upwards',
    { 'packages/errors/package.json': manifest('errors', ['@waltz/bytes']) },
    /errors\/package.json: errors \(row 0\) may not depend on bytes \(row 1\)/,
  ],
  [
    'a repository that knows a backend',
    { 'packages/repository/package.json': manifest('repository', ['@waltz/storage', '@waltz/storage-file']) },
    /repository \(row 3\) may not depend on storage-file \(row 3\)/,
  ],
  [
    'settings read by a library',
    { 'packages/storage/package.json': manifest('storage', ['@waltz/bytes', '@waltz/settings']) },
    /storage may not read settings/,
  ],
  [
    'a package that depends on the app',
    { 'packages/backup-kit/package.json': manifest('backup-kit', ['@waltz/settings', '@waltz/repository', '@waltz/cli']) },
    /backup-kit may not depend on the app cli/,
  ],
  [
    'a package that imports the app',
    { 'packages/backup-kit/src/x.ts': "export * from '@waltz/cli'\n" },
    /backup-kit may not depend on the app cli/,
  ],
  [
    'a package that imports a tool',
    { 'packages/storage/src/x.ts': "import { temporaryFolder } from '@waltz/testkit'\n" },
    /storage may not depend on the tool testkit/,
  ],
  [
    'the app that imports a tool',
    { 'apps/cli/src/x.ts': "import type { x } from '@waltz/testkit'\n" },
    /cli may not depend on the tool testkit/,
  ],
  [
    'a path out of the package',
    { [bytes]: "import { Fault } from '../../errors/src/fault.ts'\n" },
    /more.ts: ..\/..\/errors\/src\/fault.ts leaves the sources/,
  ],
  ['a path to the tests', { [bytes]: "import '../test/x.ts'\n" }, /..\/test\/x.ts leaves the sources/],
  [
    'a dynamic import out of the package',
    { [bytes]: "export const x = () => import('../../errors/src/fault.ts')\n" },
    /leaves the sources/,
  ],
  [
    'a Node module in errors',
    { 'packages/errors/src/x.ts': "import { readFileSync } from 'node:fs'\n" },
    /errors may not import the Node module node:fs/,
  ],
  [
    'a Node module in settings, by its old name',
    { 'packages/settings/src/x.ts': "import fs from 'fs'\n" },
    /settings may not import the Node module fs[\s\S]*must be written node:fs/,
  ],
  [
    'a backend that knows another',
    { 'packages/storage-file/package.json': manifest('storage-file', ['@waltz/storage', '@waltz/storage-s3']) },
    /storage backend storage-file may not depend on storage-s3/,
  ],
  [
    'a backend that knows the repository',
    { 'packages/storage-s3/src/x.ts': "import '@waltz/repository'\n" },
    /storage backend storage-s3 may not depend on repository/,
  ],
  [
    'a backend that knows what lies above',
    { 'packages/storage-s3/src/x.ts': "import '@waltz/backup-kit'\n" },
    /storage backend storage-s3 may not depend on backup-kit/,
  ],
  ['a development dependency in src', { [bytes]: "import { test } from 'vitest'\n" }, /vitest is a development dependency/],
  ['an undeclared dependency', { [bytes]: "import pg from 'pg'\n" }, /pg is not a dependency of bytes/],
  [
    'an undeclared package of the workspace',
    { 'packages/storage/src/x.ts': "import '@waltz/errors'\n" },
    /@waltz\/errors is not a dependency of storage/,
  ],
  ['a workspace package in the root', { 'package.json': '{"devDependencies":{"@waltz/bytes":"*"}}' }, /the root declares @waltz\/bytes/],
  ['a package without a row', { 'packages/utils/package.json': manifest('utils'), 'packages/utils/src/index.ts': '' }, /utils has no row/],
  [
    'a row without package',
    { 'packages/settings/package.json': undefined },
    /settings stands in the table of layers, but there is no such package/,
  ],
  ['a package that is not read', { 'packages/settings/package.json': undefined }, /modules were read, \d+ exist: the check is blind/],
  ['the environment', { [bytes]: 'export const x = process.env\n' }, /more.ts:1: uses process/],
  ['the environment, by brackets', { [bytes]: "export const x = process['env']\n" }, /uses process/],
  ['the imported process', { [bytes]: "import { env } from 'node:process'\n" }, /imports node:process/],
  ['the process inside a template', { [bytes]: 'export const x = `a ${process.pid} b`\n' }, /uses process/],
  ['the clock by number', { [bytes]: '\n\nexport const x = Date.now()\n' }, /more.ts:3: uses Date.now/],
  ['the clock by date', { [bytes]: 'export const x = new Date()\n' }, /uses new Date\(\)/],
  ['the clock by date without parentheses', { [bytes]: 'export const x = new Date\n' }, /uses new Date\(\)/],
  ['the clock handed on', { [bytes]: 'export const x = { now: Date.now }\n' }, /uses Date.now/],
  ['the fine clock', { [bytes]: 'export const x = performance.now()\n' }, /uses performance/],
  ['the console', { [bytes]: "console.log('x')\n" }, /uses console/],
  ['random numbers', { [bytes]: 'export const x = Math.random()\n' }, /uses Math.random/],
  ['random bytes', { [bytes]: "import { randomBytes } from 'node:crypto'\nexport const x = randomBytes(4)\n" }, /uses random values/],
  ['random names', { [bytes]: 'export const x = globalThis.crypto.randomUUID()\n' }, /uses random values[\s\S]*uses globalThis/],
  ['the machine', { [bytes]: "import { tmpdir } from 'node:os'\nexport const x = tmpdir()\n" }, /uses the machine/],
  ['the environment in the app', { 'apps/cli/src/run.ts': 'export const x = process.env\n' }, /run.ts:1: uses process/],
  [
    'a code without explanation',
    { [bytes]: "import { Fault } from '@waltz/errors'\nthrow new Fault(\n  'invalid',\n  'BYTES_NEW',\n  'x')\n" },
    /the code BYTES_NEW is not explained/,
  ],
  [
    'an explanation without code',
    { 'packages/bytes/src/fault-codes.ts': "export const faultCodes = {\n  BYTES_BAD: 'Bad.',\n  BYTES_OLD:\n    'Old.',\n}\n" },
    /BYTES_OLD is explained but never thrown/,
  ],
  ['a code without any table', { 'packages/bytes/src/fault-codes.ts': undefined }, /the code BYTES_BAD is not explained/],
]

describe('violations are reported', () => {
  test.each(violations)('%s', async (_name, changes, expected) => {
    expect(await problemsOf(changes)).toMatch(expected)
  })
})

test('an empty workspace is no clean one', async () => {
  await using folder = temporaryFolder()
  mkdirSync(folder.join('packages'))
  writeFileSync(folder.join('package.json'), '{}')
  expect(checkLayers(folder.path, []).problems.join()).toContain('0 modules were read, 0 exist: the check is blind')
  rmSync(folder.join('packages'), { recursive: true })
})

test('the real workspace is read, every module of it', () => {
  const report = checkLayers(workspaceRoot, layers)
  expect(report.problems.filter((problem) => problem.includes('blind'))).toEqual([])
  expect(report.modules).toBeGreaterThan(100)
})

test('imports are found in every form, and nothing that only looks like one', () => {
  const source = [
    "import a from 'a'",
    "import 'b'",
    'import type { C } from "c"',
    "export * from 'd'",
    "const e = await import('e')",
    "const f = require('f')",
    'const g = import(`g`)',
    'const text = "import h from \'h\'"',
    "// import 'i'",
    "/* from 'j' */",
    "const k = Array.from('k') + x.import('l')",
    "const pattern = /from 'm'/.test(`from 'n' ${`${import('o')}`}`)",
    "const division = 4 / 2 // '",
    "import p from 'p'",
  ].join('\n')
  expect(importedModules(scanSource(source))).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'o', 'p'])
})
