import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readAll } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import { decodeManifest, decodeSentinel, leaseKey, manifestKey, parseBackupName, partKey, sentinelKey } from '@waltz/repository'
import type { ObjectStore, PutOptions } from '@waltz/storage'
import { createMemoryStore } from '@waltz/storage/memory'
import { pushBackup, type PushSurroundings, type WalRange } from '../../src/index.ts'
import { collect, fakeTime, keysOf, openDescriptors, plantCluster, request, scratch, scriptedServer, surroundings } from './fakes.ts'

const NAME = 'base_000000010000000000000002'
const unavailable = (): Fault => new Fault('unavailable', 'STORAGE_IO', 'the storage did not answer')

let folder: ReturnType<typeof scratch>
let data: string
beforeEach(() => {
  folder = scratch()
  data = plantCluster(folder)
})
afterEach(() => folder.dispose())

/** A store whose puts of matching keys go through `put`. */
function withPut(
  inner: ObjectStore,
  key: RegExp,
  put: (call: {
    store: ObjectStore
    key: string
    body: AsyncIterable<Uint8Array>
    options: PutOptions | undefined
    nth: number
  }) => ReturnType<ObjectStore['put']>,
): ObjectStore {
  let nth = 0
  return {
    ...inner,
    put: (at, body, options) =>
      key.test(at) ? put({ store: inner, key: at, body, options, nth: (nth += 1) }) : inner.put(at, body, options),
  }
}

async function expectNothingLeft(around: PushSurroundings, server: { connections: { closed: boolean }[] }): Promise<void> {
  expect(await keysOf(around.store)).toEqual([])
  expect(server.connections.every(({ closed }) => closed)).toBe(true)
}

describe('a backup', () => {
  it('is announced last, describes its parts, and leaves no lease and no descriptor', async () => {
    const server = scriptedServer({ dataDirectory: data })
    const around = await surroundings(server, folder.path)
    const result = await pushBackup(request(data), around)
    expect(result.name).toBe(NAME)
    expect(await keysOf(around.store)).toEqual([
      `basebackups_005/${NAME}/files_metadata.json`,
      `basebackups_005/${NAME}/metadata.json`,
      `basebackups_005/${NAME}/tar_partitions/backup_label.tar`,
      `basebackups_005/${NAME}/tar_partitions/part_001.tar`,
      `basebackups_005/${NAME}/tar_partitions/pg_control.tar`,
      `basebackups_005/${NAME}/waltz/manifest.json`,
      sentinelKey(NAME),
    ])
    const manifest = decodeManifest(await readAll(await around.store.get(manifestKey(NAME)), 65_536), { origin: 'the manifest' })
    for (const part of manifest.parts) {
      const { size } = await around.store.head(partKey(NAME, part.name))
      expect({ size: part.size, payloadBytes: part.payloadBytes }).toEqual({ size, payloadBytes: size })
    }
    expect(server.connections.every(({ closed }) => closed)).toBe(true)
    expect(await openDescriptors(/waltz-(?:push|spool)/)).toBe(0)
  })

  it('asks in sessions that know only the names of PostgreSQL, and are not ended by anybody else’s time limits', async () => {
    const server = scriptedServer({ dataDirectory: data })
    await pushBackup(request(data, { databaseNames: true, estimate: true }), await surroundings(server, folder.path))
    expect(server.connections.length).toBeGreaterThan(2)
    const prepared = server.asked.filter((text) => text.includes("set_config('search_path', '', false)")).length
    expect(prepared).toBe(server.connections.length)
  })

  it.each([
    [
      'segments of 1 MiB',
      { walSegmentBytes: 2n ** 20n, startLsn: 0x1_2340_0028n, finishLsn: 0x1_2340_0138n },
      '000000010000000100000234',
      1,
    ],
    [
      'segments of 1 GiB',
      { walSegmentBytes: 2n ** 30n, startLsn: 0x2_4000_0028n, finishLsn: 0x2_4000_0138n },
      '000000010000000200000001',
      1,
    ],
    ['positions beyond 2^53', { startLsn: 0x20_0000_0200_0028n, finishLsn: 0x20_0000_0300_0028n }, '000000010020000000000002', 2],
    ['an end on the border of a segment', { startLsn: 0x200_0028n, finishLsn: 0x400_0000n }, '000000010000000000000002', 2],
  ])('names and ranges: %s', async (_, given, segment, count) => {
    const server = scriptedServer({ dataDirectory: data, ...given })
    const ranges: WalRange[] = []
    const around = await surroundings(server, folder.path, {
      wal: { admit: async () => undefined, ensure: async (range) => (ranges.push(range), { pushed: [], present: [], pending: [] }) },
    })
    const result = await pushBackup(request(data), around)
    expect(parseBackupName(result.name)?.segment).toBe(segment)
    const [range] = ranges
    expect((range?.end ?? 0) - (range?.first ?? 0)).toBe(count)
    expect(await range?.isComplete(range.first)).toBe(true)
    const offset = (given.startLsn % (server.walSegmentBytes as bigint)).toString(16).toUpperCase().padStart(8, '0')
    expect(range?.backupHistory).toBe(`${segment}.${offset}.backup`)
    const sentinel = decodeSentinel(await readAll(await around.store.get(sentinelKey(result.name)), 65_536), { origin: 'the sentinel' })
    expect(sentinel).toMatchObject({ startLsn: given.startLsn, finishLsn: given.finishLsn })
  })

  it('on a later timeline wants its history too', async () => {
    const server = scriptedServer({ dataDirectory: data, timeline: 0x1f })
    const ranges: WalRange[] = []
    const around = await surroundings(server, folder.path, {
      wal: { admit: async () => undefined, ensure: async (range) => (ranges.push(range), { pushed: [], present: [], pending: [] }) },
    })
    expect((await pushBackup(request(data), around)).name).toBe('base_0000001F0000000000000002')
    expect(ranges[0]).toMatchObject({ timeline: 0x1f, timelineHistory: '0000001F.history' })
  })
})

