import { readFileSync } from 'node:fs'
import { sourceOf } from '@waltz/bytes'
import type { ObjectStore } from '@waltz/storage'
import { createMemoryStore } from '@waltz/storage/memory'
import { describe, expect, it } from 'vitest'
import { createBackupCatalog, metadataKey, parseBackupSelector, parseJson, sentinelKey } from '../src/index.ts'
import { faultOf } from './fault-of.ts'

const [A, B, C] = [
  'base_00000001000000000000000A',
  'base_00000001000000000000000B_D_00000001000000000000000A',
  'base_000000010000000000000001',
]

/** A store whose clock goes on by one second per write, and that remembers what was read. */
function repository(): { store: ObjectStore; put: (key: string, text: string) => Promise<void>; reads: string[] } {
  let seconds = 0
  const memory = createMemoryStore({ now: () => new Date(Date.UTC(2026, 0, 1) + seconds++ * 1000) })
  const reads: string[] = []
  const store: ObjectStore = {
    ...memory,
    get: async (key, options) => {
      reads.push(key)
      return await memory.get(key, options)
    },
  }
  return { store, put: async (key, text) => void (await memory.put(key, sourceOf(text))), reads }
}

async function names(store: ObjectStore): Promise<string[]> {
  const found: string[] = []
  for await (const { name } of createBackupCatalog(store).list()) found.push(name)
  return found
}

describe('list', () => {
  it('takes sentinels only, in order of their time, reading nothing', async () => {
    const { store, put, reads } = repository()
    for (const name of [A, B, C]) {
      await put(`basebackups_005/${name}/tar_partitions/part_001.tar.lz4`, 'x')
      await put(sentinelKey(name), '{}')
    }
    await put('basebackups_005/unfinished/metadata.json', '{}')
    await put('basebackups_005/sub/x_backup_stop_sentinel.json', '{}')
    await put('basebackups_005/notes.txt', 'x')
    await put('catchup_005/base_000000010000000000000002_backup_stop_sentinel.json', '{}')
    expect(await names(store)).toEqual([A, B, C])
    await put(sentinelKey(A), '{}')
    expect(await names(store)).toEqual([B, C, A])
    expect(reads).toEqual([])
  })

  it('asks the store for one level only', async () => {
    const { store } = repository()
    const asked: unknown[] = []
    const watching: ObjectStore = {
      ...store,
      list: (prefix, options) => {
        asked.push([prefix, options?.oneLevel])
        return store.list(prefix, options)
      },
    }
    await names(watching)
    expect(asked).toEqual([['basebackups_005/', true]])
  })

  it('goes by nanoseconds where the store has them, then by key', async () => {
    const { store } = repository()
    const modifiedAt = new Date('2026-01-01T00:00:00.123Z')
    const base = BigInt(modifiedAt.getTime()) * 1_000_000n
    const info = (name: string, ns?: bigint): object => ({
      key: sentinelKey(name),
      size: 2,
      modifiedAt,
      ...(ns === undefined ? {} : { modifiedAtNs: ns }),
    })
    const listing = (...infos: readonly object[]): ObjectStore => ({
      ...store,
      list: () => sourceOfInfos(infos) as ReturnType<ObjectStore['list']>,
    })
    expect(await names(listing(info('a', base + 3n), info('b', base + 1n), info('c', base + 2n)))).toEqual(['b', 'c', 'a'])
    expect(await names(listing(info('a'), info('b'), info('c', base)))).toEqual(['a', 'b', 'c'])
  })
})

async function* sourceOfInfos(infos: readonly object[]): AsyncGenerator<object> {
  yield* infos
}

