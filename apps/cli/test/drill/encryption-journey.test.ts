import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  contentProof,
  giveToOrdinaryUser,
  mustRun,
  runAs,
  s3Environment,
  sharedServer,
  startCluster,
  startKeyServices,
  startRestored,
  temporaryFolder,
  waltzCommand,
  type KeyServices,
  type TemporaryFolder,
  type TestCluster,
} from '@waltz/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cipherNames, cipherSettings, type Values } from '../../../../packages/backup-kit/test/encryption-keys.ts'

const MAJOR = 17
const radosgw = await sharedServer('radosgw')
const MARK = 'nobody without the key reads this'

let services: KeyServices
let work: TemporaryFolder
let waltz: string
let source: TestCluster
let repositories = 0
let configurations = 0
let restores = 0

beforeAll(async () => {
  services = await startKeyServices()
  work = temporaryFolder()
  waltz = await waltzCommand()
  source = await startCluster({
    major: MAJOR,
    initdbArgs: ['--data-checksums', '--wal-segsize=1'],
    settings: { archive_mode: 'on', archive_command: 'true', archive_timeout: 0, wal_level: 'replica', max_wal_senders: 4 },
  })
})
afterAll(async () => {
  await source?.dispose()
  await services?.stop()
  await work?.dispose()
})

/** The server archives with these settings from now on. They are in a file: a command line is no place for keys. */
async function archiveWith(settings: Values): Promise<void> {
  const file = work.join(`archive-${(configurations += 1)}.json`)
  writeFileSync(file, JSON.stringify(settings), { mode: 0o600 })
  giveToOrdinaryUser(file)
  const command = `${waltz} wal-push %p --config ${file}`
  await source.configure({ archive_command: command })
  await source.waitForValue('show archive_command', command)
  await source.query('select pg_sleep(0.1)')
}

const inFolder = (): { readonly path: string; readonly settings: Values } => {
  const path = work.makeFolder(`repository-${(repositories += 1)}`)
  return { path, settings: { WALG_FILE_PREFIX: path, WALG_COMPRESSION_METHOD: 'none' } }
}

async function fill(round: number): Promise<void> {
  await source.query(`
    create table if not exists accounts(id int primary key, owner text);
    insert into accounts select ${round} * 10000 + i, '${MARK} ' || i from generate_series(1, 500) i;
    update accounts set owner = owner || '!' where id % 7 = 0`)
}

async function archiveAll(): Promise<void> {
  const [last] = await source.query<{ name: string }>('select pg_walfile_name(pg_switch_wal()) as name')
  await source.waitForValue(`select (last_archived_wal >= '${last?.name}')::text from pg_stat_archiver`, 'true')
}

const pushBackup = async (settings: Values): Promise<string> =>
  await mustRun(waltz, ['backup-push', source.dataDirectory, '--json'], { env: { ...settings, ...source.env } })

/** The content now, and a moment right after it. */
async function remember(): Promise<{ readonly content: Awaited<ReturnType<typeof contentProof>>; readonly moment: string }> {
  const content = await contentProof(source)
  const [row] = await source.query<{ at: string }>('select clock_timestamp()::text as at')
  await source.query('select pg_sleep(0.05)')
  return { content, moment: row?.at ?? '' }
}

async function expectRestored(settings: Values, moment: string, content: unknown): Promise<void> {
  const target = work.join(`restored-${(restores += 1)}`)
  const args = ['backup-fetch', target, 'LATEST', '--target-time', moment, '--target-action', 'promote']
  const { code, stderr } = await runAs(waltz, args, { env: settings })
  expect(`${code} ${stderr}`).toMatch(/^0 /)
  await using restored = await startRestored(target, MAJOR, { env: settings })
  await restored.waitForValue('select pg_is_in_recovery()::text', 'false')
  expect(await contentProof(restored)).toEqual(content)
}