describe('on a standby', () => {
  it('only what was replayed is complete, and stays so when the server is promoted', async () => {
    const server = scriptedServer({
      dataDirectory: data,
      inRecovery: true,
      startLsn: 0x200_0028n,
      finishLsn: 0x300_0028n,
      replayed: 0x37f_ffffn,
    })
    let complete: boolean[] = []
    const around = await surroundings(server, folder.path, {
      wal: {
        admit: async () => undefined,
        async ensure(range) {
          server.inRecovery = false
          complete = [await range.isComplete(2), await range.isComplete(3)]
          return { pushed: [], present: [], pending: [] }
        },
      },
    })
    await pushBackup(request(data), around)
    expect(complete).toEqual([true, false])
  })

  it.each([
    ['was promoted while the backup ran', { when: /pg_backup_stop/, change: { inRecovery: false }, refuses: true }],
    ['was promoted while the backup started', { when: /pg_backup_start/, change: { inRecovery: false }, refuses: false }],
    [
      'follows another timeline, says the checkpoint',
      { when: /pg_backup_stop/, change: { timeline: 2, labelTimeline: 1 }, refuses: false },
    ],
    ['follows another timeline, says the recovery point only', { when: /pg_backup_stop/, change: { replayTimeline: 2 }, refuses: false }],
    ['began on another timeline than pg_control said', { when: /pg_backup_stop/, change: { labelTimeline: 7 }, refuses: false }],
  ])('%s: the backup is given up', async (_, { when, change, refuses }) => {
    const server = scriptedServer({ dataDirectory: data, inRecovery: true })
    server.before = (text) => {
      if (!when.test(text)) return
      Object.assign(server, change)
      if (refuses) throw new Fault('unavailable', 'SERVER_QUERY_FAILED', 'the standby was promoted during online backup')
    }
    const around = await surroundings(server, folder.path)
    await expect(pushBackup(request(data), around)).rejects.toMatchObject({ kind: 'conflict', code: 'BACKUP_TIMELINE_CHANGED' })
    await expectNothingLeft(around, server)
  })
})

