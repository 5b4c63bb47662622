import { isFault } from '@waltz/errors'
import { createMemoryStore } from '@waltz/storage/memory'
import { beforeEach, describe, expect, it } from 'vitest'
import { createWorld, goes, nameOf, planOf, remove, segment, type World } from './removal-world.ts'

let world: World
beforeEach(() => {
  world = createWorld()
})

const walLeft = async (of: World = world): Promise<readonly string[]> =>
  (await of.keys()).filter((key) => key.startsWith('wal_005/')).map((key) => key.slice('wal_005/'.length, 'wal_005/'.length + 24))
const codeOf = async (work: Promise<unknown>): Promise<string> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  return isFault(error) ? error.code : `no fault: ${String(error)}`
}
const DAY_MS = 86_400_000

/** Fulls at 10, 20, 30, an increment of each two segments on, and all WAL from 8 on. */
async function threeChains(permanent: readonly number[] = []): Promise<readonly string[]> {
  const names: string[] = []
  for (const at of [10, 20, 30]) {
    const full = await world.backup({ at, permanent: permanent.includes(at) })
    names.push(full, await world.backup({ at: at + 2, parent: full }))
  }
  await world.wal(8, 34)
  return names
}

describe('retain and before', () => {
  it('remove what is older, and the WAL before', async () => {
    const [, , full20 = ''] = await threeChains()
    await remove(world, { mode: 'before', what: full20 })
    const keys = await world.keys()
    expect(keys.filter((key) => key.includes('_sentinel'))).toHaveLength(4)
    expect(keys.some((key) => key.includes(nameOf({ at: 10 })))).toBe(false)
    expect(await walLeft()).toEqual(Array.from({ length: 15 }, (_, index) => segment(20 + index)))
  })

  it('keep of a permanent backup the WAL between its start and its finish, found without any setting', async () => {
    await world.backup({ at: 10, to: 12, permanent: true })
    await world.backup({ at: 20 })
    await world.wal(8, 22)
    await remove(world, { mode: 'retain', count: 1 })
    expect(await walLeft()).toEqual([10, 11, 12, 20, 21, 22].map((number) => segment(number)))
  })

  it('keep what a permanent increment depends on', async () => {
    const full = await world.backup({ at: 10 })
    const increment = await world.backup({ at: 12, parent: full, permanent: true })
    await world.backup({ at: 20 })
    await world.wal(8, 22)
    expect(goes(await planOf(world, { mode: 'retain', count: 1 }))).toEqual([])
    await remove(world, { mode: 'retain', count: 1 })
    expect((await world.keys()).filter((key) => key.includes(full) || key.includes(increment))).toHaveLength(10)
  })

  it('keep the newest backup that can be restored, when those that were to stay cannot', async () => {
    const sound = await world.backup({ at: 10 })
    await world.wal(8, 12)
    const without = await world.backup({ at: 20 })
    const plan = await planOf(world, { mode: 'before', what: without })
    expect(goes(plan)).toEqual([])
    expect(plan.decisions.find(({ entry }) => entry.name === sound)?.reasons.map(({ kind }) => kind)).toEqual(['newest'])
  })

  it('order by the real start: after pg_upgrade the new cluster begins at timeline 1 again', async () => {
    const old = [await world.backup({ at: 40, timeline: 3, system: 1n }), await world.backup({ at: 42, timeline: 3, system: 1n })]
    const fresh = [await world.backup({ at: 50, system: 2n }), await world.backup({ at: 52, system: 2n })]
    await world.wal(50, 53)
    const plan = await planOf(world, { mode: 'retain', count: 2 })
    expect(goes(plan)).toEqual(old.toReversed().map((name) => `default/${name}`))
    expect(plan.decisions.filter(({ keep }) => keep).map(({ entry }) => entry.name)).toEqual(fresh.toReversed())
  })

  it('leave another cluster alone that is backed up side by side', async () => {
    const own = [await world.backup({ at: 10, system: 1n })]
    const other = await world.backup({ at: 11, system: 2n })
    own.push(await world.backup({ at: 12, system: 1n }))
    await world.backup({ at: 13, system: 2n })
    own.push(await world.backup({ at: 14, system: 1n }))
    const plan = await planOf(world, { mode: 'retain', count: 1 })
    expect(goes(plan)).toEqual([own[1], own[0]].map((name) => `default/${name}`))
    expect(plan.notes.map(({ text }) => text).join()).toContain(`default/${other} is left alone: it is of another system identifier`)
  })

  it('never remove by a time what says nothing of when it began', async () => {
    const name = nameOf({ at: 5 })
    await world.put(`basebackups_005/${name}/tar_partitions/part_001.tar.lz4`, 'x')
    await world.put(`basebackups_005/${name}_backup_stop_sentinel.json`, JSON.stringify({ LSN: 5 * 1_048_576 + 40, Version: 2 }))
    await world.backup({ at: 10 })
    const target = await world.backup({ at: 20 })
    await world.wal(4, 22)
    const time = world.clock.now().toISOString()
    expect(goes(await planOf(world, { mode: 'before', what: time }))).toEqual([`default/${nameOf({ at: 10 })}`])
    expect(goes(await planOf(world, { mode: 'before', what: target }))).toEqual([nameOf({ at: 10 }), name].map((one) => `default/${one}`))
  })

  it('do not count what cannot be restored, or has not begun', async () => {
    const sound = [await world.backup({ at: 10 }), await world.backup({ at: 20 })]
    await world.backup({ at: 22, parent: nameOf({ at: 21 }) })
    await world.backup({ at: 30, startedAt: '2030-01-01T00:00:00Z' })
    expect(goes(await planOf(world, { mode: 'retain', count: 1 }))).toEqual([`default/${sound[0]}`])
    expect(goes(await planOf(world, { mode: 'retain', count: 2 }))).toEqual([])
  })

  it('refuse an increment, an ambiguous name, an unknown name, and times that are none', async () => {
    await threeChains()
    expect(await codeOf(planOf(world, { mode: 'retain', count: 1 }))).toBe('REMOVAL_TARGET_INCREMENTAL')
    expect(await codeOf(planOf(world, { mode: 'before', what: 'base_00000001' }))).toBe('BACKUP_AMBIGUOUS')
    expect(await codeOf(planOf(world, { mode: 'before', what: 'base_X' }))).toBe('BACKUP_NOT_FOUND')
    expect(await codeOf(planOf(world, { mode: 'retain', count: 1, after: 'base_X' }))).toBe('BACKUP_NOT_FOUND')
    expect(await codeOf(planOf(world, { mode: 'before', what: '2026-03-01T00:00:00' }))).toBe('REMOVAL_TIME_INVALID')
    expect(await codeOf(planOf(world, { mode: 'before', what: '2099-01-01T00:00:00Z' }))).toBe('REMOVAL_TIME_INVALID')
  })

  it('keep block maps and metadata of sixteen segments as long as one of those is kept', async () => {
    await world.backup({ at: 10 })
    const target = await world.backup({ at: 40 })
    await world.wal(8, 42)
    for (const group of [16, 32]) {
      await world.put(`wal_005/${segment(group)}_delta.lz4`, 'map')
      await world.put(`wal_005/${segment(group).slice(0, 23)}.json`, '{}')
    }
    await world.put(`wal_005/${segment(20)}.json`, '{}')
    await world.put(`wal_005/${segment(20)}.partial.lz4`, 'x')
    await remove(world, { mode: 'before', what: target })
    const left = (await world.keys()).filter((key) => key.startsWith('wal_005/') && !/[0-9A-F]{24}\.lz4$/.test(key))
    expect(left).toEqual([`wal_005/${segment(32).slice(0, 23)}.json`, `wal_005/${segment(32)}_delta.lz4`])
  })

  it('keep on every timeline what can still be reached', async () => {
    const first = await world.backup({ at: 10 })
    await world.wal(8, 30)
    // Timeline 2 left the first at segment 15, timeline 3 left that at 25; a backup of each.
    await world.put('wal_005/00000002.history', '1\t0/F00000\tno recovery target specified\n')
    await world.wal(15, 30, { timeline: 2 })
    const second = await world.backup({ at: 20, timeline: 2 })
    await world.put('wal_005/00000003.history', '1\t0/F00000\tx\n2\t0/1900000\tx\n')
    await world.wal(25, 30, { timeline: 3 })
    await remove(world, { mode: 'retain', count: 1 })
    const keys = await world.keys()
    expect(keys.some((key) => key.includes(first))).toBe(false)
    expect(keys.some((key) => key.includes(second))).toBe(true)
    const wal = await walLeft()
    expect(wal.filter((name) => name.startsWith('00000001'))).toEqual([])
    expect(wal.filter((name) => name.startsWith('00000002')).filter((name) => name.length === 24)).toEqual(
      Array.from({ length: 11 }, (_, index) => segment(20 + index, 2)),
    )
    expect(wal.filter((name) => /^00000003[0-9A-F]{16}$/.test(name))).toHaveLength(6)
    expect(keys.filter((key) => key.endsWith('.history'))).toHaveLength(2)
  })
})

