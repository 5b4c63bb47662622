import { readAll } from '@waltz/bytes'
import { isFault } from '@waltz/errors'
import { leaseKey, metadataKey, sentinelKey } from '@waltz/repository'
import { parsePolicies } from '@waltz/retention-policy'
import { notFoundFault, type ObjectStore } from '@waltz/storage'
import { createMemoryStore } from '@waltz/storage/memory'
import { faultStore } from '@waltz/testkit'
import { beforeEach, describe, expect, it } from 'vitest'
import { applyRemovalWithParts } from '../src/removal/apply-removal.ts'
import type { RemovalStorage } from '../src/removal/removal-storage.ts'
import type { RemovalWish } from '../src/removal/removal-request.ts'
import { createWorld, goes, nameOf, partsFor, planOf, remove, type World } from './removal-world.ts'

let world: World
beforeEach(() => {
  world = createWorld()
})

const DAY_MS = 86_400_000
const policies = (text: string): RemovalWish => ({ mode: 'policies', policies: parsePolicies(text) })
const here = (...names: readonly string[]): readonly string[] => names.map((name) => `default/${name}`)
const codeOf = async (work: Promise<unknown>): Promise<string> =>
  await work.then(
    () => 'no fault',
    (error: unknown) => (isFault(error) ? error.code : String(error)),
  )

/** The same objects in another store, or under another name. */
async function copyOf(name: string, to: ObjectStore, rename: (key: string) => string = (key) => key): Promise<void> {
  for (const key of (await world.keys()).filter((one) => one.includes(name))) {
    await using body = await world.store.get(key)
    await world.put(rename(key), new TextDecoder().decode(await readAll(body, 100_000)), to)
  }
}

/** A store that lists an object and does not find it. */
const without = (key: string): readonly RemovalStorage[] => [
  {
    name: 'default',
    store: {
      ...world.store,
      get: async (asked, options) => {
        if (asked === key) throw notFoundFault(key, 'memory')
        return await world.store.get(asked, options)
      },
    },
  },
]

describe('policies', () => {
  it('leave alone what a running increment is made from, which only its name tells', async () => {
    const full = await world.backup({ at: 5 })
    const other = await world.backup({ at: 8 })
    await world.backup({ at: 10 })
    const running = await world.backup({ at: 12, parent: full, unfinished: true })
    await world.wal(4, 14)
    const plan = await planOf(world, policies('last=1'))
    expect(goes(plan)).toEqual(here(other))
    const kept = plan.decisions.find(({ entry }) => entry.name === full)
    expect(kept?.reasons.map(({ text }) => text)).toEqual([`kept by default/${running}, which may depend on it`])
  })

  it('count a backup once that lies in two storages', async () => {
    const other = createMemoryStore({ now: world.clock.now })
    const names: string[] = []
    for (const at of [5, 10, 15, 20]) names.push(await world.backup({ at }))
    for (const name of names) await copyOf(name, other)
    await world.wal(4, 22)
    const storages = [
      { name: 'default', store: world.store },
      { name: 'other', store: other },
    ]
    const plan = await planOf(world, policies('last=2'), { storages })
    expect(goes(plan).toSorted()).toEqual(['default', 'other'].flatMap((storage) => [`${storage}/${names[0]}`, `${storage}/${names[1]}`]))
  })

  it('neither count nor remove what has no name of a backup of PostgreSQL', async () => {
    const name = await world.backup({ at: 5 })
    await world.backup({ at: 10 })
    await copyOf(name, world.store, (key) => key.replace('base_0', 'kept_base_0'))
    await world.wal(4, 12)
    expect(goes(await planOf(world, policies('last=1')))).toEqual(here(name))
  })

  it('finish what an interrupted deletion began', async () => {
    const names = [await world.backup({ at: 5 }), await world.backup({ at: 10 }), await world.backup({ at: 15 })]
    await world.wal(4, 16)
    await world.put(leaseKey(names[0] ?? ''), 'left there by a writer without the right to delete')
    world.clock.advance(2 * DAY_MS)
    // After the lease, the note and the sentinels.
    const store = faultStore(world.store, { crashAtMutation: 5 })
    await codeOf(remove(world, policies('last=1'), { storages: [{ name: 'default', store }] }))
    const sentinels = (await world.keys()).filter((key) => key.includes('_sentinel'))
    expect(sentinels).toEqual([sentinelKey(names[2] ?? '')])
    world.clock.advance(120_000)
    await remove(world, policies('last=3'))
    expect((await world.keys()).filter((key) => key.startsWith('basebackups_005/') && !key.includes(names[2] ?? ''))).toEqual([])
  })
})

