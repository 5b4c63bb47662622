import { Fault, isFault } from '@waltz/errors'
import { backupFolder, leaseKey, metadataKey, sentinelKey } from '@waltz/repository'
import { describe, expect, it } from 'vitest'
import { createBackupChains } from '../src/catalogue/backup-chains.ts'
import type { Catalogue, CatalogueEntry } from '../src/catalogue/catalogue-entry.ts'
import { readCatalogue, type ReadCatalogueOptions } from '../src/catalogue/read-catalogue.ts'
import { madeRepository, nameOf, objectsOf, type MadeRepository } from './catalogue-repository.ts'

const NOW = new Date('2026-03-20T00:00:00Z')
const read = (repository: MadeRepository, options: Partial<ReadCatalogueOptions> = {}): Promise<Catalogue> =>
  readCatalogue([{ name: 'default', store: repository.store }], { now: () => NOW, ...options })
const only = ({ entries }: Catalogue): CatalogueEntry => {
  expect(entries).toHaveLength(1)
  return entries[0] as CatalogueEntry
}
const kinds = (entry: CatalogueEntry | undefined): readonly string[] => entry?.findings.map(({ kind }) => kind) ?? []
const byName = ({ entries }: Catalogue, name: string): CatalogueEntry | undefined => entries.find((entry) => entry.name === name)

