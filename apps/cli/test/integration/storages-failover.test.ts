import { cpSync, readdirSync, writeFileSync } from 'node:fs'
import {
  azureEnvironment,
  createFaultProxy,
  giveToOrdinaryUser,
  mustRun,
  runAs,
  s3Environment,
  sharedServer,
  sshEnvironment,
  startAs,
  startCluster,
  temporaryFolder,
  waltzCommand,
  type FaultProxy,
  type RunResult,
  type StorageEnvironment,
  type TestCluster,
} from '@waltz/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const BACKUP = /base_[0-9A-F]{24}/g
const work = temporaryFolder()
const repository = work.makeFolder('repository')
const radosgw = await sharedServer('radosgw')
const azurite = await sharedServer('azurite')
const sshd = await sharedServer('sshd')
let waltz = ''
let source: TestCluster | undefined
let count = 0

/** Settings of the first storage and of further ones; what processes remember of storages lies in a folder of its own. */
function several(first: StorageEnvironment, further: Readonly<Record<string, StorageEnvironment>>): StorageEnvironment {
  return { ...first, WALG_FAILOVER_STORAGES: JSON.stringify(further), HOME: work.makeFolder(`home ${(count += 1)}`) }
}

/** A recovery waits for a storage that does not answer; here nobody does. */
const run = (env: StorageEnvironment, ...args: readonly string[]): Promise<RunResult> =>
  runAs(waltz, args, { env: { WALTZ_WAL_FETCH_DEADLINE: '0s', ...env } })

/** A file to archive, in a new folder; its name fits a timeline that nobody has. */
function historyFile(name: string, text = '1\t0/3000000\tno recovery target specified\n'): string {
  const path = `${work.makeFolder(`history ${(count += 1)}`)}/${name}`
  writeFileSync(path, text)
  giveToOrdinaryUser(path)
  return path
}

const fetchedTo = (): string => work.join(`fetched ${(count += 1)}`)

function namesIn(result: RunResult): readonly string[] {
  expect(result.code, result.stderr).toBe(0)
  return result.stdout.match(BACKUP) ?? []
}

async function pushed(env: StorageEnvironment, ...flags: readonly string[]): Promise<string> {
  const { env: server, dataDirectory } = source as TestCluster
  const { code, stdout, stderr } = await run({ ...env, ...server }, 'backup-push', dataDirectory, '--json', ...flags)
  expect(code, stderr).toBe(0)
  return (JSON.parse(stdout) as { readonly backup_name: string }).backup_name
}

const file = { WALG_FILE_PREFIX: repository }

beforeAll(async () => {
  waltz = await waltzCommand()
  source = await startCluster({
    major: 15,
    env: file,
    settings: { archive_mode: 'on', archive_command: `${waltz} wal-push %p`, wal_level: 'replica', max_wal_senders: 4 },
  })
  await source.query('create table filler as select i, md5(i::text) || md5((i * 7)::text) as text from generate_series(1, 60000) i')
})

afterAll(async () => {
  await source?.dispose()
  await work.dispose()
})

/** A storage that cannot be used, whichever is asked first. */
async function broken(what: string): Promise<StorageEnvironment> {
  const good = await s3Environment(radosgw.server)
  return what === 'a bucket that does not exist'
    ? { ...good, WALG_S3_PREFIX: 's3://bucket-that-nobody-made/repository' }
    : { ...good, AWS_SECRET_ACCESS_KEY: 'a-wrong-key' }
}

describe.skipIf(radosgw.missing !== undefined)(`one storage that cannot be used beside one that can, on ${radosgw.title}`, () => {
  it.each([
    ['first', 'a bucket that does not exist'],
    ['first', 'wrong credentials'],
    ['second', 'a bucket that does not exist'],
    ['second', 'wrong credentials'],
  ])('the %s is %s: nothing stops', async (position, what) => {
    const bad = await broken(what)
    const env = position === 'first' ? several(bad, { other: file }) : several(file, { other: bad })
    const history = historyFile(`0000${(0x1000 + (count += 1)).toString(16).toUpperCase()}.history`)
    const name = history.slice(history.lastIndexOf('/') + 1)
    for (const args of [
      ['wal-push', history],
      ['wal-push', history],
      ['wal-fetch', name, fetchedTo()],
    ]) {
      const { code, stderr } = await run(env, ...args)
      expect(code, `${args.join(' ')}\n${stderr}`).toBe(0)
    }
    expect(readdirSync(`${repository}/wal_005`).some((stored) => stored.startsWith(name))).toBe(true)
    const backup = await pushed(env)
    expect(namesIn(await run(env, 'backup-list'))).toContain(backup)
    expect(readdirSync(`${repository}/basebackups_005`)).toContain(backup)

    // The other one never said that it has no such file.
    const absent = await run(env, 'wal-fetch', '0000EEEE.history', fetchedTo())
    expect(absent.code, absent.stderr).toBe(200)
    expect(absent.stderr).toContain('STORAGE_PARTLY_UNAVAILABLE')
    expect(absent.stderr).toContain(position === 'first' ? 'default' : 'other')
    // Left out by a setting it need not answer.
    const ignoring = { ...env, WALTZ_FAILOVER_IGNORE: position === 'first' ? 'default' : 'other' }
    expect((await run(ignoring, 'wal-fetch', '0000EEEE.history', fetchedTo())).code).toBe(74)
  })

  it('none that can be used is an error that names each', async () => {
    const env = several(await broken('wrong credentials'), { other: await broken('a bucket that does not exist') })
    const push = await run(env, 'wal-push', historyFile('0000ABCD.history'))
    expect(push.code, push.stderr).toBeGreaterThan(0)
    expect(push.code).toBeLessThan(126)
    expect(push.stderr).toMatch(/default[^]*other|other[^]*default/)
    expect((await run(env, 'wal-fetch', '0000ABCD.history', fetchedTo())).code).toBe(200)
  })
})