describe('find', () => {
  it('finds the newest sentinel, and one by name', async () => {
    const { store, put } = repository()
    const catalog = createBackupCatalog(store)
    expect(await faultOf(() => catalog.find({ latest: true }))).toMatchObject({ kind: 'not-found', code: 'BACKUP_NONE' })
    await put(sentinelKey(A), '{}')
    await put(sentinelKey(C), '{}')
    expect(await catalog.find({ latest: true })).toMatchObject({
      name: C,
      walFileName: '000000010000000000000001',
      modifiedAt: new Date('2026-01-01T00:00:01Z'),
    })
    expect(await catalog.find(parseBackupSelector(A))).toMatchObject({ name: A, modifiedAt: new Date('2026-01-01T00:00:00Z') })
    expect(await catalog.find(parseBackupSelector('LATEST'))).toMatchObject({ name: C })
  })

  it('says what to do when there is none of that name', async () => {
    const { store, put } = repository()
    await put('basebackups_005/gone/metadata.json', '{}')
    for (const name of ['gone', '', '../x', 'latest', 'a/../gone']) {
      const fault = await faultOf(() => createBackupCatalog(store).find({ name }))
      expect(fault).toMatchObject({ kind: 'not-found', code: 'BACKUP_NOT_FOUND' })
      expect(fault.hint).toContain('waltz backup-list')
    }
  })

  it('does not take a store that fails for one without the backup', async () => {
    const { store } = repository()
    const failing: ObjectStore = { ...store, head: async () => await Promise.reject(new Error('the network is down')) }
    await expect(createBackupCatalog(failing).find({ name: A })).rejects.toThrow('the network is down')
  })

  it('finds by user data: deeply, to the digit, and from the sentinel where there is no metadata', async () => {
    const { store, put } = repository()
    const catalog = createBackupCatalog(store)
    const select = async (json: string): Promise<string> => (await catalog.find({ userData: parseJson(json, { origin: 'test' }) })).name
    const add = async (name: string, userData: string): Promise<void> => {
      await put(metadataKey(name), `{"user_data":${userData}}`)
      await put(sentinelKey(name), '{"UserData":"stale"}')
    }
    await add(A, '{"n":9007199254740993,"list":[1,{"x":null}]}')
    await add(B, '{"list":[1,{"x":null}],"n":9007199254740992}')
    await put(sentinelKey(C), '{"UserData":{"n":12345678901234567000}}')
    await add('plain', 'null')
    expect(await select('{"list":[1,{"x":null}],"n":9007199254740993}')).toBe(A)
    expect(await select('{"n":9007199254740992,"list":[1,{"x":null}]}')).toBe(B)
    expect(await select('{"n":12345678901234567890}')).toBe(C)
    expect(await faultOf(() => select('"stale"'))).toMatchObject({ kind: 'not-found', code: 'BACKUP_NOT_FOUND' })
    const both = await faultOf(() => select('{"n":9007199254740992.5,"list":[1,{"x":null}]}'))
    expect(both).toMatchObject({ kind: 'conflict', code: 'BACKUP_AMBIGUOUS' })
    expect(both.message).toContain(`${A}, ${B}`)
  })
})

describe('readSentinel and readMetadata', () => {
  it('read what is there and name what is not', async () => {
    const { store, put } = repository()
    const catalog = createBackupCatalog(store)
    await put(sentinelKey(A), '{"LSN":33554472,"Hostname":"\\u003cé"}')
    await put(metadataKey(A), '{"start_lsn":33554472}')
    expect(await catalog.readSentinel(A)).toMatchObject({ startLsn: 33554472n, hostname: '<é' })
    expect(await catalog.readMetadata(A)).toMatchObject({ startLsn: 33554472n })
    expect(await faultOf(() => catalog.readSentinel(B))).toMatchObject({ kind: 'not-found', code: 'BACKUP_NOT_FOUND' })
    expect(await faultOf(() => catalog.readMetadata(B))).toMatchObject({
      kind: 'not-found',
      code: 'BACKUP_METADATA_NOT_FOUND',
      context: { backup: B },
    })
  })

  it.each([
    ['', 'JSON_TRUNCATED'],
    ['{"LSN":1', 'JSON_TRUNCATED'],
    ['not json', 'JSON_INVALID'],
    ['[]', 'JSON_INVALID'],
    ['{"LSN":tru}', 'JSON_INVALID'],
    ['{"LSN":"x"}', 'JSON_FIELD_INVALID'],
  ])('refuse the sentinel %j as corrupt', async (text, code) => {
    const { store, put } = repository()
    await put(sentinelKey(A), text)
    const fault = await faultOf(() => createBackupCatalog(store).readSentinel(A))
    expect(fault).toMatchObject({ kind: 'corrupt', code })
    expect(fault.message).toContain(sentinelKey(A))
  })

  it('refuse metadata that is not JSON as corrupt, naming it', async () => {
    const { store, put } = repository()
    await put(metadataKey(A), '{"start_lsn":')
    const fault = await faultOf(() => createBackupCatalog(store).readMetadata(A))
    expect(fault).toMatchObject({ kind: 'corrupt', code: 'JSON_INVALID' })
    expect(fault.message).toContain(metadataKey(A))
  })

  it('read a V1 sentinel without holding its file list', async () => {
    const { store, put } = repository()
    const v1 = readFileSync(new URL('fixtures/release-1.1-shortened.sentinel', import.meta.url), 'utf8')
    await put(sentinelKey(A), v1)
    expect(await createBackupCatalog(store).readSentinel(A)).toMatchObject({
      embeddedFiles: true,
      increment: { depth: 1 },
      finishLsn: 18874624n,
    })
    await put(sentinelKey(B), '{}')
    expect(await createBackupCatalog(store).readSentinel(B)).not.toHaveProperty('embeddedFiles')
  })
})