describe('readCatalogue', () => {
  it('tells what the documents say, and what lies in the store', async () => {
    const repository = madeRepository()
    const full = await repository.add({ segment: 4, permanent: true, parts: 3 })
    const name = await repository.add({ segment: 9, parent: full, depth: 1 })
    const catalogue = await read(repository)
    expect(catalogue.entries.map((entry) => entry.name)).toEqual([full, name])
    const [first, second] = catalogue.entries
    expect(first).toMatchObject({
      storage: 'default',
      status: 'complete',
      startedAt: new Date('2026-03-01T10:00:00Z'),
      finishedAt: new Date('2026-03-01T10:00:00Z'),
      startedAtNs: BigInt(Date.UTC(2026, 2, 1, 10)) * 1_000_000n,
      systemIdentifier: 7402951873649102847n,
      startLsn: 0x4000028n,
      finishLsn: 0x40000f0n,
      timeline: 1,
      serverVersion: 150020,
      walFileName: '000000010000000000000004',
      permanent: true,
      hostname: 'db1',
      dataDirectory: '/pg',
      storedBytes: 100,
      restoredBytes: 1000,
      dataDirectoryBytes: 1200,
      increment: undefined,
      problem: undefined,
      findings: [],
    })
    const metadata = objectsOf({ segment: 4, permanent: true }).get(metadataKey(full)) ?? ''
    expect(first?.folder).toEqual({ objects: 4, bytes: 150 + metadata.length, newestAt: new Date('2026-03-01T00:00:04Z') })
    expect(first?.sentinel).toMatchObject({ key: sentinelKey(full), modifiedAt: new Date('2026-03-01T00:00:05Z') })
    expect(first?.metadataObject?.key).toBe(metadataKey(full))
    expect(second?.increment).toEqual({ parent: full, full, depth: 1, parentLsn: 1n })
  })

  it('costs one listing and two small objects for each backup', async () => {
    const repository = madeRepository()
    for (let segment = 1; segment <= 30; segment += 1) await repository.add({ segment, parts: 5 })
    await read(repository)
    expect(repository.requests.filter((request) => request.startsWith('list '))).toEqual(['list basebackups_005/'])
    expect(repository.requests.filter((request) => request.startsWith('get '))).toHaveLength(60)
    expect(new Set(repository.requests).size).toBe(61)
  })

  it('reads no object where only names are wanted', async () => {
    const repository = madeRepository()
    const name = await repository.add({ segment: 1 })
    await repository.put(`${backupFolder('base_000000010000000000000002')}tar_partitions/part_001.tar.lz4`)
    const entry = only(await read(repository, { documents: false }))
    expect(repository.requests).toEqual(['list basebackups_005/'])
    expect(entry).toMatchObject({ name, status: 'complete', folder: undefined, metadata: undefined })
  })

  it('reads again only what has changed', async () => {
    const repository = madeRepository()
    const [first, second] = [await repository.add({ segment: 1 }), await repository.add({ segment: 2 })]
    const since = await read(repository)
    repository.requests.length = 0
    await repository.put(metadataKey(second), objectsOf({ segment: 2, permanent: true }).get(metadataKey(second)))
    const third = await repository.add({ segment: 3 })
    const catalogue = await read(repository, { since })
    expect(repository.requests.toSorted()).toEqual(
      ['list basebackups_005/', ...[second, third].flatMap((name) => [`get ${metadataKey(name)}`, `get ${sentinelKey(name)}`])].toSorted(),
    )
    expect(catalogue.entries.map(({ name, permanent }) => [name, permanent])).toEqual([
      [first, false],
      [second, true],
      [third, false],
    ])
  })

  it('shows every object on the way, once and in order', async () => {
    const repository = madeRepository()
    await repository.add({ segment: 1, parts: 2 })
    await repository.add({ segment: 2 })
    const seen: string[] = []
    await read(repository, { onObjects: (objects, storage) => void seen.push(...objects.map(({ key }) => `${storage} ${key}`)) })
    const listed: string[] = []
    for await (const { key } of repository.store.list('basebackups_005/')) listed.push(`default ${key}`)
    expect(seen).toEqual(listed)
    expect(seen).toHaveLength(7)
  })

  it('orders by the time of the sentinel, folders without one last', async () => {
    const repository = madeRepository()
    const unfinished = await repository.add({ segment: 0, sentinel: false })
    const [late, early] = [await repository.add({ segment: 1, started: '2026-03-09T00:00:00Z' }), await repository.add({ segment: 2 })]
    await repository.put(sentinelKey(late), objectsOf({ segment: 1 }).get(sentinelKey(late)))
    expect((await read(repository)).entries.map(({ name }) => name)).toEqual([early, late, unfinished])
  })

  it('fills in from the sentinel what metadata.json does not say', async () => {
    const repository = madeRepository()
    const without = await repository.add({ segment: 1, metadata: false })
    const empty = await repository.add({ segment: 2, metadata: '{"is_permanent":true}' })
    const catalogue = await read(repository)
    expect(byName(catalogue, without)).toMatchObject({ startLsn: 0x1000028n, hostname: 'db1', permanent: false, status: 'complete' })
    expect(kinds(byName(catalogue, without))).toEqual(['metadata-missing'])
    expect(byName(catalogue, empty)).toMatchObject({ startLsn: 0x2000028n, hostname: 'db1', permanent: true, restoredBytes: 1000 })
    expect(kinds(byName(catalogue, empty))).toEqual([])
  })

  it('notes damaged documents with their backup', async () => {
    const repository = madeRepository()
    const sentinel = await repository.add({ segment: 1, sentinel: '{"LSN":', permanent: true })
    const metadata = await repository.add({ segment: 2, metadata: 'no JSON' })
    const catalogue = await read(repository)
    expect(byName(catalogue, sentinel)).toMatchObject({ status: 'sentinel-unreadable', permanent: true, startLsn: 0x1000028n })
    expect(byName(catalogue, sentinel)?.problem?.code).toBe('JSON_TRUNCATED')
    expect(byName(catalogue, metadata)).toMatchObject({ status: 'complete', permanent: false, startLsn: 0x2000028n })
    expect(byName(catalogue, metadata)?.problem?.code).toBe('JSON_INVALID')
    expect(kinds(byName(catalogue, metadata))).toEqual(['metadata-unreadable'])
  })

  it('finds a sentinel without a folder, and a start in the future', async () => {
    const repository = madeRepository()
    const alone = nameOf({ segment: 1 })
    await repository.put(sentinelKey(alone), objectsOf({ segment: 1 }).get(sentinelKey(alone)))
    const future = await repository.add({ segment: 2, started: '2026-04-01T00:00:00Z' })
    const catalogue = await read(repository)
    expect(kinds(byName(catalogue, alone))).toEqual(['metadata-missing', 'folder-missing'])
    expect(kinds(byName(catalogue, future))).toEqual(['in-the-future'])
  })

  it('keeps the oldest forms apart from nothing: WAL-E, V1 and empty sentinels', async () => {
    const repository = madeRepository()
    const walE = 'base_000000010000000000000001_00000028'
    await repository.put(`${backupFolder(walE)}tar_partitions/part_00000000.tar.lzo`)
    await repository.put(sentinelKey(walE), '{}')
    const entry = only(await read(repository))
    expect(entry).toMatchObject({
      name: walE,
      status: 'complete',
      startedAt: undefined,
      startLsn: undefined,
      timeline: 1,
      increment: undefined,
    })
    expect(entry.serverVersion).toBeUndefined()
  })

  it('counts what belongs to no backup apart', async () => {
    const repository = madeRepository()
    await repository.add({ segment: 1 })
    await repository.put('basebackups_005/notes/read.me', '12345')
    await repository.put('basebackups_005/stray.txt', '123')
    const catalogue = await read(repository)
    expect(catalogue.entries).toHaveLength(1)
    expect(catalogue.foreign).toMatchObject([{ storage: 'default', sum: { objects: 2, bytes: 8 } }])
  })
})