describe('what somebody may be working on', () => {
  it('is left alone for a day, with its WAL and all that it may be made from', async () => {
    const full = await world.backup({ at: 10 })
    await world.backup({ at: 20 })
    const running = await world.backup({ at: 15, parent: full, unfinished: true })
    await world.wal(8, 22)
    const plan = await planOf(world, { mode: 'retain', count: 1 })
    expect(goes(plan)).toEqual([])
    expect(plan.notes.map(({ text }) => text).join()).toContain(`default/${full} is left alone: default/${running} may depend on it`)
    await remove(world, { mode: 'retain', count: 1 })
    expect((await walLeft())[0]).toBe(segment(10))
    expect(await codeOf(planOf(world, { mode: 'target', name: full }))).toBe('REMOVAL_IN_USE')
    world.clock.advance(DAY_MS + 1)
    expect(goes(await planOf(world, { mode: 'retain', count: 1 }))).toEqual([running, full].map((name) => `default/${name}`))
  })

  it('keeps the WAL from its start on', async () => {
    await world.backup({ at: 10 })
    await world.backup({ at: 20 })
    await world.backup({ at: 15, unfinished: true })
    await world.wal(8, 22)
    await remove(world, { mode: 'retain', count: 1 })
    expect((await walLeft())[0]).toBe(segment(15))
  })

  it('is waited for by `everything`; FORCE waits for leases only', async () => {
    const running = await world.backup({ at: 15, unfinished: true })
    await world.wal(14, 16)
    await world.put('waltz/cluster.json', '{}')
    await remove(world, { mode: 'everything' })
    expect((await world.keys()).filter((key) => key.includes(running))).toHaveLength(4)
    expect(await walLeft()).toEqual([segment(15), segment(16)])
    const lease = { version: 1, id: 'a', host: 'h', pid: 1, since: 'now', ttlMs: 300_000 }
    await world.put(`basebackups_005/${running}/waltz/lease.json`, JSON.stringify(lease))
    await remove(world, { mode: 'everything', force: true })
    expect((await world.keys()).filter((key) => key.includes(running))).toHaveLength(5)
    await world.store.delete([`basebackups_005/${running}/waltz/lease.json`])
    await remove(world, { mode: 'everything', force: true })
    expect(await world.keys()).toEqual([])
  })
})