describe('a server that ends another backup than was begun', () => {
  it('is not believed', async () => {
    const server = scriptedServer({ dataDirectory: data, labelLsn: 0x300_0028n })
    const around = await surroundings(server, folder.path)
    await expect(pushBackup(request(data), around)).rejects.toMatchObject({ kind: 'internal' })
    await expectNothingLeft(around, server)
  })
})

describe('a cancelled backup', () => {
  const forever = new Promise<never>(() => undefined)

  it.each([
    ['the first question', /search_path/],
    ['the slot', /replication_slot/],
    ['the start', /pg_backup_start/],
    ['the end', /pg_backup_stop/],
  ])('does not wait for a server that hangs: %s', async (_, pattern) => {
    const controller = new AbortController()
    const server = scriptedServer({ dataDirectory: data })
    server.before = (text) => {
      if (!pattern.test(text)) return undefined
      setImmediate(() => controller.abort(new Error('the process got SIGTERM')))
      return forever
    }
    const around = await surroundings(server, folder.path)
    await expect(pushBackup(request(data, { signal: controller.signal }), around)).rejects.toMatchObject({ kind: 'aborted' })
    await expectNothingLeft(around, server)
  })

  it('does not wait for a connection that hangs, and closes it should it open after all', async () => {
    const controller = new AbortController()
    let opened = false
    let closed = false
    let open!: () => void
    const around = await surroundings(
      {
        async connect() {
          await new Promise<void>((resolve) => (open = resolve))
          opened = true
          return { query: async () => [], onLost: () => undefined, close: async () => void (closed = true) }
        },
      },
      folder.path,
    )
    const backup = pushBackup(request(data, { signal: controller.signal }), around)
    controller.abort(new Error('SIGTERM'))
    await expect(backup).rejects.toMatchObject({ kind: 'aborted' })
    open?.()
    await new Promise((wake) => setTimeout(wake, 10))
    expect([opened, closed]).toEqual([true, true])
  })

  it('does not wait for a slow disk limit, nor for names that the server does not tell', async () => {
    const controller = new AbortController()
    const server = scriptedServer({ dataDirectory: data })
    server.before = (text) => (text.includes('pg_database') ? forever : undefined)
    const around = await surroundings(server, folder.path, {
      diskLimit: (_, signal) =>
        new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => reject(signal.reason as Error))
          setImmediate(() => controller.abort(new Error('SIGINT')))
        }),
    })
    // A storage that takes its time to notice: what else was going on has failed by then.
    const store = withPut(around.store, /part_/, ({ store: inner, key, body, options }) =>
      inner.put(key, body, options).catch(async (error: unknown) => {
        await new Promise((wake) => setTimeout(wake, 50))
        throw error
      }),
    )
    const backup = pushBackup(request(data, { signal: controller.signal, databaseNames: true }), { ...around, store })
    await expect(backup).rejects.toMatchObject({ kind: 'aborted' })
    await expectNothingLeft(around, server)
    await expect.poll(() => openDescriptors(/waltz-(?:push|spool)/)).toBe(0)
  })

  it('during the announcement no longer counts: the backup stands, and that is said', async () => {
    const controller = new AbortController()
    const server = scriptedServer({ dataDirectory: data })
    const around = await surroundings(server, folder.path)
    const store = withPut(around.store, /sentinel/, ({ store: inner, key, body, options }) => {
      controller.abort(new Error('SIGTERM'))
      return inner.put(key, body, options)
    })
    await expect(pushBackup(request(data, { signal: controller.signal }), { ...around, store })).resolves.toMatchObject({ name: NAME })
    await around.store.head(sentinelKey(NAME))
  })
})