describe('a folder without sentinel', () => {
  const young = new Date(NOW.getTime() - 23 * 3_600_000).toISOString()
  const lease = (ttlMs: number): string => JSON.stringify({ version: 1, id: 'a', host: 'h', pid: 1, since: '2026-03-01T00:00:00Z', ttlMs })
  const statusOf = async (
    begin: string,
    more?: readonly [key: string, text: string],
    options: Partial<ReadCatalogueOptions> = {},
  ): Promise<string> => {
    const repository = madeRepository(begin)
    const name = await repository.add({ segment: 1, sentinel: false })
    if (more !== undefined) await repository.put(more[0].replace('NAME', name), more[1])
    return only(await read(repository, options)).status
  }

  it('counts as being written until its newest object is old enough', async () => {
    expect(await statusOf(young)).toBe('being-written')
    expect(await statusOf('2026-03-18T23:00:00Z')).toBe('unfinished')
    expect(await statusOf(young, undefined, { writtenWithinMs: 3_600_000 })).toBe('unfinished')
    // The clock of the store is ahead of this machine's.
    expect(await statusOf('2026-03-21T00:00:00Z')).toBe('being-written')
  })

  it('counts as being written as long as its lease lives, and not longer', async () => {
    const key = leaseKey('NAME')
    expect(await statusOf(young, [key, lease(300_000)])).toBe('unfinished')
    expect(await statusOf(new Date(NOW.getTime() - 600_000).toISOString(), [key, lease(300_000)])).toBe('being-written')
    expect(await statusOf(young, [key, lease(86_400_000)])).toBe('being-written')
    expect(await statusOf(young, [key, 'no lease'])).toBe('being-written')
    expect(await statusOf('2026-03-01T00:00:00Z', [key, 'no lease'])).toBe('unfinished')
  })

  it('is what a backup becomes that goes away between listing and reading', async () => {
    const repository = madeRepository()
    const name = await repository.add({ segment: 1 })
    const store = {
      ...repository.store,
      get: async (key: string) => {
        await repository.store.delete([sentinelKey(name)])
        return await repository.store.get(key)
      },
    }
    const catalogue = await readCatalogue([{ name: 'default', store }], { now: () => NOW })
    // However old it is: who removed it, or is about to replace it, is at work on it.
    expect(only(catalogue)).toMatchObject({ status: 'being-written', sentinel: undefined })
  })
})

