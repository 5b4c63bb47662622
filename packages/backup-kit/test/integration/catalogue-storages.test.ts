import { connect, createServer, type AddressInfo } from 'node:net'
import { sourceOf } from '@waltz/bytes'
import { walKey } from '@waltz/repository'
import type { ObjectStore } from '@waltz/storage'
import { s3Environment, sharedServer, temporaryFolder } from '@waltz/testkit'
import { afterAll, describe, expect, it } from 'vitest'
import { kitSettings, openBackupKit, type BackupKit, type CatalogueEntry } from '../../src/index.ts'
import { nameOf, objectsOf, segment, type MadeBackup } from '../catalogue-repository.ts'
import { surroundings } from '../storage-settings.ts'

const work = temporaryFolder()
afterAll(() => work.dispose())
const radosgw = await sharedServer('radosgw')

const open = (values: Readonly<Record<string, string>>, now?: () => Date): Promise<BackupKit> =>
  openBackupKit(
    kitSettings({ WALG_COMPRESSION_METHOD: 'none', ...values }),
    surroundings({ home: work.path, ...(now !== undefined && { now }) }),
  )

const [BACKUPS, PARTS, WAL] = [36, 28, 1_020]
const backups: readonly MadeBackup[] = Array.from({ length: BACKUPS }, (_, index) => {
  const own = { segment: 10 + index * 20, parts: PARTS, started: `2026-03-0${1 + (index % 9)}T10:00:00Z`, permanent: index === 3 }
  return index % 3 === 0 ? own : { ...own, parent: nameOf({ segment: 10 + (index - (index % 3)) * 20 }) }
})

/** More objects of either kind than a page of a listing holds: backups, one of them unfinished, and WAL with a hole. */
async function fill(store: ObjectStore): Promise<void> {
  const unfinished = objectsOf({ segment: 2_000, sentinel: false })
  const objects = [...backups.flatMap((backup) => [...objectsOf(backup)]), ...unfinished]
  const wal = Array.from({ length: WAL }, (_, number) => [walKey(segment(number)), 'x'] as const).filter((_, number) => number !== 500)
  const waiting = [...wal, ...objects].values()
  const lane = async (): Promise<void> => {
    for (const [key, text] of waiting) await store.put(key, sourceOf(text))
  }
  await Promise.all(Array.from({ length: 16 }, lane))
  // The order of sentinels in time is that of the list.
  for (const backup of backups) {
    const [key, text] = [...objectsOf(backup)].at(-1) ?? ['', '']
    await store.put(key, sourceOf(text))
  }
}

/** What two stores must agree about: everything but times and etags. */
const common = (entry: CatalogueEntry): unknown => ({
  ...entry,
  sentinel: entry.sentinel?.size,
  metadataObject: entry.metadataObject?.size,
  folder: { ...entry.folder, newestAt: undefined },
})

async function lookedAt(kit: BackupKit): Promise<unknown> {
  const catalogue = await kit.catalogue.read()
  const wal = await kit.catalogue.surveyWal(catalogue)
  const { findings } = await kit.catalogue.findGarbage()
  return {
    entries: wal.entries.map(common),
    windows: [...wal.backups.values()].map((one) =>
      one.windows.map(({ timeline, untilLsn, endsInGap }) => [timeline, untilLsn, endsInGap]),
    ),
    garbage: findings.map(({ kind, removable, objects, bytes, where }) => [kind, removable, objects, bytes, where]),
  }
}

/** A way to a server that counts what is asked on it: the first line of each request without a body. */
async function countingProxy(target: URL): Promise<{ readonly port: number; readonly lines: string[]; close(): void }> {
  const lines: string[] = []
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname)
    client.on('data', (bytes) => {
      const line = /^(?:GET|HEAD|PUT|POST|DELETE) \S+/.exec(bytes.toString('latin1'))?.[0]
      if (line !== undefined) lines.push(line)
    })
    client.pipe(upstream).pipe(client)
    for (const socket of [client, upstream]) socket.on('error', () => [client, upstream].forEach((one) => one.destroy()))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as AddressInfo).port, lines, close: () => server.close() }
}