describe('a session that is lost', () => {
  it('ends the backup with that as the reason', async () => {
    const server = scriptedServer({ dataDirectory: data })
    const around = await surroundings(server, folder.path, {
      diskLimit: async () => server.connections[0]?.lose(new Error('terminating connection due to administrator command')),
    })
    await expect(pushBackup(request(data), around)).rejects.toMatchObject({ kind: 'unavailable', code: 'SERVER_CONNECTION_LOST' })
    await expectNothingLeft(around, server)
  })

  it('does not matter once the server has ended the backup and the WAL is safe', async () => {
    const server = scriptedServer({ dataDirectory: data })
    const around = await surroundings(server, folder.path)
    const store = withPut(around.store, /\/metadata\.json$/, ({ store: inner, key, body, options }) => {
      expect(server.connections.every(({ closed }) => closed)).toBe(true)
      return inner.put(key, body, options)
    })
    await expect(pushBackup(request(data), { ...around, store })).resolves.toMatchObject({ name: NAME })
  })

  it('is noticed when the server does not answer at all', async () => {
    const time = fakeTime()
    const server = scriptedServer({ dataDirectory: data })
    server.before = (text) => (text === 'select 1' ? new Promise<never>(() => undefined) : undefined)
    const around = await surroundings(server, folder.path, {
      ...time,
      diskLimit: (_, signal) => new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error))),
    })
    await expect(pushBackup(request(data, { aliveCheckIntervalMs: 1000 }), around)).rejects.toMatchObject({
      code: 'SERVER_CONNECTION_LOST',
    })
    await expectNothingLeft(around, server)
  })
})

describe('storage that fails', () => {
  it.each([
    ['the sentinel', /sentinel/],
    ['the metadata', /\/metadata\.json$/],
    ['the file list', /files_metadata/],
    ['the manifest', /manifest/],
    ['pg_control', /pg_control\.tar/],
    ['the label', /backup_label\.tar/],
  ])('once before and once after it stored %s: the backup is made', async (_, key) => {
    const server = scriptedServer({ dataDirectory: data })
    const around = await surroundings(server, folder.path)
    const store = withPut(around.store, key, async ({ store: inner, key: at, body, options, nth }) => {
      if (nth === 1) throw unavailable()
      const info = await inner.put(at, body, options)
      if (nth === 2) throw unavailable()
      return info
    })
    await expect(pushBackup(request(data), { ...around, store })).resolves.toMatchObject({ name: NAME })
    expect(await keysOf(around.store, `basebackups_005/${NAME}/tar_partitions/`)).toHaveLength(3)
  })

  it('with the last answer about the sentinel lost, the backup stands', async () => {
    const server = scriptedServer({ dataDirectory: data })
    const around = await surroundings(server, folder.path)
    const store = withPut(around.store, /sentinel/, async ({ store: inner, key, body, options }) => {
      await inner.put(key, body, options)
      throw new Fault('unavailable', 'STORAGE_IO', 'no answer', { retryable: false })
    })
    await expect(pushBackup(request(data), { ...around, store })).resolves.toMatchObject({ name: NAME })
  })

  it('never to answer about the sentinel again: nothing is taken back, and that is said', async () => {
    const server = scriptedServer({ dataDirectory: data })
    const around = await surroundings(server, folder.path)
    const store = withPut(around.store, /sentinel/, async () => Promise.reject(unavailable()))
    await expect(pushBackup(request(data), { ...around, store })).rejects.toMatchObject({ code: 'STORAGE_IO' })
    expect(await keysOf(around.store, `basebackups_005/${NAME}/tar_partitions/`)).toHaveLength(3)
    expect(around.events).toContainEqual({ type: 'warning', message: expect.stringContaining('stays behind') as string })
  })

  it('in the middle of a part: the cause is told, nothing stays, no descriptor stays open', async () => {
    folder.plant('data/base/5/20000', Buffer.alloc(3_000_000, 1))
    const server = scriptedServer({ dataDirectory: data })
    const around = await surroundings(server, folder.path)
    const store = withPut(around.store, /part_/, async ({ body }) => {
      for await (const chunk of body)
        if (chunk.length > 0) throw new Fault('unavailable', 'STORAGE_FULL', 'the disk is full', { retryable: false })
      throw new Error('not reached')
    })
    await expect(pushBackup(request(data), { ...around, store })).rejects.toMatchObject({ code: 'STORAGE_FULL' })
    await expectNothingLeft(around, server)
    await expect.poll(() => openDescriptors(/waltz-(?:push|spool)/)).toBe(0)
  })

  it('in a folder that is sorted on disk: the walk is ended and its lists are closed', async () => {
    mkdirSync(join(data, 'many'))
    for (let index = 0; index < 66_000; index += 1) closeSync(openSync(join(data, `many/${index}`), 'w'))
    const server = scriptedServer({ dataDirectory: data })
    const around = await surroundings(server, folder.path)
    const store = withPut(around.store, /part_/, async ({ body }) => {
      let chunks = 0
      for await (const chunk of body)
        if ((chunks += chunk.length) > 1_000_000) throw new Fault('unavailable', 'STORAGE_FULL', 'the disk is full', { retryable: false })
      throw new Error('not reached')
    })
    await expect(pushBackup(request(data), { ...around, store })).rejects.toMatchObject({ code: 'STORAGE_FULL' })
    await expect.poll(() => openDescriptors(/waltz-(?:push|spool)/)).toBe(0)
  }, 30_000)

  it('with no room for lists: the backup ends cleanly', async () => {
    const server = scriptedServer({ dataDirectory: data })
    const around = await surroundings(server, join(folder.path, 'missing'))
    await expect(pushBackup(request(data, { databaseNames: true }), around)).rejects.toMatchObject({ code: 'SPOOL_FAILED' })
    await expectNothingLeft(around, server)
  })
})

