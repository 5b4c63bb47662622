import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Fault, isFault } from '@waltz/errors'
import { withRetry, type ObjectStore } from '@waltz/storage'
import { createFileStore } from '@waltz/storage-file'
import {
  checkRepositoryStrictly,
  faultStore,
  startCluster,
  temporaryFolder,
  type FaultPlan,
  type FaultStore,
  type TemporaryFolder,
  type TestCluster,
} from '@waltz/testkit'
import { kitSettings, openFormat, walArchiveFromSettings, type PushedBackup } from '../../src/index.ts'
import { pushWithParts } from '../../src/push.ts'
import type { KitSurroundings } from '../../src/surroundings.ts'

/** Everything below runs the real engine against a real server and a store that fails at one chosen call. */
const SERVER = { initdbArgs: ['--data-checksums'], settings: { wal_level: 'replica', max_wal_senders: 4 } }

let cluster: TestCluster
let work: TemporaryFolder
let repositories = 0

beforeAll(async () => {
  work = temporaryFolder()
  cluster = await startCluster({ major: 17, ...SERVER })
  await cluster.query('create table t as select i, md5(i::text) from generate_series(1, 2000) i')
})
afterAll(async () => {
  await cluster?.dispose()
  await work?.dispose()
})

interface Attempt {
  readonly root: string
  readonly store: FaultStore
  readonly outcome: PushedBackup | Fault
}

/** One backup into a repository, through a store that fails as planned. */
async function attempt(plan: FaultPlan, root = work.makeFolder(`r${(repositories += 1)}`)): Promise<Attempt> {
  const now = (): Date => new Date()
  let random = repositories * 1000
  const store = faultStore(
    createFileStore({ root, now, randomHex: (digits) => String((random += 1)).padStart(digits, '0'), sync: false }),
    plan,
  )
  const patient: ObjectStore = withRetry(store, {
    maxAttempts: 3,
    baseDelayMs: 1,
    maxDelayMs: 2,
    random: () => 0,
    sleep: async (ms) => delay(ms),
  })
  const settings = kitSettings({
    WALG_FILE_PREFIX: root,
    WALG_UPLOAD_DISK_CONCURRENCY: '1',
    WALG_TAR_SIZE_THRESHOLD: '12000000',
    ...cluster.env,
  })
  const surroundings: KitSurroundings = {
    now,
    hostname: 'db1',
    user: 'postgres',
    processId: process.pid,
    cores: 2,
    temporaryFolder: work.path,
  }
  using format = await openFormat(settings, surroundings)
  const outcome = await pushWithParts(
    {
      settings,
      surroundings,
      store: patient,
      format,
      archive: walArchiveFromSettings({ settings, surroundings, store: patient, format }),
    },
    { dataDirectory: cluster.dataDirectory },
  ).catch((error: unknown) => {
    if (isFault(error)) return error
    throw error
  })
  return { root, store, outcome }
}

function sentinels(root: string): string[] {
  const folder = join(root, 'basebackups_005')
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('sentinel.json')) : []
}

async function leftBackupMode(): Promise<void> {
  await cluster.waitForValue(
    `select ((select count(*) from pg_replication_slots) + (select count(*) from pg_stat_activity where application_name = 'wal-g'))::text`,
    '0',
  )
}

/** Whatever happened before, the repository takes a backup, and nothing in it is wrong. */
async function nextWorks(root: string): Promise<void> {
  const next = await attempt({}, root)
  expect(isFault(next.outcome) ? next.outcome.message : '').toBe('')
  expect((await checkRepositoryStrictly(root)).problems).toEqual([])
}

describe('a process that dies at any write to the storage', () => {
  it('leaves no announced half backup, a server out of backup mode, and a repository that goes on', async () => {
    const whole = await attempt({})
    expect(isFault(whole.outcome)).toBe(false)
    expect(whole.store.mutations.length).toBeGreaterThan(12)
    expect(whole.store.mutations.at(-2)?.key).toMatch(/sentinel\.json$/)

    const died = new Set<string>()
    // Until one is not hit any more: the number of writes may differ from one backup to the next.
    for (let at = 1, more = true; more; at += 1) {
      for (const moment of ['before', 'after'] as const) {
        const { root, store, outcome } = await attempt({ crashAtMutation: at, crashMoment: moment })
        more = store.crashed()
        const key = store.mutations[at - 1]?.key ?? 'nothing'
        const place = `${moment} ${key}`
        if (more) died.add(`${moment} ${key.replace(/.*\//, '').replace(/[0-9A-F]{24}.*/, '')}`)
        const announced = store.mutations.some((mutation) => mutation.done && mutation.key.endsWith('sentinel.json'))
        expect(sentinels(root).length, place).toBe(announced ? 1 : 0)
        if (!announced) expect(isFault(outcome) ? outcome.code : 'announced', place).toBe('TEST_CRASHED')
        await leftBackupMode()
        if (announced) expect((await checkRepositoryStrictly(root)).problems, place).toEqual([])
        await nextWorks(root)
      }
    }
    for (const key of [
      'lease.json',
      'part_001.tar.lz4',
      'pg_control.tar.lz4',
      'backup_label.tar.lz4',
      'metadata.json',
      'files_metadata.json',
      'manifest.json',
    ]) {
      expect([...died]).toEqual(expect.arrayContaining([`before ${key}`, `after ${key}`]))
    }
  }, 600_000)
})

describe('a storage that does not answer once', () => {
  it('is survived or makes the backup fail cleanly, at every call', async () => {
    const { calls } = (await attempt({})).store
    const survived = { yes: 0, no: 0 }
    for (const operation of ['put', 'get', 'head', 'list', 'delete'] as const) {
      expect(calls[operation], operation).toBeGreaterThan(0)
      for (let nth = 1; nth <= calls[operation]; nth += 1) {
        const { root, outcome } = await attempt({ rules: [{ operation, nth, action: { kind: 'fail' } }] })
        const place = `${operation} ${nth}`
        if (isFault(outcome)) {
          survived.no += 1
          expect(outcome.code, place).toBe('TEST_FAULT')
          expect(sentinels(root), place).toEqual([])
        } else {
          survived.yes += 1
          expect(await checkRepositoryStrictly(root), place).toMatchObject({ problems: [], leftovers: [] })
        }
        await leftBackupMode()
      }
    }
    // A call that fails before a byte of its body was taken is simply made again.
    expect(survived.no).toBe(0)
  }, 600_000)

  it('in the middle of an object: small objects are stored again, a part ends the backup and is removed', async () => {
    const { mutations } = (await attempt({})).store
    const puts = mutations.filter(({ operation }) => operation === 'put')
    for (let nth = 1; nth <= puts.length; nth += 1) {
      const { root, store, outcome } = await attempt({ rules: [{ operation: 'put', nth, action: { kind: 'cut', afterBytes: 1 } }] })
      const key = store.mutations.filter(({ operation }) => operation === 'put')[nth - 1]?.key ?? ''
      await leftBackupMode()
      if (isFault(outcome)) {
        expect(key).toMatch(/part_|cluster\.json|lease\.json/)
        expect(sentinels(root), key).toEqual([])
        expect(existsSync(join(root, 'basebackups_005')), key).toBe(false)
      } else expect(await checkRepositoryStrictly(root), key).toMatchObject({ problems: [], leftovers: [] })
    }
  }, 600_000)
})
