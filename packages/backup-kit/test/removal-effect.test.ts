import { Fault, isFault } from '@waltz/errors'
import { isRemovalIntentKey } from '@waltz/repository/removal'
import { retentionFault, type ObjectInfo, type ObjectStore } from '@waltz/storage'
import { createMemoryStore } from '@waltz/storage/memory'
import { faultStore } from '@waltz/testkit'
import { describe, expect, it } from 'vitest'
import type { RemovalWish } from '../src/removal/removal-request.ts'
import { createWorld, goes, nameOf, planOf, remove, segment, type World } from './removal-world.ts'

const faultOf = async (work: Promise<unknown>): Promise<Fault> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!isFault(error)) throw new Error(`no fault: ${String(error)}`)
  return error
}
/** Longer than a lease of a deletion lives. */
const AFTER_LEASE_MS = 120_000

/** Chains at 10, 20 and 30, the first one permanent, a failed attempt, and WAL. */
async function repository(): Promise<World> {
  const world = createWorld()
  await world.backup({ at: 4, permanent: true })
  await world.backup({ at: 6, unfinished: true })
  world.clock.advance(2 * 86_400_000)
  for (const at of [10, 20, 30]) {
    const full = await world.backup({ at })
    const increment = await world.backup({ at: at + 2, parent: full })
    await world.backup({ at: at + 4, parent: increment, full })
  }
  await world.wal(2, 36)
  await world.put('wal_005/notes.txt', 'foreign')
  return world
}

const WISHES: readonly RemovalWish[] = [
  { mode: 'retain', count: 1, fulls: 'FULL' },
  { mode: 'before', what: nameOf({ at: 20 }) },
  { mode: 'target', name: nameOf({ at: 20 }) },
  { mode: 'garbage' },
  { mode: 'everything', force: true },
]
const through = (store: ObjectStore): { readonly storages: readonly { readonly name: string; readonly store: ObjectStore }[] } => ({
  storages: [{ name: 'default', store }],
})

/** Everything that a backup with a sentinel needs is there: its data, its ancestors, its own WAL. */
async function checkWhole(keys: readonly string[], store: ObjectStore): Promise<void> {
  const there = new Set(keys)
  for (const key of keys) {
    const name = /^basebackups_005\/(.*)_backup_stop_sentinel\.json$/.exec(key)?.[1]
    if (name === undefined) continue
    for (const object of ['metadata.json', 'files_metadata.json', 'tar_partitions/part_001.tar.lz4', 'tar_partitions/pg_control.tar.lz4'])
      expect(there).toContain(`basebackups_005/${name}/${object}`)
    expect(there).toContain(`wal_005/${name.slice(5, 29)}.lz4`)
    await using body = await store.get(key)
    const chunks: Uint8Array[] = []
    for await (const chunk of body) chunks.push(chunk)
    const { DeltaFrom } = JSON.parse(Buffer.concat(chunks).toString()) as { readonly DeltaFrom?: string }
    if (DeltaFrom !== undefined) expect(there).toContain(`basebackups_005/${DeltaFrom}_backup_stop_sentinel.json`)
  }
}

describe('the order of a deletion', () => {
  it('is: a note, sentinels from the ends of chains, data, WAL, the note again', async () => {
    const world = await repository()
    const store = faultStore(world.store)
    await remove(world, { mode: 'before', what: nameOf({ at: 30 }) }, through(store))
    const steps = store.mutations.map(({ operation, key }) => {
      if (isRemovalIntentKey(key)) return `${operation} note`
      if (key.endsWith('lease.json')) return `${operation} lease`
      if (key.includes('_sentinel')) return 'sentinel'
      return key.startsWith('wal_005/') ? 'wal' : 'data'
    })
    expect(steps.filter((step, index) => step !== steps[index - 1])).toEqual([
      'put lease',
      'put note',
      'sentinel',
      'data',
      'wal',
      'delete note',
      'delete lease',
    ])
    const sentinels = store.mutations.flatMap(({ key }) => /(base_.*)_backup_stop/.exec(key)?.[1] ?? [])
    const position = (name: string): number => sentinels.indexOf(name)
    for (const at of [10, 20]) {
      const full = nameOf({ at })
      const increment = nameOf({ at: at + 2, parent: full })
      expect(position(nameOf({ at: at + 4, parent: increment }))).toBeLessThan(position(increment))
      expect(position(increment)).toBeLessThan(position(full))
    }
  })
})