describe('another process at work', () => {
  it('put a part under the name: it is not overwritten, and the backup is not announced', async () => {
    const server = scriptedServer({ dataDirectory: data })
    const around = await surroundings(server, folder.path)
    const store = withPut(around.store, /part_001/, async ({ store: inner, key, body, options }) => {
      await inner.put(
        key,
        (async function* () {
          yield Buffer.from('theirs')
        })(),
      )
      return inner.put(key, body, options)
    })
    await expect(pushBackup(request(data), { ...around, store })).rejects.toMatchObject({ kind: 'conflict', code: 'BACKUP_NAME_TAKEN' })
  })

  it.each([
    ['added a part', async (store: ObjectStore) => void (await store.put(partKey(NAME, 'part_077.tar'), one('x')))],
    ['removed a part', (store: ObjectStore) => store.delete([partKey(NAME, 'part_001.tar')])],
    ['changed a part', async (store: ObjectStore) => void (await store.put(partKey(NAME, 'part_001.tar'), one('x')))],
  ])('%s: what would be restored is not what was stored, so nothing is announced', async (_, meddle) => {
    const server = scriptedServer({ dataDirectory: data })
    const around = await surroundings(server, folder.path)
    const store = withPut(around.store, /manifest/, async ({ store: inner, key, body, options }) => {
      await meddle(inner)
      return inner.put(key, body, options)
    })
    await expect(pushBackup(request(data), { ...around, store })).rejects.toMatchObject({ kind: 'conflict', code: 'BACKUP_PARTS_CHANGED' })
    expect(await keysOf(around.store)).toEqual([])
  })

  it('took the lease over: this attempt announces nothing and removes nothing', async () => {
    const server = scriptedServer({ dataDirectory: data })
    const around = await surroundings(server, folder.path)
    const theirs = '{"version":1,"id":"theirs","host":"other","pid":1,"since":"2026-03-01T12:00:00Z","ttlMs":300000}'
    const store = withPut(around.store, /manifest/, async ({ store: inner, key, body, options }) => {
      await inner.put(leaseKey(NAME), one(theirs))
      return inner.put(key, body, options)
    })
    await expect(pushBackup(request(data), { ...around, store })).rejects.toMatchObject({ kind: 'conflict', code: 'LEASE_LOST' })
    expect(await keysOf(around.store, `basebackups_005/${NAME}/tar_partitions/`)).toHaveLength(3)
    expect((await collect(await around.store.get(leaseKey(NAME)))).toString()).toBe(theirs)
    expect(around.events).toContainEqual({ type: 'warning', message: expect.stringContaining('stays behind') as string })
  })

  it('took the lease over while the server hangs: nobody waits for it', async () => {
    const time = fakeTime()
    let wake!: () => void
    const renewal = new Promise<void>((resolve) => (wake = resolve))
    const sleep: PushSurroundings['sleep'] = (ms, signal) =>
      ms >= 60_000 ? Promise.race([renewal, time.sleep(ms, signal)]) : time.sleep(ms, signal)
    const server = scriptedServer({ dataDirectory: data })
    const around = await surroundings(server, folder.path, { now: time.now, sleep })
    server.before = async (text) => {
      if (!text.includes('pg_backup_stop')) return
      await around.store.put(
        leaseKey(NAME),
        one('{"version":1,"id":"theirs","host":"other","pid":1,"since":"2026-03-01T12:00:00Z","ttlMs":300000}'),
      )
      wake()
      await new Promise(() => undefined)
    }
    await expect(pushBackup(request(data), around)).rejects.toMatchObject({ kind: 'conflict', code: 'LEASE_LOST' })
    expect(await keysOf(around.store, `basebackups_005/${NAME}/tar_partitions/`)).toHaveLength(2)
  })

  it('announced a backup of the name: this attempt removes nothing', async () => {
    const server = scriptedServer({ dataDirectory: data })
    const around = await surroundings(server, folder.path)
    const store = withPut(around.store, /manifest/, async ({ store: inner, key, body, options }) => {
      await inner.put(sentinelKey(NAME), one('{}'))
      return inner.put(key, body, options)
    })
    await expect(pushBackup(request(data), { ...around, store })).rejects.toMatchObject({ kind: 'conflict', code: 'BACKUP_NAME_TAKEN' })
    expect(await keysOf(around.store, `basebackups_005/${NAME}/tar_partitions/`)).toHaveLength(3)
  })
})

