import { createCipheriv } from 'node:crypto'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { sourceOf } from '@waltz/bytes'
import { azureEnvironment, faultStore, s3Environment, sharedServer, swiftEnvironment, temporaryFolder } from '@waltz/testkit'
import { afterAll, describe, expect, it } from 'vitest'
import { expectedLines, treeLines } from '../../../pg-physical-backup/test/restore-support.ts'
import { copyBackups, copyBetweenKits, type CopyEvent, type CopyResult } from '../../src/copy.ts'
import { kitSettings, openBackupKit, type BackupKit } from '../../src/index.ts'
import { formatOf, hashesOf, now } from '../copy-support.ts'
import { surroundingsIn, type Values } from '../encryption-keys.ts'

const BACKUP = 'base_000000010000000000000013'
const fixture = new URL('../../../pg-physical-backup/test/fixtures/odd-files/', import.meta.url).pathname
const work = temporaryFolder()
const radosgw = await sharedServer('radosgw')
const azurite = await sharedServer('azurite')
const surroundings = surroundingsIn(work.path)
afterAll(() => work.dispose())

const open = (values: Values): Promise<BackupKit> => openBackupKit(kitSettings(values), surroundings)

/** The fixture with WAL, a segment of which goes up in parts. */
async function sourceKit(): Promise<BackupKit> {
  const root = work.makeFolder(`source ${Math.random()}`)
  cpSync(join(fixture, 'repo'), root, { recursive: true })
  const kit = await open({ WALG_FILE_PREFIX: root })
  const format = await formatOf('zstd')
  const random = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(7 << 20))
  await kit.store.put('wal_005/000000010000000000000013.zst', format.seal(sourceOf(random)))
  await kit.store.put('wal_005/000000010000000000000014.zst', format.seal(sourceOf('small')))
  return kit
}

async function expectRestored(kit: BackupKit): Promise<void> {
  const destination = join(work.makeFolder(`restored ${Math.random()}`), 'data')
  await kit.restoreBackup({ destination, selector: { latest: true } })
  expect(treeLines(destination)).toEqual(expectedLines(join(fixture, 'files.tsv')))
}

const outcomes = (): { readonly seen: Set<string>; readonly observe: (event: CopyEvent) => void } => {
  const seen = new Set<string>()
  return { seen, observe: (event) => void (event.type === 'object' && seen.add(event.outcome)) }
}

const sound = ({ failures, left, warnings }: CopyResult): readonly unknown[] => [failures, left, warnings]