describe('a document that is listed and not found', () => {
  it('makes of a finished backup nothing that may go', async () => {
    const old = await world.backup({ at: 5 })
    await world.backup({ at: 10 })
    await world.wal(4, 12)
    world.clock.advance(3 * DAY_MS)
    const plan = await planOf(world, { mode: 'garbage' }, { storages: without(sentinelKey(old)) })
    expect(goes(plan)).toEqual([])
    expect(plan.sums.wal.objects).toBe(1)
  })

  it('makes no permanent backup one like others', async () => {
    const old = await world.backup({ at: 5, permanent: true })
    await world.backup({ at: 10 })
    await world.wal(4, 12)
    expect(goes(await planOf(world, { mode: 'retain', count: 1 }, { storages: without(metadataKey(old)) }))).toEqual([])
  })
})

describe('a mark to delete by', () => {
  it('is no empty text, as of a variable that is not set', async () => {
    await world.backup({ at: 10 })
    await world.wal(4, 12)
    expect(await codeOf(planOf(world, { mode: 'before', what: '' }))).toBe('BACKUP_NOT_FOUND')
    expect(await codeOf(planOf(world, { mode: 'retain', count: 5, after: '' }))).toBe('BACKUP_NOT_FOUND')
  })

  it.each(['a', 'z'])(
    'is the oldest backup of which any copy was stored at that time, whatever its storage is called: %s',
    async (called) => {
      const other = createMemoryStore({ now: world.clock.now })
      const names = [await world.backup({ at: 5 }), await world.backup({ at: 10 })]
      world.clock.advance(DAY_MS)
      const what = world.clock.now().toISOString()
      world.clock.advance(DAY_MS)
      await world.backup({ at: 15 })
      await copyOf(names[1] ?? '', other)
      await world.wal(4, 16)
      const storages = [
        { name: 'default', store: world.store },
        { name: called, store: other },
      ]
      expect(goes(await planOf(world, { mode: 'before', what }, { storages }))).toEqual(here(names[0] ?? ''))
    },
  )
})

describe('a clock that was wrong', () => {
  it('does not make old what is ahead of the others in the log', async () => {
    const old = await world.backup({ at: 5 })
    await world.backup({ at: 10 })
    const newest = await world.backup({ at: 15, startedAt: '1999-01-01T00:00:00Z' })
    await world.wal(4, 16)
    const plan = await planOf(world, { mode: 'retain', count: 1 })
    expect(goes(plan)).toEqual(here(old))
    expect(plan.notes.map(({ text }) => text).join()).toContain(`default/${newest} is left alone: it began before`)
  })
})

describe('an odd sentinel', () => {
  it('whose name comes to that of another backup does not stand for it', async () => {
    const old = await world.backup({ at: 5 })
    await world.backup({ at: 10 })
    await world.wal(4, 12)
    const odd = `basebackups_005/${old}_backup_tmp_backup_stop_sentinel.json`
    await world.put(odd, '{}')
    await remove(world, { mode: 'retain', count: 1 })
    expect((await world.keys()).filter((key) => key.includes(old))).toEqual([odd])
  })
})

describe('a plan', () => {
  it('stays the same when a backup is finished that was being written', async () => {
    const old = await world.backup({ at: 5 })
    await world.backup({ at: 10 })
    await world.backup({ at: 15, unfinished: true })
    await world.wal(4, 16)
    const plan = await planOf(world, { mode: 'retain', count: 1 })
    const fresh = await world.backup({ at: 15 })
    await remove(world, { mode: 'retain', count: 1 }, { planId: plan.id })
    const sentinels = (await world.keys()).filter((key) => key.includes('_sentinel'))
    expect(sentinels).toEqual([nameOf({ at: 10 }), fresh].map(sentinelKey))
    expect(sentinels).not.toContain(sentinelKey(old))
  })
})