describe('a store without conditional writes', () => {
  it('takes a backup all the same', async () => {
    const server = scriptedServer({ dataDirectory: data })
    const around = await surroundings(server, folder.path)
    const inner = createMemoryStore({ now: around.now })
    const store: ObjectStore = {
      ...inner,
      capabilities: { ...inner.capabilities, conditionalPut: false },
      put: (key, body, options) =>
        options?.onlyIfAbsent === true ? Promise.reject(new Error('not asked for')) : inner.put(key, body, options),
    }
    await expect(pushBackup(request(data), { ...around, store })).resolves.toMatchObject({ name: NAME })
  })
})

describe('a data directory that changes', () => {
  it('a file that vanishes before its turn is left out of part and list', async () => {
    folder.plant('data/base/5/30000', 'x')
    const server = scriptedServer({ dataDirectory: data })
    const around = await surroundings(server, folder.path)
    const observe: PushSurroundings['observe'] = (event) => event.type === 'part-started' && rmSync(join(data, 'base/5/30000'))
    await pushBackup(request(data), { ...around, observe })
    const list = (await collect(await around.store.get(`basebackups_005/${NAME}/files_metadata.json`))).toString()
    expect(list).toContain('/base/5/16384')
    expect(list).not.toContain('/base/5/30000')
  })
})

async function* one(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}