describe('damaged backups', () => {
  it('with a sentinel that cannot be read stay, with what they may be made from', async () => {
    const full = await world.backup({ at: 10 })
    const damaged = nameOf({ at: 12, parent: full })
    await world.backup({ at: 12, parent: full })
    await world.put(`basebackups_005/${damaged}_backup_stop_sentinel.json`, '{"LSN":')
    await world.backup({ at: 20 })
    expect(goes(await planOf(world, { mode: 'retain', count: 1 }))).toEqual([])
    expect(goes(await planOf(world, { mode: 'target', name: damaged }))).toEqual([`default/${damaged}`])
  })

  it('whose metadata cannot be read count as permanent', async () => {
    const name = await world.backup({ at: 10 })
    await world.put(`basebackups_005/${name}/metadata.json`, '{"start')
    await world.backup({ at: 20 })
    expect(goes(await planOf(world, { mode: 'retain', count: 1 }))).toEqual([])
    expect(await codeOf(planOf(world, { mode: 'target', name }))).toBe('REMOVAL_PERMANENT')
    expect(await codeOf(planOf(world, { mode: 'everything' }))).toBe('REMOVAL_PERMANENT')
  })
})

describe('target', () => {
  it('removes a backup with all that depends on it, and no WAL', async () => {
    const [full10 = '', , full20 = ''] = await threeChains()
    const before = await walLeft()
    await remove(world, { mode: 'target', name: full20 })
    const keys = await world.keys()
    expect(keys.filter((key) => key.startsWith('base') && key.includes(full20.slice(5)))).toEqual([])
    expect(keys.filter((key) => key.includes(full10))).toHaveLength(5)
    expect(await walLeft()).toEqual(before)
  })

  it('finds by user data, LATEST and FIND_FULL', async () => {
    const names = await threeChains()
    const marked = await world.backup({ at: 40, userData: { job: 7 } })
    expect(goes(await planOf(world, { mode: 'target', userData: { job: 7 } }))).toEqual([`default/${marked}`])
    expect(goes(await planOf(world, { mode: 'target', name: 'LATEST' }))).toEqual([`default/${marked}`])
    expect(goes(await planOf(world, { mode: 'target', name: names[3] ?? '', findFull: true }))).toEqual(
      [names[3], names[2]].map((name) => `default/${name}`),
    )
    expect(await codeOf(planOf(world, { mode: 'target', userData: { job: 8 } }))).toBe('BACKUP_NOT_FOUND')
  })

  it('refuses when something permanent would go', async () => {
    const full = await world.backup({ at: 10 })
    await world.backup({ at: 12, parent: full, permanent: true })
    expect(await codeOf(remove(world, { mode: 'target', name: full }))).toBe('REMOVAL_PERMANENT')
    expect((await world.keys()).length).toBe(10)
  })
})