describe('a deletion that is overtaken', () => {
  /** Carries out a deletion; something happens when its plan is made, before anything goes. */
  const removeDuring = (change: () => Promise<unknown>): Promise<string> =>
    codeOf(applyRemovalWithParts(partsFor(world), { wish: { mode: 'retain', count: 1 }, onPlan: async () => void (await change()) }))
  const permanent = '{"start_time":"2026-03-01T00:01:00Z","is_permanent":true,"system_identifier":7}'

  it.each<[string, (name: string) => Promise<unknown>]>([
    ['a mark', (name) => world.put(metadataKey(name), permanent)],
    ['an increment that is begun', (name) => world.backup({ at: 12, parent: name, unfinished: true })],
  ])('by %s deletes nothing', async (_, change) => {
    const old = await world.backup({ at: 5 })
    await world.backup({ at: 10 })
    await world.wal(4, 12)
    let before: readonly string[] = []
    const code = await removeDuring(async () => {
      await change(old)
      before = await world.keys()
    })
    expect(code).toBe('REMOVAL_OVERTAKEN')
    expect(await world.keys()).toEqual(before.filter((key) => !key.startsWith('waltz/')))
    expect((await remove(world, { mode: 'retain', count: 1 })).failed).toBe(0)
    expect(await world.keys()).toContain(sentinelKey(old))
  })

  it('by another attempt of the same name deletes nothing', async () => {
    const left = await world.backup({ at: 3, unfinished: true })
    world.clock.advance(2 * DAY_MS)
    await world.backup({ at: 5 })
    await world.backup({ at: 10 })
    await world.wal(3, 12)
    const lease = JSON.stringify({ version: 1, id: 'a', host: 'h', pid: 1, since: '2026-03-03T00:00:00Z', ttlMs: 60_000 })
    expect(await removeDuring(() => world.put(leaseKey(left), lease))).toBe('REMOVAL_OVERTAKEN')
    expect((await world.keys()).filter((key) => key.includes(left))).toHaveLength(5)
  })

  it('by nothing that matters goes on', async () => {
    const old = await world.backup({ at: 5 })
    const kept = await world.backup({ at: 10 })
    await world.wal(4, 12)
    expect(await removeDuring(() => world.backup({ at: 12, parent: kept, unfinished: true }))).toBe('no fault')
    expect((await world.keys()).filter((key) => key.includes(`/${old}`))).toEqual([])
  })
})

describe('an object that bears a time far in the future', () => {
  it('makes no backup old', async () => {
    for (const at of [5, 10, 15]) {
      await world.backup({ at })
      world.clock.advance(DAY_MS)
    }
    await world.wal(4, 16)
    world.clock.advance(3_650 * DAY_MS)
    await world.put('wal_005/000000010000000000000011.lz4', 'segment')
    world.clock.advance(-3_650 * DAY_MS)
    const plan = await planOf(world, policies('within=30d'))
    expect([goes(plan), plan.now.getFullYear()]).toEqual([[], 2026])
    expect(await codeOf(remove(world, policies('within=30d'), { planId: plan.id }))).toBe('no fault')
  })
})

describe('a clock that is ahead of the storage', () => {
  it('makes nothing old: only what is named goes', async () => {
    const old = await world.backup({ at: 5 })
    await world.backup({ at: 10 })
    await world.wal(4, 12)
    const before = await world.keys()
    const parts = partsFor(world)
    const surroundings = { ...parts.surroundings, now: () => new Date(world.clock.now().getTime() + 2 * 3_600_000) }
    const apply = (wish: RemovalWish): Promise<string> => codeOf(applyRemovalWithParts({ ...parts, surroundings }, { wish }))
    expect(await apply({ mode: 'retain', count: 1 })).toBe('REMOVAL_CLOCK_WRONG')
    expect(await world.keys()).toEqual(before)
    expect(await apply({ mode: 'target', name: old })).toBe('no fault')
    expect(await world.keys()).not.toContain(sentinelKey(old))
  })
})