/** Whether any object but documents shows what the table holds. */
const readable = (path: string): boolean =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.json'))
    .some((entry) => readFileSync(join(entry.parentPath, entry.name)).includes(MARK))

describe(`the encrypted journey on PostgreSQL ${MAJOR}`, () => {
  it.each(cipherNames)('%s: back to the moment before a mistake', async (cipher) => {
    const { path, settings } = inFolder()
    const env = { ...cipherSettings(services)[cipher], ...settings }
    await archiveWith(env)
    await fill(1)
    await pushBackup(env)
    await fill(2)
    const { content, moment } = await remember()
    await source.query('drop table accounts')
    await archiveAll()
    expect(readable(path)).toBe(cipher === 'none')
    await expectRestored(env, moment, content)
    if (cipher === 'none') return
    const keyless = await runAs(waltz, ['backup-fetch', work.join(`keyless-${repositories}`), 'LATEST'], { env: settings })
    expect(keyless.code).not.toBe(0)
    expect(existsSync(join(work.join(`keyless-${repositories}`), 'global/pg_control'))).toBe(false)
  })

  it('with another key and cipher from the middle on: the restore needs both', async () => {
    const { path, settings } = inFolder()
    const { libsodium, 'aws-kms': kms } = cipherSettings(services)
    const before = { ...libsodium, ...settings }
    const previous = JSON.stringify([{ scheme: 'libsodium', ...libsodium }])
    const after = { ...kms, WALTZ_CRYPTO_PREVIOUS_KEYS: previous, ...settings }
    await archiveWith(before)
    await fill(1)
    await pushBackup(before)
    await fill(2)
    await archiveAll()
    await archiveWith(after)
    await fill(3)
    const { content, moment } = await remember()
    await source.query('drop table accounts')
    await archiveAll()
    expect(readable(path)).toBe(false)
    await expectRestored(after, moment, content)
    const withNewAlone = await runAs(waltz, ['backup-fetch', work.join('new-alone'), 'LATEST'], { env: { ...kms, ...settings } })
    expect([withNewAlone.code, withNewAlone.stderr.includes('CRYPTO_')], withNewAlone.stderr).toEqual([24, true])
  })

  it.skipIf(radosgw.missing !== undefined)(
    `with all of it brought under another key in the middle, while WAL goes on: the restore needs the new one alone, on ${radosgw.title}`,
    async () => {
      const settings = { ...(await s3Environment(radosgw.server)), WALG_COMPRESSION_METHOD: 'zstd' }
      const { libsodium, 'yandex-kms': kms } = cipherSettings(services)
      const before = { ...kms, ...settings }
      const newAlone = { ...libsodium, ...settings }
      const after = { ...newAlone, WALTZ_CRYPTO_PREVIOUS_KEYS: JSON.stringify([{ scheme: 'yandex-kms', ...kms }]) }
      await archiveWith(before)
      await fill(1)
      await pushBackup(before)
      await fill(2)
      await archiveAll()
      await archiveWith(after)
      expect((await runAs(waltz, ['crypt', 'check'], { env: newAlone })).code).not.toBe(0)
      const archiving = async (): Promise<void> => {
        await fill(3)
        await archiveAll()
      }
      const [printed] = await Promise.all([mustRun(waltz, ['crypt', 'rotate', '--confirm', '--json'], { env: after }), archiving()])
      const { rotated, failed, plain } = JSON.parse(printed) as Readonly<Record<string, { readonly objects: number }>>
      expect([rotated?.objects, failed?.objects, plain?.objects]).toEqual([expect.toSatisfy((count) => count >= 8), 0, 0])
      await archiveWith(newAlone)
      await fill(4)
      const { content, moment } = await remember()
      await source.query('drop table accounts')
      await archiveAll()
      expect(await mustRun(waltz, ['crypt', 'check'], { env: newAlone })).not.toContain('no-key')
      await expectRestored(newAlone, moment, content)
    },
  )
})
