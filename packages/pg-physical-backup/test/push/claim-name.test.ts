import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Fault } from '@waltz/errors'
import { backupFolder, leaseKey, sentinelKey } from '@waltz/repository'
import type { ObjectStore } from '@waltz/storage'
import { createMemoryStore } from '@waltz/storage/memory'
import { claimName } from '../../src/push/claim-name.ts'
import type { PushSurroundings } from '../../src/index.ts'
import { collect, fakeTime, keysOf, scratch, surroundings } from './fakes.ts'

const NAME = 'base_000000010000000000000002'
const FOLDER = backupFolder(NAME)
const signal = new AbortController().signal

let folder: ReturnType<typeof scratch>
beforeEach(() => (folder = scratch()))
afterEach(() => folder.dispose())

async function* text(content: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(content)
}

async function around(given: Partial<PushSurroundings> = {}): Promise<PushSurroundings> {
  return surroundings({ connect: async () => Promise.reject(new Error('not needed')) }, folder.path, given)
}

describe('claimName', () => {
  it('refuses the name of a finished backup before it writes anything', async () => {
    const parts = await around()
    await parts.store.put(sentinelKey(NAME), text('{}'))
    await parts.store.put(`${FOLDER}tar_partitions/part_001.tar`, text('theirs'))
    await expect(claimName(NAME, parts, signal)).rejects.toMatchObject({ kind: 'conflict', code: 'BACKUP_NAME_TAKEN' })
    expect(await keysOf(parts.store)).toEqual([`${FOLDER}tar_partitions/part_001.tar`, sentinelKey(NAME)])
  })

  it('refuses a name that is being worked on, and touches nothing of it', async () => {
    const parts = await around()
    await using claim = await claimName(NAME, parts, signal)
    await parts.store.put(`${FOLDER}tar_partitions/part_001.tar`, text('theirs'))
    const lease = await collect(await parts.store.get(leaseKey(NAME)))
    await expect(claimName(NAME, { ...parts, randomHex: () => 'ffffffff' }, signal)).rejects.toMatchObject({
      kind: 'conflict',
      code: 'LEASE_HELD',
    })
    expect(await keysOf(parts.store)).toEqual([`${FOLDER}tar_partitions/part_001.tar`, leaseKey(NAME)])
    expect((await collect(await parts.store.get(leaseKey(NAME)))).equals(lease)).toBe(true)
    expect(claim.lost.aborted).toBe(false)
  })

  it('takes over from a dead attempt and removes what it left', async () => {
    const time = fakeTime()
    const store = createMemoryStore({ now: time.now })
    const dead = await around({ ...time, store })
    await claimName(NAME, dead, signal)
    for (let part = 0; part < 1200; part += 1) await store.put(`${FOLDER}tar_partitions/part_${part}.tar`, text('old'))
    await store.put(`${FOLDER}metadata.json`, text('old'))
    for (let seconds = 0; seconds < 301; seconds += 1) await time.sleep(1000)
    {
      await using claim = await claimName(NAME, { ...dead, randomHex: () => 'ffffffff' }, signal)
      expect(await keysOf(store)).toEqual([leaseKey(NAME)])
      expect(claim.lost.aborted).toBe(false)
    }
    expect(await keysOf(store)).toEqual([])
  })

  it('removes leftovers that nobody has a lease for', async () => {
    const parts = await around()
    await parts.store.put(`${FOLDER}tar_partitions/part_001.tar`, text('old'))
    await using claim = await claimName(NAME, parts, signal)
    expect(await keysOf(parts.store)).toEqual([leaseKey(NAME)])
    await claim.confirm()
  })

  it('discards its own and nothing outside of its folder', async () => {
    const parts = await around()
    {
      await using claim = await claimName(NAME, parts, signal)
      await parts.store.put(`${FOLDER}tar_partitions/part_001.tar`, text('mine'))
      await parts.store.put(`${FOLDER.slice(0, -1)}0/part`, text('another backup whose name begins like this one'))
      await claim.discard()
      expect(await keysOf(parts.store)).toEqual([leaseKey(NAME), `${FOLDER.slice(0, -1)}0/part`])
    }
    expect(await keysOf(parts.store)).toEqual([`${FOLDER.slice(0, -1)}0/part`])
  })

  it.each([
    [
      'another holder has the lease',
      async (store: ObjectStore) =>
        void (await store.put(leaseKey(NAME), text('{"version":1,"id":"x","host":"h","pid":1,"since":"","ttlMs":1000}'))),
    ],
    ['the lease is gone', (store: ObjectStore) => store.delete([leaseKey(NAME)])],
    ['the name is a finished backup’s by now', async (store: ObjectStore) => void (await store.put(sentinelKey(NAME), text('{}')))],
  ])('discards nothing when %s', async (_, happen) => {
    const parts = await around()
    const claim = await claimName(NAME, parts, signal)
    await parts.store.put(`${FOLDER}tar_partitions/part_001.tar`, text('whose?'))
    await happen(parts.store)
    await expect(claim.discard()).rejects.toMatchObject({ kind: 'conflict' })
    await parts.store.head(`${FOLDER}tar_partitions/part_001.tar`)
    await claim[Symbol.asyncDispose]()
  })

  it('leaves no lease behind when the answer to taking it was lost', async () => {
    const store = createMemoryStore({ now: () => new Date('2026-01-01') })
    let lost = false
    const deaf: ObjectStore = {
      ...store,
      async put(key, body, options) {
        const info = await store.put(key, body, options)
        if (key !== leaseKey(NAME) || lost) return info
        lost = true
        throw new Fault('unavailable', 'STORAGE_IO', 'no answer')
      },
    }
    await expect(claimName(NAME, await around({ store: deaf }), signal)).rejects.toMatchObject({ code: 'STORAGE_IO' })
    expect(await keysOf(store)).toEqual([])
  })
})