describe('the catalogue of a kit', () => {
  it('is read from a folder', async () => {
    await using kit = await open({ WALG_FILE_PREFIX: work.makeFolder('plain') })
    await fill(kit.store)
    const catalogue = await kit.catalogue.read()
    expect(catalogue.entries.map(({ name }) => name)).toEqual([...backups.map(nameOf), nameOf({ segment: 2_000 })])
    expect(catalogue.entries.at(-1)?.status).toBe('being-written')
    expect(catalogue.entries[3]).toMatchObject({ permanent: true, folder: { objects: PARTS + 1 } })
    const wal = await kit.catalogue.surveyWal(catalogue)
    expect(wal.segmentSize).toEqual({ bytes: 16_777_216, from: 'backups', contradicted: undefined })
    const shown = wal.entries.filter((entry) => wal.backups.get(entry)?.windows[0]?.untilLsn === 500n * 16_777_216n)
    expect(shown).toHaveLength(backups.filter(({ segment: number }) => number < 500).length)
  })

  it('uses the age of the settings, and warns of a wrong segment size', async () => {
    const later = (): Date => new Date(Date.now() + 7_200_000)
    await using kit = await open({ WALG_FILE_PREFIX: work.join('plain'), WALTZ_UNFINISHED_BACKUP_AGE: '1h', WALG_PG_WAL_SIZE: '64' }, later)
    const catalogue = await kit.catalogue.read()
    expect(catalogue.entries.at(-1)?.status).toBe('unfinished')
    expect((await kit.catalogue.surveyWal(catalogue)).segmentSize).toMatchObject({ bytes: 16_777_216, contradicted: 67_108_864 })
    const { findings } = await kit.catalogue.findGarbage()
    expect(findings.map(({ kind, objects }) => [kind, objects])).toEqual([
      ['unfinished-backup', 2],
      ['wal-before-first-backup', 10],
    ])
  })

  it('unites the storages of a kit, and names those that do not answer', async () => {
    const further = { a: { WALG_FILE_PREFIX: work.makeFolder('a') }, gone: { WALG_FILE_PREFIX: work.join('not there') } }
    const values = { WALG_FILE_PREFIX: work.makeFolder('first'), WALG_FAILOVER_STORAGES: JSON.stringify(further) }
    await using kit = await open(values)
    const own = await openBackupKit(kitSettings({ WALG_FILE_PREFIX: work.join('a') }), surroundings())
    const backup: MadeBackup = { segment: 4 }
    for (const [key, text] of objectsOf(backup)) for (const { store } of [kit, own]) await store.put(key, sourceOf(text))
    await kit.store.put(walKey(segment(4)), sourceOf('x'))
    await own.store.put(walKey(segment(5)), sourceOf('x'))
    await own[Symbol.asyncDispose]()
    const catalogue = await kit.catalogue.read()
    expect(catalogue.entries.map(({ storage, name }) => [storage, name])).toEqual(
      expect.arrayContaining([
        ['default', nameOf(backup)],
        ['a', nameOf(backup)],
      ]),
    )
    expect(catalogue.silent.map(({ storage }) => storage)).toEqual(['gone'])
    const wal = await kit.catalogue.surveyWal(catalogue)
    expect([...wal.backups.values()].map(({ windows }) => windows[0]?.untilLsn)).toEqual([6n * 16_777_216n, 6n * 16_777_216n])
    const { backups: marked, silent } = await kit.catalogue.mark({ name: nameOf(backup), permanent: true })
    expect(marked.map(({ storage, changed }) => [storage, changed])).toEqual([
      ['default', true],
      ['a', true],
    ])
    expect(silent.map(({ storage }) => storage)).toEqual(['gone'])
    await using narrow = await open({ ...values, WALG_TARGET_STORAGE: 'a' })
    expect((await narrow.catalogue.read()).entries.map(({ storage, permanent }) => [storage, permanent])).toEqual([['a', true]])
    expect((await narrow.catalogue.describe({ selector: { latest: true } })).entry.storage).toBe('a')
  })
})

describe.skipIf(radosgw.missing !== undefined)(`the catalogue on ${radosgw.title}`, () => {
  it('is that of a folder, and costs the pages of the listings and two small objects for each backup', async () => {
    const environment = await s3Environment(radosgw.server)
    const proxy = await countingProxy(new URL(radosgw.server.endpoint))
    await using folder = await open({ WALG_FILE_PREFIX: work.join('plain') })
    await using direct = await open(environment)
    await fill(direct.store)
    await using kit = await open({ ...environment, AWS_ENDPOINT: `http://127.0.0.1:${proxy.port}` })
    expect(await lookedAt(kit)).toEqual(await lookedAt(folder))
    // Of the two reads, one for the garbage, and of the two surveys.
    const pages = (objects: number): number => Math.ceil(objects / 1000)
    const listings = proxy.lines.filter((line) => line.includes('list-type=2'))
    expect(listings).toHaveLength(2 * (pages(BACKUPS * (PARTS + 2) + 2) + pages(WAL - 1)))
    expect(proxy.lines.filter((line) => line.startsWith('GET ') && !line.includes('list-type=2'))).toHaveLength(2 * 2 * BACKUPS)
    expect(proxy.lines).toHaveLength(listings.length + 4 * BACKUPS)
    const { backups: marked } = await kit.catalogue.mark({ name: nameOf(backups[4] as MadeBackup), permanent: true })
    expect(marked.map(({ changed }) => changed)).toEqual([false, true])
    expect((await kit.catalogue.describe({ selector: { name: nameOf(backups[4] as MadeBackup) } })).entry.permanent).toBe(true)
    proxy.close()
  })
})