/** As small as it can be with everything in it: each object more is two runs more. */
async function smallRepository(): Promise<World> {
  const world = createWorld()
  await world.backup({ at: 4, permanent: true })
  await world.backup({ at: 6, unfinished: true })
  world.clock.advance(2 * 86_400_000)
  for (const at of [10, 20]) {
    const full = await world.backup({ at })
    await world.backup({ at: at + 1, parent: full })
  }
  for (const at of [3, 4, 10, 11, 20, 21]) await world.wal(at, at)
  return world
}
const SMALL_WISHES: readonly RemovalWish[] = [
  { mode: 'retain', count: 1, fulls: 'FULL' },
  { mode: 'target', name: nameOf({ at: 10 }) },
  { mode: 'garbage' },
  { mode: 'everything', force: true },
]

describe('a deletion that is interrupted', () => {
  it.each(SMALL_WISHES.map((wish) => [wish.mode, wish] as const))(
    '%s: at any moment all that is left is whole, and the next run finishes it',
    async (_, wish) => {
      const whole = await smallRepository()
      const counting = faultStore(whole.store)
      await remove(whole, wish, through(counting))
      const finished = await whole.keys()
      const mutations = counting.mutations.length
      expect(mutations).toBeGreaterThan(5)
      for (let at = 1; at <= mutations; at += 1)
        for (const crashMoment of ['before', 'after'] as const) {
          const world = await smallRepository()
          const store = faultStore(world.store, { crashAtMutation: at, crashMoment })
          // Single refusals are in the result; a store that is dead ends a run at its next call.
          const result = await remove(world, wish, through(store)).catch(() => undefined)
          expect(store.crashed()).toBe(true)
          // The last change is the end of the lease: a run that cannot make it has done all its work.
          expect(at === mutations || result === undefined || result.failed > 0).toBe(true)
          await checkWhole(await world.keys(), world.store)
          world.clock.advance(AFTER_LEASE_MS)
          // Not the same command: whatever deletes next finishes what was begun. It has nothing to do of its own.
          await remove(world, wish.mode === 'everything' ? wish : { mode: 'retain', count: 99 })
          const keys = await world.keys()
          await checkWhole(keys, world.store)
          const began = sentinelsGone(await smallRepository().then((fresh) => fresh.keys()), keys)
          if (began.length > 0 || wish.mode === 'garbage') {
            for (const name of began) expect(keys.filter((key) => key.startsWith('base') && key.includes(`${name}/`))).toEqual([])
          }
          expect(keys.filter((key) => key.startsWith('waltz/'))).toEqual([])
          // And the same command again comes to what it would have come to.
          if (!(await isSettled(world, wish))) await remove(world, wish)
          expect(await world.keys()).toEqual(finished)
        }
    },
    60_000,
  )
})

function sentinelsGone(before: readonly string[], after: readonly string[]): readonly string[] {
  const left = new Set(after)
  return before
    .filter((key) => key.includes('_sentinel') && !left.has(key))
    .map((key) => key.slice('basebackups_005/'.length).replace(/_backup_stop.*/, ''))
}

/** The backup that a command named is gone already. */
async function isSettled(world: World, wish: RemovalWish): Promise<boolean> {
  return wish.mode === 'target' && !(await world.keys()).some((key) => key.endsWith(`${wish.name}_backup_stop_sentinel.json`))
}

describe('two deletions at once', () => {
  it('do not mix: one waits for nobody, the other is told who is at work', async () => {
    const world = await repository()
    const outcomes = await Promise.allSettled([
      remove(world, { mode: 'retain', count: 1, fulls: 'FULL' }),
      remove(world, { mode: 'everything', force: true }),
    ])
    const failed = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as Fault] : []))
    expect(failed.map(({ code }) => code)).toEqual(['LEASE_HELD'])
    await checkWhole(await world.keys(), world.store)
  })
})