describe.skipIf(radosgw.missing !== undefined)(`two storages that both answer, on ${radosgw.title}`, () => {
  it('not-found takes both, a file comes from either, --target-storage is obeyed, and a backup shows in each that holds it', async () => {
    const copy = work.makeFolder('copy of the repository')
    const s3 = await s3Environment(radosgw.server)
    const env = several({ ...file }, { bucket: s3, copy: { WALG_FILE_PREFIX: copy } })
    const history = historyFile('0000BEEF.history')
    const there = await run(env, 'wal-push', history, '--target-storage', 'bucket')
    expect(there.code, there.stderr).toBe(0)
    expect(readdirSync(`${repository}/wal_005`).some((stored) => stored.startsWith('0000BEEF'))).toBe(false)
    expect((await run(env, 'wal-fetch', '0000BEEF.history', fetchedTo())).code).toBe(0)
    const only = await run(env, 'wal-fetch', '0000BEEF.history', fetchedTo(), '--target-storage', 'default')
    expect(only.code, only.stderr).toBe(74)
    const absent = await run(env, 'wal-fetch', '0000EEEE.history', fetchedTo())
    expect(absent.code, absent.stderr).toBe(74)

    const inBucket = await pushed(env, '--target-storage', 'bucket')
    expect(readdirSync(`${repository}/basebackups_005`)).not.toContain(inBucket)
    expect(namesIn(await run(s3, 'backup-list'))).toEqual([inBucket])
    const inFirst = await pushed(env)
    cpSync(repository, copy, { recursive: true })
    await mustRun('/bin/chown', ['-R', '--reference', repository, copy], { user: 'self' })
    const all = namesIn(await run(env, 'backup-list'))
    expect(all.filter((name) => name === inBucket)).toHaveLength(1)
    expect(all.filter((name) => name === inFirst)).toHaveLength(2)
    expect(namesIn(await run(env, 'backup-list', '--target-storage', 'bucket'))).toEqual([inBucket])
    const unknown = await run(env, 'backup-list', '--target-storage', 'nowhere')
    expect([unknown.code, unknown.stderr.includes('STORAGE_UNKNOWN')], unknown.stderr).toEqual([2, true])
  })
})

interface Reached {
  readonly port: number
  readonly through: (port: number) => StorageEnvironment
}

const reachable = [
  {
    kind: 's3',
    on: radosgw,
    reach: async (): Promise<Reached> => {
      const env = await s3Environment(radosgw.server)
      return {
        port: Number(new URL(radosgw.server.endpoint).port),
        through: (port) => ({ ...env, AWS_ENDPOINT: `http://127.0.0.1:${port}`, S3_MAX_RETRIES: '2' }),
      }
    },
  },
  {
    kind: 'azure',
    on: azurite,
    reach: async (): Promise<Reached> => {
      const env = await azureEnvironment(azurite.server)
      const url = new URL(azurite.server.endpoint)
      return {
        port: Number(url.port),
        through: (port) => ({ ...env, WALTZ_AZURE_ENDPOINT: azurite.server.endpoint.replace(`:${url.port}`, `:${port}`) }),
      }
    },
  },
  {
    kind: 'ssh',
    on: sshd,
    reach: async (): Promise<Reached> => {
      const env = await sshEnvironment(sshd.server)
      return { port: sshd.server.port, through: (port) => ({ ...env, SSH_PORT: String(port), WALTZ_SSH_HOST_KEY_CHECK: 'false' }) }
    },
  },
]

describe.each(reachable)('a storage that goes away in the middle of a backup: $kind', ({ on, reach }) => {
  it.skipIf(on.missing !== undefined).each([
    ['alone', false],
    ['with another behind it', true],
  ])(`on ${on.title}, %s: the error names it, and nothing looks like a backup`, async (_how, hasOther) => {
    const { port, through } = await reach()
    const proxy = await createFaultProxy({ target: { host: '127.0.0.1', port } })
    try {
      const patience = { WALTZ_STORAGE_MAX_RETRIES: '2', WALTZ_STORAGE_CONNECT_TIMEOUT: '2s' }
      const first = { ...through(proxy.port), ...patience, WALG_COMPRESSION_METHOD: 'none' }
      const env = hasOther ? several(first, { other: { WALG_FILE_PREFIX: work.makeFolder(`other ${(count += 1)}`) } }) : first
      const push = await pushWhileItGoesAway(env, proxy)
      expect(push.code, push.stderr).toBe(23)
      expect(push.stdout).toBe('')
      expect(push.stderr).toMatch(hasOther ? /storage default failed during the backup/ : /STORAGE_[A-Z_]+/)
      proxy.set(undefined)
      expect(namesIn(await run(first, 'backup-list'))).toEqual([])
      const left = await run(first, 'st', 'ls', '-r')
      expect(left.stdout).not.toContain('sentinel')
    } finally {
      await proxy.close()
    }
  })
})

/** Backs up, and lets the storage go away for good as soon as two MiB of one connection have come to it. */
async function pushWhileItGoesAway(env: StorageEnvironment, proxy: FaultProxy): Promise<RunResult> {
  const { env: server, dataDirectory } = source as TestCluster
  proxy.set({ kind: 'reset-upload', afterBytes: 2_000_000 })
  const push = startAs(waltz, ['backup-push', dataDirectory, '--json'], { env: { ...env, ...server } })
  while (push.child.exitCode === null && proxy.struck() === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(proxy.struck()).toBeGreaterThan(0)
  proxy.set({ kind: 'refuse' })
  return await push.exited
}
