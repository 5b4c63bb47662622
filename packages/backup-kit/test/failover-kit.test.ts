import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readAll } from '@waltz/bytes'
import { isFault, type Fault } from '@waltz/errors'
import { sentinelKey } from '@waltz/repository'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { kitSettings, openBackupKit, type BackupKit, type KitEvent } from '../src/index.ts'
import { surroundings } from './storage-settings.ts'

const base = mkdtempSync(join(tmpdir(), 'kit-failover-'))
afterAll(() => rmSync(base, { recursive: true, force: true }))

let folder = ''
let events: KitEvent[] = []
let run = 0
const at = (name: string): string => join(folder, name)
beforeEach(() => {
  folder = join(base, String((run += 1)))
  for (const name of ['home', 'first', 'a', 'b']) mkdirSync(join(folder, name), { recursive: true })
  events = []
})

const FAST = { WALG_FAILOVER_STORAGES_CHECK_TIMEOUT: '2s', WALTZ_STORAGE_MAX_RETRIES: '0' }
async function openKit(more: Record<string, string> = {}, storages: readonly string[] = ['a', 'b']): Promise<BackupKit> {
  const further = Object.fromEntries(storages.map((name) => [name, { WALG_FILE_PREFIX: at(name) }]))
  const settings = kitSettings({
    WALG_FILE_PREFIX: at('first'),
    WALG_FAILOVER_STORAGES: JSON.stringify(further),
    WALG_COMPRESSION_METHOD: 'none',
    ...FAST,
    ...more,
  })
  return await openBackupKit(settings, surroundings({ home: at('home'), observe: (event) => events.push(event) }))
}
const warnings = (): string[] => events.flatMap((event) => (event.type === 'storage-warning' ? [event.message] : []))
const chosen = (): string[] => events.flatMap((event) => (event.type === 'storage-chosen' ? [event.storage] : []))
const faultOf = async (work: Promise<unknown>): Promise<Fault> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!isFault(error)) throw new Error(`no fault: ${String(error)}`)
  return error
}
const HISTORY = (number: number): string => `${number.toString(16).toUpperCase().padStart(8, '0')}.history`
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
async function* source(text: string): AsyncGenerator<Uint8Array> {
  yield bytesOf(text)
}
const CONTENT = '1\t0/3000000\tno recovery target specified\n'
async function push(kit: BackupKit, name: string): Promise<void> {
  const archive = await kit.openWal()
  await archive.push(name, () => source(CONTENT), { size: CONTENT.length })
}
async function fetched(kit: BackupKit, name: string): Promise<string> {
  const archive = await kit.openWal({ holeRecheckMs: 1 })
  await using opened = await archive.fetch(name)
  return new TextDecoder().decode(await readAll(opened.source, 1000))
}
const walIn = (storage: string): string[] => (existsSync(join(at(storage), 'wal_005')) ? readdirSync(join(at(storage), 'wal_005')) : [])
const lose = (storage: string): void => renameSync(at(storage), at(`${storage}.lost`))
const bringBack = (storage: string): void => renameSync(at(`${storage}.lost`), at(storage))

