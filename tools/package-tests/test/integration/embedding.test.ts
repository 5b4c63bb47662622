import { existsSync, readFileSync, readdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import {
  contentProof,
  mustRun,
  nodeBinary,
  runAs,
  startAs,
  startCluster,
  startRestored,
  temporaryFolder,
  waltzCommand,
  workspaceRoot,
  writeServerFile,
  type RunOptions,
  type TemporaryFolder,
  type TestCluster,
} from '@waltz/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { installExample } from '../../src/install-example.ts'
import { packPackages, type Tarballs } from '../../src/pack-packages.ts'

const self: RunOptions = { user: 'self' }
let work: TemporaryFolder
let tarballs: Tarballs
let cluster: TestCluster
let node: string

beforeAll(async () => {
  work = temporaryFolder()
  tarballs = await packPackages(work.makeFolder('tarballs'))
  node = await nodeBinary()
  cluster = await startCluster({ major: 18 })
  await cluster.query('create table dances as select i as number, md5(i::text) as name from generate_series(1, 20000) i; checkpoint')
})

afterAll(async () => {
  await cluster?.dispose()
  await work?.dispose()
})

describe('packed packages', () => {
  test('they hold what is published, with real versions and without sources', async () => {
    const folders = readdirSync(join(workspaceRoot, 'packages')).filter((name) =>
      existsSync(join(workspaceRoot, 'packages', name, 'package.json')),
    )
    expect([...tarballs.keys()].sort()).toEqual([...folders.map((name) => `@waltz/${name}`), '@waltz/cli'].sort())
    for (const [name, path] of tarballs) {
      const files = (await mustRun('tar', ['tzf', path], self))
        .trim()
        .split('\n')
        .map((file) => file.replace('package/', ''))
      const manifest = JSON.parse(await mustRun('tar', ['xzOf', path, 'package/package.json'], self)) as {
        readonly license: string
        readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string }>>
        readonly dependencies?: Readonly<Record<string, string>>
      }
      expect(files, name).toEqual(expect.arrayContaining(['LICENSE', 'package.json']))
      const elsewhere = files.filter((file) => !file.startsWith('dist/') && !/^(LICENSE|README\.md|package\.json)$/.test(file))
      expect(elsewhere, name).toEqual([])
      expect(manifest.license, name).toBe('MIT')
      for (const [dependency, range] of Object.entries(manifest.dependencies ?? {}))
        expect(range, `${name}: ${dependency}`).toMatch(/^\d+\.\d+\.\d+$/)
      for (const conditions of Object.values(manifest.exports)) {
        expect(Object.keys(conditions), name).toEqual(['types', 'default'])
        for (const target of Object.values(conditions)) expect(files, name).toContain(target.replace('./', ''))
      }
    }
  })
})

describe('read-wal-names', () => {
  test('it installs two packages and nothing of the rest, and reads names and segments', async () => {
    const folder = await install('read-wal-names')
    expect(packagesIn(folder)).toEqual(['@types/node', '@waltz/errors', '@waltz/pg-structures', 'undici-types'])
    await typeCheck(folder)

    const [segment = ''] = readdirSync(join(cluster.dataDirectory, 'pg_wal'))
      .filter((name) => /^[0-9A-F]{24}$/.test(name))
      .sort()
    const names = [
      '0000000100000016000000B3',
      '0000000100000016000000B4.partial',
      '00000002.history',
      'postgres',
      join(cluster.dataDirectory, 'pg_wal', segment),
    ]
    const { stdout } = await runExample(folder, 'read-wal-names.ts', names)
    const [{ system_identifier: cluster18 } = { system_identifier: '' }] = await cluster.query<{ system_identifier: string }>(
      'select system_identifier::text from pg_control_system()',
    )
    expect(stdout.trimEnd().split('\n')).toEqual([
      '0000000100000016000000B3: WAL from 16/B3000000, in segments of 16 MiB',
      '0000000100000016000000B4.partial: the unfinished last segment of timeline 1',
      '00000002.history: where timeline 2 comes from',
      'postgres: not the name of a WAL file',
      expect.stringMatching(
        new RegExp(`^${segment}: WAL from 0/\\d000000, in segments of 16 MiB, written by PostgreSQL 18, cluster ${cluster18}$`),
      ),
    ])
  })
})

