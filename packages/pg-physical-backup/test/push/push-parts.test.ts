import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Fault } from '@waltz/errors'
import type { ObjectStore } from '@waltz/storage'
import { createMemoryStore } from '@waltz/storage/memory'
import { readTar } from '@waltz/tar'
import type { ClusterEntry } from '../../src/push/cluster-entry.ts'
import { factsOfStat } from '../../src/push/entry-facts.ts'
import { createEntryQueue } from '../../src/push/entry-queue.ts'
import { pushParts, type LaneOptions, type PushedParts } from '../../src/push/push-parts.ts'
import { createSpool } from '../../src/push/spool.ts'
import { parseMember } from '../../src/push/stored-file.ts'
import { keysOf, openDescriptors, plainFormat, scratch } from './fakes.ts'

const PREFIX = 'basebackups_005/base_1/tar_partitions/'

let folder: ReturnType<typeof scratch>
beforeEach(() => (folder = scratch()))
afterEach(() => folder.dispose())

function files(count: number, size: number): ClusterEntry[] {
  return Array.from({ length: count }, (_, index) => ({
    kind: 'file',
    name: `/f${index}`,
    path: folder.plant(`f${index}`, Buffer.alloc(size, index)),
  }))
}

const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms))

interface Pushing extends Partial<Omit<LaneOptions, 'pack' | 'target'>> {
  readonly store?: ObjectStore
  readonly signal?: AbortSignal
  readonly thresholdBytes?: number
  readonly entries?: Iterator<ClusterEntry, void, undefined>
}

async function push(entries: ClusterEntry[], given: Pushing = {}): Promise<PushedParts & { store: ObjectStore }> {
  const {
    store = createMemoryStore({ now: () => new Date() }),
    signal = new AbortController().signal,
    thresholdBytes = 1000,
    ...rest
  } = given
  const pushed = await pushParts(createEntryQueue(given.entries ?? entries.values(), signal), {
    target: { store, format: await plainFormat(), backupName: 'base_1', signal },
    pack: { thresholdBytes, chunkBytes: 65_536, owners: { of: () => ({ userName: '', groupName: '' }) }, factsOf: factsOfStat },
    lanes: 1,
    uploadQueue: 2,
    spool: createSpool(folder.path),
    observe: () => undefined,
    ...rest,
  })
  return { ...pushed, store }
}

/** What the lists say: part to members. */
function listed({ lists }: PushedParts): Record<string, string[]> {
  const sets: Record<string, string[]> = {}
  for (const list of lists) {
    let current: string[] = []
    for (const text of list.texts()) {
      if (text.startsWith('P')) sets[text.slice(1)] = current = []
      else current.push(parseMember(text).name)
    }
    list.close()
  }
  return sets
}

async function stored(store: ObjectStore): Promise<Record<string, string[]>> {
  const sets: Record<string, string[]> = {}
  for (const key of await keysOf(store, PREFIX)) {
    const names: string[] = []
    for await (const { entry } of readTar(await store.get(key))) names.push(entry.name)
    sets[key.slice(PREFIX.length)] = names
  }
  return sets
}