describe('writing', () => {
  it('goes to the first storage, which was really written to before', async () => {
    await using kit = await openKit()
    await push(kit, HISTORY(2))
    expect(walIn('first')).toEqual([HISTORY(2)])
    expect(walIn('a')).toEqual([])
    expect(chosen()).toEqual(['default'])
    // The object of the trial is gone.
    expect(readdirSync(at('first')).filter((name) => name.startsWith('wal-g_'))).toEqual([])
    const cache = JSON.parse(readFileSync(join(at('home'), '.walg_storage_rw_status_cache'), 'utf8')) as Record<
      string,
      { previous_aliveness: boolean }
    >
    expect(
      Object.keys(cache)
        .map((key) => key.replace(/#[0-9a-f]{32}$/, '#'))
        .toSorted(),
    ).toEqual(['a#', 'b#', 'default#'])
    expect(Object.values(cache).every((entry) => entry.previous_aliveness)).toBe(true)
  })

  it('goes to the next one when the first is not there', async () => {
    lose('first')
    await using kit = await openKit()
    await push(kit, HISTORY(2))
    expect(walIn('a')).toEqual([HISTORY(2)])
    expect(chosen()).toEqual(['a'])
    expect(warnings()[0]).toMatch(/^the storage default is not alive: /)
  })

  it('finds out that a storage can be read and not written: what WAL-G’s check misses', async () => {
    // A file where the trial's object would be makes writing impossible, for root as well.
    mkdirSync(join(at('first'), 'wal-g_storage_check'))
    writeFileSync(join(at('first'), 'wal-g_storage_check', 'x'), '')
    await using kit = await openKit()
    await push(kit, HISTORY(2))
    expect(chosen()).toEqual(['a'])
    const [first] = await kit.storages({ try: 'read', names: ['default'] })
    expect(first?.alive).toBe(true)
    const [tried] = await kit.storages({ try: 'write', names: ['default'] })
    expect(tried?.alive).toBe(false)
    expect(tried?.why).not.toBe('')
  })

  it('moves on when the storage dies between two files', async () => {
    await using kit = await openKit()
    const archive = await kit.openWal()
    await archive.push(HISTORY(2), () => source(CONTENT), { size: CONTENT.length })
    lose('first')
    await archive.push(HISTORY(3), () => source(CONTENT), { size: CONTENT.length })
    expect(walIn('a')).toEqual([HISTORY(3)])
    expect(chosen()).toEqual(['default', 'a'])
  })

  it('believes what another process found out, until that is old', async () => {
    lose('first')
    await using before = await openKit()
    await push(before, HISTORY(2))
    bringBack('first')
    events = []
    await using kit = await openKit()
    await push(kit, HISTORY(3))
    expect(chosen()).toEqual(['a'])
    expect(warnings()).toEqual([])
    await using impatient = await openKit({ WALG_FAILOVER_STORAGES_CACHE_LIFETIME: '0' })
    await push(impatient, HISTORY(4))
    expect(chosen()).toEqual(['a', 'default'])
  })

  it('goes where it is told to, dead or alive', async () => {
    await using kit = await openKit({ WALG_TARGET_STORAGE: 'b' })
    await push(kit, HISTORY(2))
    expect(walIn('b')).toEqual([HISTORY(2)])
    lose('b')
    rmSync(at('home'), { recursive: true })
    await using dead = await openKit({ WALG_TARGET_STORAGE: 'b' })
    const fault = await faultOf(push(dead, HISTORY(3)))
    expect(fault).toMatchObject({ kind: 'unavailable', code: 'STORAGE_NONE_ALIVE' })
    expect(fault.message).toMatch(/^no storage is alive: b: /)
    expect((await faultOf(openKit({ WALG_TARGET_STORAGE: 'nobody' }))).code).toBe('STORAGE_UNKNOWN')
  })

  it('says of each storage what it lacks when none is alive', async () => {
    for (const name of ['first', 'a', 'b']) lose(name)
    await using kit = await openKit()
    const fault = await faultOf(push(kit, HISTORY(2)))
    expect(fault.code).toBe('STORAGE_NONE_ALIVE')
    for (const name of ['default', 'a', 'b']) expect(fault.message).toContain(`${name}: `)
  })

  it('goes to the first without trials when that is wanted', async () => {
    await using kit = await openKit({ WALG_FAILOVER_STORAGES_CHECK: 'false' })
    lose('first')
    expect((await faultOf(push(kit, HISTORY(2)))).code).toBe('STORAGE_ROOT_MISSING')
    expect(readdirSync(at('home'))).toEqual([])
  })

  it('needs no home', async () => {
    rmSync(at('home'), { recursive: true })
    await using kit = await openKit()
    await push(kit, HISTORY(2))
    expect(walIn('first')).toEqual([HISTORY(2)])
    expect(warnings()).toEqual([expect.stringContaining('cannot be written (ENOENT)')])
  })
})

describe('fetching WAL', () => {
  it('finds a file in any storage', async () => {
    await using toB = await openKit({ WALG_TARGET_STORAGE: 'b' })
    await push(toB, HISTORY(2))
    await using kit = await openKit()
    expect(await fetched(kit, HISTORY(2))).toBe(CONTENT)
    expect(await (await kit.openWal()).has(HISTORY(2))).toBe(true)
  })

  it('does without a dead storage for what another one has', async () => {
    await using toB = await openKit({ WALG_TARGET_STORAGE: 'b' })
    await push(toB, HISTORY(2))
    lose('first')
    await using kit = await openKit()
    expect(await fetched(kit, HISTORY(2))).toBe(CONTENT)
  })

  it('says that a file is nowhere only when every storage said so', async () => {
    await using kit = await openKit()
    for (const storage of ['default', 'a', 'b']) {
      await using one = await openKit({ WALG_TARGET_STORAGE: storage })
      await push(one, HISTORY(2))
    }
    expect(await faultOf(fetched(kit, HISTORY(9)))).toMatchObject({ kind: 'not-found', code: 'WAL_NOT_FOUND' })
    lose('b')
    await using later = await openKit({ WALG_FAILOVER_STORAGES_CACHE_LIFETIME: '0' })
    const fault = await faultOf(fetched(later, HISTORY(9)))
    expect(fault).toMatchObject({ kind: 'unavailable', code: 'STORAGE_PARTLY_UNAVAILABLE' })
    expect(fault.message).toContain('the storage b did not answer')
    expect(fault.hint).toContain('WALTZ_FAILOVER_IGNORE=b')
    await using without = await openKit({ WALTZ_FAILOVER_IGNORE: 'b' })
    expect((await faultOf(fetched(without, HISTORY(9)))).kind).toBe('not-found')
  })

  it('asks a storage that was believed dead before it gives up', async () => {
    lose('b')
    await using before = await openKit()
    await push(before, HISTORY(2))
    await fetched(before, HISTORY(2))
    bringBack('b')
    mkdirSync(join(at('b'), 'wal_005'))
    writeFileSync(join(at('b'), 'wal_005', HISTORY(5)), CONTENT)
    await using kit = await openKit()
    expect(await fetched(kit, HISTORY(5))).toBe(CONTENT)
  })

  it('lists all or says what it cannot see', async () => {
    await using toB = await openKit({ WALG_TARGET_STORAGE: 'b' })
    await push(toB, HISTORY(3))
    await using kit = await openKit()
    await push(kit, HISTORY(2))
    const names = async (one: BackupKit): Promise<string[]> => {
      const found: string[] = []
      for await (const object of (await one.openWal()).list()) found.push(object.name)
      return found
    }
    expect(await names(kit)).toEqual([HISTORY(2), HISTORY(3)])
    lose('b')
    await using later = await openKit({ WALG_FAILOVER_STORAGES_CACHE_LIFETIME: '0' })
    expect((await faultOf(names(later))).code).toBe('STORAGE_PARTLY_UNAVAILABLE')
  })
})

describe('backups', () => {
  const NAMES = ['base_000000010000000000000002', 'base_000000010000000000000004'] as const
  const store = (storage: string, name: string): void => {
    mkdirSync(join(at(storage), 'basebackups_005'), { recursive: true })
    writeFileSync(join(at(storage), sentinelKey(name)), '{}')
  }
  const listed = async (kit: BackupKit): Promise<string[]> => {
    const found: string[] = []
    for await (const { name, storage } of kit.backups.list()) found.push(`${storage} ${name.slice(-1)}`)
    return found
  }

  it('of all storages are listed, equal names once for each', async () => {
    store('first', NAMES[0])
    store('b', NAMES[0])
    await new Promise((wake) => setTimeout(wake, 20))
    store('a', NAMES[1])
    await using kit = await openKit()
    expect(await listed(kit)).toEqual(['default 2', 'b 2', 'a 4'])
    expect(await kit.backups.find({ latest: true })).toMatchObject({ name: NAMES[1], storage: 'a' })
    expect(await kit.backups.find({ name: NAMES[0] })).toMatchObject({ storage: 'default' })
    expect(warnings()).toEqual([expect.stringContaining('lies in the storage b, too')])
    expect((await faultOf(kit.backups.find({ name: 'base_0' }))).code).toBe('BACKUP_NOT_FOUND')
    await using one = await openKit({ WALG_TARGET_STORAGE: 'b' })
    expect(await listed(one)).toEqual(['b 2'])
  })

  it('are found without a dead storage, and that is said', async () => {
    store('a', NAMES[1])
    lose('first')
    await using kit = await openKit()
    expect(await listed(kit)).toEqual(['a 4'])
    expect((await kit.backups.find({ latest: true })).storage).toBe('a')
    expect(warnings().filter((message) => message.includes('without the storage default'))).toHaveLength(2)
    const fault = await faultOf(kit.backups.find({ name: NAMES[0] }))
    expect(fault).toMatchObject({ kind: 'unavailable', code: 'STORAGE_PARTLY_UNAVAILABLE' })
  })

  it('are none only when all storages say so', async () => {
    await using kit = await openKit()
    expect(await listed(kit)).toEqual([])
    expect((await faultOf(kit.backups.find({ latest: true }))).code).toBe('BACKUP_NONE')
    lose('b')
    await using later = await openKit({ WALG_FAILOVER_STORAGES_CACHE_LIFETIME: '0' })
    expect((await faultOf(later.backups.find({ latest: true }))).code).toBe('STORAGE_PARTLY_UNAVAILABLE')
  })
})

describe('a backup whose storage goes away', () => {
  it('ends with a fault that names it, and the next one goes elsewhere', async () => {
    await using kit = await openKit()
    await push(kit, HISTORY(2))
    const { openSeveralStorages } = await import('../src/failover/open-several.ts')
    const { createStorageContext } = await import('../src/storage-context.ts')
    const further = { a: { WALG_FILE_PREFIX: at('a') } }
    const settings = kitSettings({ WALG_FILE_PREFIX: at('first'), WALG_FAILOVER_STORAGES: JSON.stringify(further), ...FAST })
    const around = surroundings({ home: at('home') })
    await using storages = await openSeveralStorages(
      settings,
      createStorageContext(settings, around, (event) => events.push(event)),
    )
    const place = await storages.placeForBackup({})
    expect(place.name).toBe('default')
    lose('first')
    const fault = await faultOf(
      place.store.put('basebackups_005/x', source('x')).catch(async (error: unknown) => {
        throw await place.explain(error)
      }),
    )
    expect(fault).toMatchObject({ kind: 'unavailable', code: 'STORAGE_LOST', retryable: false })
    expect(fault.message).toMatch(/^the storage default failed during the backup: /)
    expect(fault.hint).toContain('run it again, and it goes to the first storage that is alive')
    expect((await storages.placeForBackup({})).name).toBe('a')
    expect((await storages.placeForBackup({ targetStorage: 'a' })).name).toBe('a')
    // Waiting for WAL goes on although it cannot be known whether the lost storage has it.
    expect(await place.archive.has(HISTORY(9))).toBe(false)
    const other = new Error('not of a storage')
    expect(await place.explain(other)).toBe(other)
  })
})

describe('a restore', () => {
  it('reads a backup from its storage only, and WAL from any', async () => {
    const put = (storage: string, key: string, text: string): void => {
      mkdirSync(join(at(storage), key, '..'), { recursive: true })
      writeFileSync(join(at(storage), key), text)
    }
    put('b', sentinelKey('base_000000010000000000000002'), '{}')
    put('b', 'basebackups_005/base_000000010000000000000002/tar_partitions/part_1.tar', 'of b')
    put('first', 'basebackups_005/base_000000010000000000000002/tar_partitions/part_1.tar', 'left over')
    put('a', 'wal_005/x', 'wal of a')
    const { openSeveralStorages } = await import('../src/failover/open-several.ts')
    const { createStorageContext } = await import('../src/storage-context.ts')
    const further = { a: { WALG_FILE_PREFIX: at('a') }, b: { WALG_FILE_PREFIX: at('b') } }
    const settings = kitSettings({ WALG_FILE_PREFIX: at('first'), WALG_FAILOVER_STORAGES: JSON.stringify(further), ...FAST })
    const context = createStorageContext(settings, surroundings({ home: at('home') }), (event) => events.push(event))
    await using storages = await openSeveralStorages(settings, context)
    const found = await storages.sourceOfRestore({ latest: true }, undefined)
    expect(found.selector).toEqual({ name: 'base_000000010000000000000002' })
    expect(found.protectedPaths).toEqual([at('first'), at('a'), at('b')])
    const read = async (key: string): Promise<string> => new TextDecoder().decode(await readAll(await found.store.get(key), 100))
    expect(await read('basebackups_005/base_000000010000000000000002/tar_partitions/part_1.tar')).toBe('of b')
    expect(await read('wal_005/x')).toBe('wal of a')
    await expect(found.store.put('wal_005/y', source('y'))).rejects.toMatchObject({ code: 'STORAGE_READ_ONLY' })
  })
})

describe('storages of other kinds', () => {
  it('with credentials that nobody accepts do not stop what another one can do', async () => {
    const further = {
      bad: {
        WALG_S3_PREFIX: 's3://nobody/x',
        AWS_ENDPOINT: 'http://127.0.0.1:9',
        AWS_ACCESS_KEY_ID: 'k',
        AWS_SECRET_ACCESS_KEY: 'planted',
      },
    }
    await using kit = await openKit({ WALG_FAILOVER_STORAGES: JSON.stringify(further) })
    await push(kit, HISTORY(2))
    expect(chosen()).toEqual(['default'])
    const known = await kit.storages()
    expect(known.map(({ name, kind, location }) => [name, kind, location.includes('nobody')])).toEqual([
      ['default', 'file', false],
      ['bad', 's3', true],
    ])
    expect(JSON.stringify(events)).not.toContain('planted')
    expect(readFileSync(join(at('home'), '.walg_storage_rw_status_cache'), 'utf8')).not.toContain('planted')
  }, 30_000)

  it('whose settings cannot be used are an error at once', async () => {
    const further = { bad: { WALG_SSH_PREFIX: 'ssh://host/x', SSH_PRIVATE_KEY_PATH: '/no/such/planted' } }
    const fault = await faultOf(openKit({ WALG_FAILOVER_STORAGES: JSON.stringify(further) }))
    expect(fault.code).toBe('STORAGE_FILE_UNUSABLE')
    expect(`${fault.message} ${fault.hint}`).not.toContain('planted')
    expect((await faultOf(openKit({ WALG_FAILOVER_STORAGES_CACHE_EMA_DEAD_LIMIT: '0.995' }))).message).toContain('ALIVE_LIMIT is below')
  })
})