describe.skipIf(radosgw.missing !== undefined)(`a copy and ${radosgw.title}`, () => {
  it('goes from a folder to S3, on to Swift and back, and is restored from each', async () => {
    await using from = await sourceKit()
    await using s3 = await open({ ...(await s3Environment(radosgw.server)), WALG_S3_MAX_PART_SIZE: '5242880' })
    await using swift = await open(await swiftEnvironment(radosgw.server))
    await using back = await open({ WALG_FILE_PREFIX: work.makeFolder('back') })
    expect(sound(await copyBetweenKits({ from, to: s3, surroundings, withHistory: true }))).toEqual([[], [], []])
    await expectRestored(s3)
    expect(sound(await copyBetweenKits({ from: s3, to: swift, surroundings, withHistory: true }))).toEqual([[], [], []])
    expect(sound(await copyBetweenKits({ from: swift, to: back, surroundings, withHistory: true }))).toEqual([[], [], []])
    await expectRestored(back)
    const without = (all: ReadonlyMap<string, string>): readonly unknown[] => [...all].filter(([key]) => !key.startsWith('waltz/'))
    expect(without(await hashesOf(back.store))).toEqual(without(await hashesOf(from.store)))
    const { seen, observe } = outcomes()
    await copyBetweenKits({ from, to: s3, surroundings, withHistory: true, recheck: true, observe })
    expect([...seen]).toEqual(['present'])
  })

  it('takes the MD5 that the storage names for a proof, and reads back what went up in parts', async () => {
    await using from = await sourceKit()
    await using to = await open({ ...(await s3Environment(radosgw.server)), WALG_S3_MAX_PART_SIZE: '5242880' })
    const counting = faultStore(to.store)
    const read: string[] = []
    const store = {
      ...counting,
      get: async (...[key, options]: Parameters<typeof counting.get>) => (read.push(key), await counting.get(key, options)),
    }
    const format = await from.openFormat()
    const sleep = (): Promise<void> => Promise.resolve()
    const result = await copyBackups({ from: { store: from.store, format }, to: { store, format }, now, sleep })
    expect(sound(result)).toEqual([[], [], []])
    const objects = read.filter((key) => !key.startsWith('waltz/'))
    expect(objects).toEqual(['wal_005/000000010000000000000013.zst'])
  })

  it('stays within the storage where both are in one bucket', async () => {
    await using origin = await sourceKit()
    const there = await s3Environment(radosgw.server, 'first')
    await using from = await open(there)
    await using to = await open({ ...there, WALG_S3_PREFIX: there['WALG_S3_PREFIX']?.replace('/first', '/second/place') ?? '' })
    await copyBetweenKits({ from: origin, to: from, surroundings })
    const { seen, observe } = outcomes()
    expect(sound(await copyBetweenKits({ from, to, surroundings, observe }))).toEqual([[], [], []])
    expect([...seen]).toEqual(['inside'])
    await expectRestored(to)
    await using same = await open(there)
    await using nearly = await open({ ...there, WALG_S3_MAX_PART_SIZE: '6291456' })
    for (const other of [same, nearly])
      await expect(copyBetweenKits({ from, to: other, surroundings })).rejects.toMatchObject({ code: 'COPY_ONE_REPOSITORY' })
    // Other settings may mean another server: then the bytes come here.
    await using third = await open({ ...there, WALG_S3_MAX_PART_SIZE: '6291456', WALG_STORAGE_PREFIX: 'third' })
    const other = outcomes()
    await copyBetweenKits({ from, to: third, surroundings, observe: other.observe })
    expect([...other.seen]).toEqual(['sent'])
  })

  it('encrypts on the way to S3, and again on the way to another key', async () => {
    await using from = await sourceKit()
    const first = { WALG_LIBSODIUM_KEY: 'a key of libsodium, long enough' }
    await using s3 = await open({ ...(await s3Environment(radosgw.server)), ...first })
    await using back = await open({ WALG_FILE_PREFIX: work.makeFolder('another key'), WALG_LIBSODIUM_KEY: 'another key of libsodium, too' })
    await using blind = await open({ ...(await s3Environment(radosgw.server)) })
    const options = { surroundings, reencrypt: true, backup: { name: BACKUP } }
    expect(sound(await copyBetweenKits({ from, to: s3, ...options }))).toEqual([[], [], []])
    await expectRestored(s3)
    expect(sound(await copyBetweenKits({ from: s3, to: back, ...options, recompress: true }))).toEqual([[], [], []])
    await expectRestored(back)
    await expect(copyBetweenKits({ from: s3, to: blind, ...options })).rejects.toMatchObject({ code: 'COPY_KEY_ABSENT' })
  })
})

describe.skipIf(azurite.missing !== undefined)(`a copy and ${azurite.title}`, () => {
  it('goes to Azure, and again without sending anything', async () => {
    await using from = await sourceKit()
    await using to = await open(await azureEnvironment(azurite.server))
    expect(sound(await copyBetweenKits({ from, to, surroundings }))).toEqual([[], [], []])
    const again = await copyBetweenKits({ from, to, surroundings, recheck: true })
    expect([again.failures, again.wal.sent.objects, again.backups[0]?.sent.objects]).toEqual([[], 0, 0])
    await expectRestored(to)
  })
})