describe('garbage', () => {
  it('is WAL that no backup needs, and what failed attempts left', async () => {
    await world.backup({ at: 4, permanent: true })
    const attempt = await world.backup({ at: 30, unfinished: true })
    world.clock.advance(DAY_MS * 2)
    await world.backup({ at: 10 })
    await world.wal(2, 12)
    await remove(world, { mode: 'garbage', area: 'BACKUPS' })
    expect((await world.keys()).some((key) => key.includes(attempt))).toBe(false)
    expect(await walLeft()).toHaveLength(11)
    await remove(world, { mode: 'garbage', area: 'ARCHIVES' })
    expect(await walLeft()).toEqual([4, 10, 11, 12].map((number) => segment(number)))
  })

  it('is nothing where no backup says what is old, unless that is wanted', async () => {
    await world.wal(2, 5)
    expect((await planOf(world, { mode: 'garbage' })).nothing).toContain('--without-backup-check')
    await remove(world, { mode: 'garbage' })
    expect(await walLeft()).toHaveLength(4)
    await remove(world, { mode: 'garbage', withoutBackupCheck: true })
    expect(await walLeft()).toEqual([])
  })
})

describe('several storages', () => {
  it('a backup in two counts once and goes from each; permanence and WAL are looked at everywhere', async () => {
    const other = createMemoryStore({ now: world.clock.now })
    const storages = [
      { name: 'default', store: world.store },
      { name: 'b', store: other },
    ]
    for (const at of [10, 20, 30]) {
      await world.backup({ at, permanent: at === 10 })
      await world.backup({ at }, other)
    }
    // WAL of a time when the first storage did not answer lies in the second.
    await world.wal(8, 32, { to: other })
    const plan = await planOf(world, { mode: 'retain', count: 2 }, { storages })
    expect(goes(plan)).toEqual([`b/${nameOf({ at: 10 })}`])
    await remove(world, { mode: 'retain', count: 1 }, { storages })
    const left = (keys: readonly string[]): readonly string[] => keys.flatMap((key) => /(base_\w{24})_backup/.exec(key)?.[1] ?? [])
    expect(left(await world.keys())).toEqual([10, 30].map((at) => nameOf({ at })))
    expect(left(await world.keys(other))).toEqual([nameOf({ at: 30 })])
    const wal = (await world.keys(other)).filter((key) => key.startsWith('wal_005/'))
    expect(wal.map((key) => key.slice(8, 32))).toEqual([10, 30, 31, 32].map((number) => segment(number)))
  })
})