describe('a listing that fails', () => {
  const failing = (store: ObjectStore, prefix: string, after: number): ObjectStore => ({
    ...store,
    async *list(at, options): AsyncGenerator<ObjectInfo> {
      let count = 0
      for await (const info of store.list(at, options)) {
        if (at.startsWith(prefix) && count >= after) throw new Fault('unavailable', 'STORAGE_SERVER_FAILED', `listing ${at} failed`)
        count += 1
        yield info
      }
    },
  })
  it.each([
    ['basebackups_005/', 0],
    ['basebackups_005/', 7],
    ['wal_005/', 0],
    ['wal_005/', 30],
  ])('of %s after %i objects: nothing is deleted', async (prefix, after) => {
    for (const wish of WISHES) {
      const world = await repository()
      const before = await world.keys()
      const fault = await faultOf(remove(world, wish, through(failing(world.store, prefix, after))))
      expect(fault.kind).toBe('unavailable')
      expect(await world.keys()).toEqual(before)
    }
  })

  it('in one of several storages: nothing is deleted in any', async () => {
    const world = await repository()
    const before = await world.keys()
    const storages = [
      { name: 'default', store: world.store },
      { name: 'b', store: failing(createMemoryStore({ now: world.clock.now }), '', 0) },
    ]
    await (storages[1] as { store: ObjectStore }).store.put('basebackups_005/x', (async function* () {})())
    const fault = await faultOf(remove(world, { mode: 'retain', count: 1, fulls: 'FULL' }, { storages }))
    expect([fault.code, fault.message]).toEqual(['STORAGE_PARTLY_UNAVAILABLE', expect.stringContaining('storage b could not be listed')])
    expect(await world.keys()).toEqual(before)
  })
})

describe('what cannot be removed', () => {
  const refusing = (store: ObjectStore, refused: RegExp, fault: (key: string) => Fault): ObjectStore => ({
    ...store,
    async delete(keys, options) {
      const all = [...keys]
      await store.delete(
        all.filter((key) => !refused.test(key)),
        options,
      )
      const bad = all.find((key) => refused.test(key))
      if (bad !== undefined) throw fault(bad)
    },
  })
  const until = new Date('2027-05-01T00:00:00Z')
  const locked = (key: string): Fault => retentionFault({ doing: `deleting ${key}`, location: 'memory' }, { until })

  it('because it is locked is reported with its end; the chain and all WAL stay, the rest goes', async () => {
    const world = await repository()
    const [full, other] = [nameOf({ at: 10 }), nameOf({ at: 20 })]
    const increment = nameOf({ at: 12, parent: full })
    const store = refusing(world.store, new RegExp(`${increment}_backup_stop`), locked)
    const result = await remove(world, { mode: 'before', what: nameOf({ at: 30 }) }, through(store))
    expect(result.failures.map(({ key, storage }) => [storage, key])).toEqual([
      ['default', `basebackups_005/${increment}_backup_stop_sentinel.json`],
    ])
    expect(result.failures[0]?.fault.message).toContain('2027-05-01T00:00:00.000Z')
    const keys = await world.keys()
    await checkWhole(keys, world.store)
    expect(keys.filter((key) => key.startsWith(`basebackups_005/${other}`))).toEqual([])
    expect(keys.filter((key) => key.startsWith(`basebackups_005/${full}`) || key.startsWith(`basebackups_005/${increment}/`))).toHaveLength(
      9,
    )
    expect(keys.filter((key) => key.startsWith('wal_005/0'))).toHaveLength(35)
    expect(result.notTried).toBe(1 + 4 + 4 + 27)
    // The lock ends, and the next deletion takes the rest.
    world.clock.advance(AFTER_LEASE_MS)
    await remove(world, { mode: 'before', what: nameOf({ at: 30 }) })
    const left = await world.keys()
    expect(left.filter((key) => key.startsWith('waltz/') || key.includes(full.slice(5)))).toEqual([])
  })

  it('for want of rights is reported object by object, and nothing is lost', async () => {
    const world = await repository()
    const before = await world.keys()
    const store = refusing(world.store, /^(?!waltz)/, (key) => new Fault('denied', 'STORAGE_ACCESS_DENIED', `deleting ${key} was refused`))
    const result = await remove(world, { mode: 'before', what: nameOf({ at: 20 }) }, through(store))
    expect(result.removed.objects).toBe(0)
    // The end of the chain was refused, so what it needs was not tried.
    expect(result.failures[0]?.key).toContain(nameOf({ at: 14, parent: nameOf({ at: 12, parent: nameOf({ at: 10 }) }) }))
    expect((await world.keys()).filter((key) => !key.startsWith('waltz/'))).toEqual(before)
  })
})