describe('pushParts', () => {
  it.each([1, 2, 3, 4])('with %i lanes stores every entry once, lists it where it is, and makes no empty part', async (lanes) => {
    const pushed = await push(files(37, 300), { lanes })
    const sets = await stored(pushed.store)
    expect(listed(pushed)).toEqual(sets)
    expect(Object.values(sets).flat().sort()).toEqual(Array.from({ length: 37 }, (_, index) => `/f${index}`).sort())
    expect(Object.values(sets).every((names) => names.length > 0)).toBe(true)
    expect(pushed.parts.map(({ name }) => name)).toEqual(Object.keys(sets).sort())
    expect(pushed.files).toBe(37)
  })

  it('gives the first numbers to the lanes, whether they use them or not', async () => {
    const one = await push(files(1, 10), { lanes: 4 })
    expect(Object.keys(listed(one))).toEqual(['part_001.tar'])
    const many = await push(files(20, 600), { lanes: 2, thresholdBytes: 1000 })
    expect(many.parts.map(({ name }) => name).slice(0, 4)).toEqual(['part_001.tar', 'part_002.tar', 'part_003.tar', 'part_004.tar'])
    for (const list of many.lists) list.close()
  })

  it('packs on while parts are being made durable, but only so many of all lanes together', async () => {
    const inner = createMemoryStore({ now: () => new Date() })
    let durable = 0
    let most = 0
    const store: ObjectStore = {
      ...inner,
      async put(key, body, options) {
        const info = await inner.put(key, body, options)
        most = Math.max(most, (durable += 1))
        await pause(30)
        durable -= 1
        return info
      },
    }
    const pushed = await push(files(24, 1500), { lanes: 3, uploadQueue: 2, store })
    for (const list of pushed.lists) list.close()
    expect(pushed.parts).toHaveLength(24)
    // Two that wait in the queue, and one of each lane that has just been packed.
    expect(most).toBeGreaterThan(1)
    expect(most).toBeLessThanOrEqual(2 + 3)
  })

  it('reads no further ahead than a block of each lane', async () => {
    const inner = createMemoryStore({ now: () => new Date() })
    let pulled = 0
    let open!: () => void
    const gate = new Promise<void>((resolve) => (open = resolve))
    const store: ObjectStore = {
      ...inner,
      async put(key, body, options) {
        async function* slow(): AsyncGenerator<Uint8Array> {
          for await (const chunk of body) {
            pulled += chunk.length
            await gate
            yield chunk
          }
        }
        return inner.put(key, slow(), options)
      },
    }
    const pushing = push(files(8, 1_000_000), { lanes: 2, store, thresholdBytes: 2 ** 30 })
    await pause(50)
    expect(pulled).toBeLessThanOrEqual(2 * (await plainFormat()).chunkBytes)
    open()
    const pushed = await pushing
    for (const list of pushed.lists) list.close()
    expect(pulled).toBeGreaterThan(8_000_000)
  })

  it('stops all lanes at the first failure and tells that one', async () => {
    const inner = createMemoryStore({ now: () => new Date() })
    const full = new Fault('unavailable', 'STORAGE_FULL', 'the disk is full', { retryable: false })
    let begun = 0
    const store: ObjectStore = {
      ...inner,
      async put(key, body, options) {
        begun += 1
        if (key.endsWith('part_002.tar')) {
          await pause(5)
          throw full
        }
        async function* slow(): AsyncGenerator<Uint8Array> {
          for await (const chunk of body) {
            await pause(5)
            yield chunk
          }
        }
        return inner.put(key, slow(), options)
      },
    }
    await expect(push(files(200, 5000), { lanes: 4, store })).rejects.toBe(full)
    expect(begun).toBeLessThan(20)
    await expect.poll(() => openDescriptors(/waltz-(?:push|spool)/)).toBe(0)
  })

  it('tells at once of a part that fails after it was packed', async () => {
    const inner = createMemoryStore({ now: () => new Date() })
    let begun = 0
    const store: ObjectStore = {
      ...inner,
      async put(key, body, options) {
        begun += 1
        const info = await inner.put(key, body, options)
        if (key.endsWith('part_001.tar')) throw new Fault('denied', 'STORAGE_DENIED', 'no')
        await pause(10)
        return info
      },
    }
    await expect(push(files(500, 2000), { lanes: 1, uploadQueue: 100, store })).rejects.toMatchObject({ code: 'STORAGE_DENIED' })
    expect(begun).toBeLessThan(20)
  })

  it('tells every lane of a walk that failed', async () => {
    function* entries(): Generator<ClusterEntry, void, undefined> {
      yield* files(3, 2000)
      throw new Fault('denied', 'DATA_DIRECTORY_UNREADABLE', 'could not read base/5')
    }
    await expect(push([], { lanes: 3, entries: entries() })).rejects.toMatchObject({ code: 'DATA_DIRECTORY_UNREADABLE' })
  })

  it('ends with the reason of its own signal', async () => {
    const controller = new AbortController()
    const lost = new Fault('unavailable', 'SERVER_CONNECTION_LOST', 'gone')
    function* entries(): Generator<ClusterEntry, void, undefined> {
      yield* files(3, 2000)
      controller.abort(lost)
      yield* files(3, 2000)
    }
    await expect(push([], { lanes: 2, entries: entries(), signal: controller.signal })).rejects.toBe(lost)
  })

  it('closes the lists that it has when there is no room for the next', async () => {
    let opened = 0
    const spool = createSpool(folder.path)
    const scarce = {
      open() {
        if ((opened += 1) > 2) throw new Fault('unavailable', 'SPOOL_FAILED', 'too many open files')
        return spool.open()
      },
    }
    await expect(push(files(1, 1), { lanes: 4, spool: scarce })).rejects.toMatchObject({ code: 'SPOOL_FAILED' })
    expect(await openDescriptors(/waltz-spool/)).toBe(0)
  })

  it('leaves out what vanished without leaving a trace in the lists', async () => {
    const entries = [...files(2, 10), { kind: 'file', name: '/gone', path: join(folder.path, 'gone') } as const]
    expect(listed(await push(entries))).toEqual({ 'part_001.tar': ['/f0', '/f1'] })
  })
})