describe('embed-backup', () => {
  let folder: string
  beforeAll(async () => {
    folder = await install('embed-backup')
  })

  test('it installs the kit and what that needs from tarballs alone, and compiles against them', async () => {
    const kit = [...tarballs.keys()].filter((name) => name !== '@waltz/cli').sort()
    expect(packagesIn(folder).filter((name) => name.startsWith('@waltz/'))).toEqual(kit)
    await typeCheck(folder)
  })

  test('it backs up, lists and restores; the copy has every row', async () => {
    const expected = await contentProof(cluster)
    const repository = work.makeFolder('repository')
    const destination = work.join('restored')
    const { stdout, stderr } = await runExample(folder, 'embed-backup.ts', [cluster.dataDirectory, repository, destination], {
      env: cluster.env,
    })
    expect(stderr).not.toContain('Error')
    const name = /^backed up (base_[0-9A-F]{24}): \d{3,4} files, \d+\.\d MiB, stored as \d+\.\d MiB$/m.exec(stdout)?.[1]
    expect(stdout).toMatch(new RegExp(`^listed ${name} of 20\\d\\d-`, 'm'))
    expect(stdout).toMatch(/^read \d+\.\d MiB of about \d+\.\d MiB$/m)
    expect(stdout).toMatch(/^restored \d{3,4} files, \d+\.\d MiB, into .*restored$/m)

    // As its README says: a server fetches the WAL from the repository with the waltz command.
    writeServerFile(join(destination, 'recovery.signal'), '')
    const settings = { restore_command: `${await waltzCommand()} wal-fetch %f %p`, archive_mode: 'off' }
    await using copy = await startRestored(destination, 18, { settings, env: { WALG_FILE_PREFIX: repository } })
    await copy.waitForValue('select pg_is_in_recovery()::text', 'false')
    expect(await contentProof(copy)).toEqual(expected)
  })

  test('Ctrl-C in the middle ends it: nothing is listed, and the server is out of backup mode', async () => {
    const repository = work.makeFolder('interrupted')
    const destination = work.join('never-restored')
    const slow = startAs(node, [join(folder, 'embed-backup.ts'), cluster.dataDirectory, repository, destination], {
      cwd: folder,
      env: { ...cluster.env, WALG_NETWORK_RATE_LIMIT: '100000' },
    })
    await slow.waitFor(/^read /m)
    slow.kill('SIGINT')
    const { code, stderr } = await slow.exited
    expect(stderr).toMatch(/^ABORTED: /m)
    expect(code).toBe(130)
    const objects = readdirSync(repository, { recursive: true, encoding: 'utf8' })
    expect(objects.filter((path) => path.includes('sentinel'))).toEqual([])
    expect(existsSync(destination)).toBe(false)
    await cluster.waitForValue(
      "select count(*)::text from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
      '0',
    )
  })

  test('a failure is a fault with a code that says what to do', async () => {
    const result = await runExample(
      folder,
      'embed-backup.ts',
      [cluster.dataDirectory, work.makeFolder('unused'), work.join('unused-too')],
      {
        env: { ...cluster.env, PGHOST: work.path },
        mayFail: true,
      },
    )
    expect(result).toMatchObject({ code: 1, stderr: expect.stringMatching(/^SERVER_UNAVAILABLE: [^\n]+\n[^\n]+\n$/) })
  })
})

async function install(name: string): Promise<string> {
  const folder = work.makeFolder(name)
  await installExample(name, folder, tarballs)
  await mustRun('chmod', ['-R', 'go+rX', folder], self)
  return folder
}

/** Names of all installed packages, sorted. Fails when one of them lies elsewhere or came from elsewhere than a tarball or a registry. */
function packagesIn(folder: string): readonly string[] {
  const lock = JSON.parse(readFileSync(join(folder, 'node_modules/.package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly resolved?: string; readonly link?: boolean }>>
  }
  return Object.entries(lock.packages)
    .map(([path, { resolved, link }]) => {
      expect(link, path).toBeUndefined()
      expect(realpathSync(join(folder, path))).toBe(join(realpathSync(folder), path))
      if (path.includes('@waltz/')) expect(resolved, path).toMatch(/^file:.*\.tgz$/)
      return path.replace('node_modules/', '')
    })
    .sort()
}

/** The declarations of the packages are checked as well, which hides nothing that a strict user would see. */
async function typeCheck(folder: string): Promise<void> {
  await mustRun(join(workspaceRoot, 'node_modules/.bin/tsc'), ['-p', '.', '--skipLibCheck', 'false'], { ...self, cwd: folder })
}

async function runExample(
  folder: string,
  script: string,
  args: readonly string[],
  { env = {}, mayFail = false }: { readonly env?: RunOptions['env']; readonly mayFail?: boolean } = {},
): Promise<{ readonly code: number | undefined; readonly stdout: string; readonly stderr: string }> {
  const result = await runAs(node, [script, ...args], { cwd: folder, ...(env === undefined ? {} : { env }) })
  if (!mayFail) expect(result.code, result.stdout + result.stderr).toBe(0)
  return result
}