describe('a plan that is confirmed', () => {
  const wish: RemovalWish = { mode: 'retain', count: 1, fulls: 'FULL' }

  it('is carried out as it was seen, although WAL and a backup arrived since', async () => {
    const world = await repository()
    const plan = await planOf(world, wish)
    world.clock.advance(60_000)
    await world.wal(37, 40)
    const fresh = await world.backup({ at: 40 })
    const result = await remove(world, wish, { planId: plan.id })
    expect(result.removed.objects).toBe(Object.values(plan.sums).reduce((sum, { objects }) => sum + objects, 0))
    const keys = await world.keys()
    expect(keys.filter((key) => key.includes('_sentinel'))).toHaveLength(1 + 3 + 1)
    expect(keys.some((key) => key.includes(fresh))).toBe(true)
    expect(goes(plan)).toHaveLength(7)
  })

  it.each<[string, (world: World) => Promise<unknown>]>([
    [
      'a backup was marked as permanent',
      async (world) => {
        const key = `basebackups_005/${nameOf({ at: 10 })}/metadata.json`
        await world.put(
          key,
          '{"start_time":"2026-03-03T00:01:00Z","start_lsn":10485800,"finish_lsn":10486060,"is_permanent":true,"system_identifier":7}',
        )
      },
    ],
    ['an object that goes was replaced', (world) => world.put(`wal_005/${segment(12)}.lz4`, 'another')],
    ['an object that goes is gone', (world) => world.store.delete([`wal_005/${segment(12)}.lz4`])],
    ['a backup that stays is gone', (world) => world.store.delete([`basebackups_005/${nameOf({ at: 30 })}_backup_stop_sentinel.json`])],
    ['an increment of what goes arrived', (world) => world.backup({ at: 24, parent: nameOf({ at: 20 }) })],
  ])('is refused when %s', async (_, change) => {
    const world = await repository()
    const plan = await planOf(world, wish)
    world.clock.advance(60_000)
    await change(world)
    const before = await world.keys()
    const fault = await faultOf(remove(world, wish, { planId: plan.id }))
    expect(fault.code).toBe('PLAN_CHANGED')
    expect(await world.keys()).toEqual(before)
  })

  it('has the identifier of what it does, for the same moment', async () => {
    const world = await repository()
    const [one, two] = [await planOf(world, wish), await planOf(world, wish)]
    expect(one.id).toBe(two.id)
    expect(one.id).toMatch(/^\d{8}T\d{9}Z-[0-9a-f]{16}$/)
    expect((await planOf(world, { mode: 'retain', count: 2, fulls: 'FULL' })).id).not.toBe(one.id)
    expect((await faultOf(planOf(world, wish, { planId: 'abc' }))).code).toBe('PLAN_ID_INVALID')
  })
})

describe('the requests of a plan', () => {
  it('are one listing of each folder and two small objects for each backup', async () => {
    const world = await repository()
    const store = faultStore(world.store)
    await planOf(world, { mode: 'retain', count: 1, fulls: 'FULL' }, through(store))
    expect(store.calls).toEqual({ head: 0, get: 10 * 2, put: 0, delete: 0, list: 4, listGroups: 0, copy: 0 })
  })
})