describe('chains', () => {
  it('lead over several steps, and branch', async () => {
    const repository = madeRepository()
    const full = await repository.add({ segment: 1 })
    const a = await repository.add({ segment: 2, parent: full })
    const b = await repository.add({ segment: 3, parent: a, depth: 2 })
    const c = await repository.add({ segment: 4, parent: full })
    const catalogue = await read(repository)
    const chains = createBackupChains(catalogue.entries)
    const at = (name: string): CatalogueEntry => byName(catalogue, name) as CatalogueEntry
    const names = (entries: readonly CatalogueEntry[]): readonly string[] => entries.map(({ name }) => name)
    expect(names(chains.ancestorsOf(at(b)))).toEqual([a, full])
    expect(names(chains.childrenOf(at(full)))).toEqual([a, c])
    expect(names(chains.descendantsOf(at(full)))).toEqual([a, c, b])
    expect(chains.fullOf(at(b))?.name).toBe(full)
    expect(chains.fullOf(at(full))?.name).toBe(full)
    expect(catalogue.entries.flatMap(kinds)).toEqual([])
  })

  it('are lost for everything behind a missing or unreadable link', async () => {
    const repository = madeRepository()
    const full = nameOf({ segment: 1 })
    const a = await repository.add({ segment: 2, parent: full })
    const b = await repository.add({ segment: 3, parent: a })
    const broken = await repository.add({ segment: 4, sentinel: 'x' })
    const c = await repository.add({ segment: 5, parent: broken })
    const unfinished = await repository.add({ segment: 6, sentinel: false })
    const d = await repository.add({ segment: 7, parent: unfinished })
    const catalogue = await read(repository)
    for (const name of [a, b, c, d]) expect(kinds(byName(catalogue, name))).toEqual(['lost-parent'])
    expect(byName(catalogue, b)?.findings[0]?.message).toContain(`its ancestor ${a} was made from ${full}, which is not there`)
    expect(createBackupChains(catalogue.entries).fullOf(byName(catalogue, c) as CatalogueEntry)).toBeUndefined()
  })

  it('that end in themselves are found', async () => {
    const repository = madeRepository()
    const [a, b] = [
      nameOf({ segment: 1, parent: 'base_000000010000000000000002' }),
      nameOf({ segment: 2, parent: 'base_000000010000000000000001' }),
    ]
    for (const [own, parent, segment] of [
      [a, b, 1],
      [b, a, 2],
    ] as const)
      for (const [key, text] of objectsOf({ segment, parent })) await repository.put(key.replaceAll(nameOf({ segment, parent }), own), text)
    const catalogue = await read(repository)
    expect(catalogue.entries.map(kinds)).toEqual([['parent-cycle'], ['parent-cycle']])
    const chains = createBackupChains(catalogue.entries)
    expect(chains.descendantsOf(catalogue.entries[0] as CatalogueEntry)).toHaveLength(1)
    expect(chains.fullOf(catalogue.entries[0] as CatalogueEntry)).toBeUndefined()
  })

  it('do not lead from one storage into another', async () => {
    const [first, second] = [madeRepository(), madeRepository()]
    const full = await first.add({ segment: 1 })
    const child = await second.add({ segment: 2, parent: full })
    const storages = [
      { name: 'default', store: first.store },
      { name: 'second', store: second.store },
    ]
    const catalogue = await readCatalogue(storages, { now: () => NOW })
    expect(kinds(byName(catalogue, child))).toEqual(['lost-parent'])
  })
})

describe('several storages', () => {
  const unavailable = new Fault('unavailable', 'STORAGE_UNREACHABLE', 'nobody answers')
  const dead = (repository: MadeRepository): MadeRepository['store'] => ({
    ...repository.store,
    // eslint-disable-next-line require-yield
    list: async function* () {
      throw unavailable
    },
  })

  it('give two backups of one name, and those that do not answer are named', async () => {
    const [first, second] = [madeRepository(), madeRepository()]
    const name = await first.add({ segment: 1 })
    await second.add({ segment: 1, permanent: true })
    const storages = [
      { name: 'default', store: first.store },
      { name: 'b', store: second.store },
      { name: 'c', store: dead(first) },
      { name: 'd', store: first.store, why: 'it was not alive' },
    ]
    const catalogue = await readCatalogue(storages, { now: () => NOW })
    expect(catalogue.entries.map((entry) => [entry.storage, entry.name, entry.permanent])).toEqual([
      ['default', name, false],
      ['b', name, true],
    ])
    expect(catalogue.silent).toEqual(
      [
        { storage: 'd', why: 'it was not alive' },
        { storage: 'c', why: 'nobody answers' },
      ].toSorted((left, right) => left.storage.localeCompare(right.storage)),
    )
  })

  it('fail when none answers; one alone fails with its own fault', async () => {
    const repository = madeRepository()
    const storage = (name: string): { name: string; store: MadeRepository['store'] } => ({ name, store: dead(repository) })
    const faultOf = async (storages: Parameters<typeof readCatalogue>[0]): Promise<string> => {
      const error = await readCatalogue(storages, { now: () => NOW }).catch((thrown: unknown) => thrown)
      return isFault(error) ? error.code : String(error)
    }
    expect(await faultOf([storage('a'), storage('b')])).toBe('STORAGE_PARTLY_UNAVAILABLE')
    expect(await faultOf([storage('a')])).toBe('STORAGE_UNREACHABLE')
  })

  it('stop when they are told to', async () => {
    const repository = madeRepository()
    await repository.add({ segment: 1 })
    const aborted = AbortSignal.abort()
    const error = await read(repository, { signal: aborted }).catch((thrown: unknown) => thrown)
    expect(isFault(error, 'aborted')).toBe(true)
  })
})
