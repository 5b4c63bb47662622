import { createCodecRegistry } from '@waltz/codecs'
import { isFault } from '@waltz/errors'
import { createSealedFormat, type SealedFormat } from '@waltz/repository'
import type { ObjectStore } from '@waltz/storage'
import { createMemoryStore } from '@waltz/storage/memory'
import { faultStore, soaking } from '@waltz/testkit'
import { describe, expect, it } from 'vitest'
import { markBackup } from '../src/catalogue/mark-backup.ts'
import { copyBackups } from '../src/copy.ts'
import { applyRemovalWithParts } from '../src/removal/apply-removal.ts'
import type { RemovalWish } from '../src/removal/removal-request.ts'
import { createWorld, nameOf, partsFor, segment, type World } from './removal-world.ts'

/** Histories, and what happens in each. `WALTZ_MODEL_SEED` begins with a seed that failed. */
const HISTORIES = Number(process.env['WALTZ_MODEL_HISTORIES'] ?? (soaking ? 100_000 : 500))
const FIRST_SEED = Number(process.env['WALTZ_MODEL_SEED'] ?? 1)
const STEPS = 14
const HOUR_MS = 3_600_000
/** Of WAL segments in a world. */
const SEGMENT_BYTES = 1_048_576

/** A backup as the model knows it, whatever the repository says. */
interface Known {
  readonly name: string
  readonly at: number
  readonly to: number
  readonly parent: string | undefined
  readonly bornMs: number
  readonly unfinished: boolean
  permanent: boolean
  /** Its sentinel is to be there. */
  announced: boolean
  /** A deletion chose it: objects of it may be there or not, until one ends that nothing disturbed. */
  condemned: boolean
}

interface Model {
  readonly world: World
  readonly backups: Known[]
  /** Where copies go. Nothing is deleted there. */
  readonly elsewhere: ObjectStore
  /** The next segment to archive. */
  next: number
  /** Segments below may be gone, unless a backup needs them. */
  walFrom: number
  readonly trace: string[]
}

/** Leases are renewed three times a minute and settle for two seconds: enough turns of the loop for whoever works at the same time. */
const sleep = async (ms: number, signal?: AbortSignal): Promise<void> => {
  if (ms < 10_000) for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  else await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }))
}

type Below = (limit: number) => number

/** Whole numbers below a limit, always the same for a seed. */
function numbersFrom(seed: number): Below {
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) >>> 0
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }
}

const announced = (model: Model): readonly Known[] => model.backups.filter((backup) => backup.announced)
const named = (model: Model, name: string | undefined): Known | undefined => model.backups.find((backup) => backup.name === name)

function ancestors(model: Model, backup: Known): readonly Known[] {
  const parent = named(model, backup.parent)
  return parent === undefined ? [] : [parent, ...ancestors(model, parent)]
}

const descendants = (model: Model, of: Known): readonly Known[] => model.backups.filter((backup) => ancestors(model, backup).includes(of))

async function archive(model: Model, count: number): Promise<void> {
  await model.world.wal(model.next, model.next + count - 1)
  model.next += count
}

async function backUp(model: Model, below: Below): Promise<void> {
  const parents = announced(model)
  const parent = below(2) === 0 ? parents[below(Math.max(1, parents.length))] : undefined
  const length = 1 + below(2)
  const at = model.next
  await archive(model, length)
  const chain = parent === undefined ? [] : [parent, ...ancestors(model, parent)]
  const unfinished = below(6) === 0
  const permanent = below(7) === 0 && chain.every((one) => one.permanent) && !unfinished
  const increment = parent === undefined ? {} : { parent: parent.name, full: chain.at(-1)?.name ?? parent.name }
  const described = { at, to: at + length - 1, permanent, unfinished, ...increment }
  await model.world.backup(described)
  const bornMs = model.world.clock.now().getTime()
  const rest = { unfinished, permanent, announced: !unfinished, condemned: false, bornMs }
  model.backups.push({ name: nameOf(described), at, to: described.to, parent: parent?.name, ...rest })
}

async function mark(model: Model, below: Below): Promise<void> {
  const all = announced(model)
  const backup = all[below(Math.max(1, all.length))]
  if (backup === undefined) return
  const permanent = below(2) === 0
  const storages = [{ name: 'default', store: model.world.store }]
  try {
    await markBackup(storages, { name: backup.name, permanent, now: model.world.clock.now })
    for (const one of permanent ? [backup, ...ancestors(model, backup)] : [backup]) one.permanent = permanent
  } catch (error) {
    if (!isFault(error) || error.code !== 'BACKUP_NEEDED') throw error
    expect(descendants(model, backup).some((one) => one.announced && one.permanent)).toBe(true)
  }
}

/** Copies everything, unless the target fails on the way. Backups there stay, whatever becomes of them here. */
async function copyAll(model: Model, below: Below, format: SealedFormat): Promise<void> {
  const disturbed = below(2) === 0
  const store = disturbed ? faultStore(model.elsewhere, { crashAtMutation: 1 + below(20) }) : model.elsewhere
  const { now } = model.world.clock
  try {
    const options = { segmentBytes: SEGMENT_BYTES, missingWal: 'report', plaintext: 'allow', objectsAtOnce: 2, now, sleep } as const
    const { backups, failures } = await copyBackups({ from: { store: model.world.store, format }, to: { store, format }, ...options })
    // A mark that was changed after a copy is the one thing in which both may differ.
    const remarked = failures.filter(({ key, fault }) => fault.code === 'COPY_CONFLICT' && key.endsWith('/metadata.json'))
    if (!disturbed) expect(failures).toEqual(remarked)
    if (!disturbed && remarked.length === 0) {
      const whole = backups.filter(({ outcome }) => outcome !== 'failed').map(({ name }) => name)
      expect(whole.toSorted()).toEqual(
        announced(model)
          .map(({ name }) => name)
          .toSorted(),
      )
    }
  } catch (error) {
    const nothing = isFault(error) && error.code === 'COPY_NO_BACKUPS' && announced(model).length === 0
    if (!nothing && (!disturbed || !isFault(error))) throw error
  }
  model.trace.push(`copy ${disturbed ? 'disturbed' : ''}`)
  const keys = new Set(await model.world.keys(model.elsewhere))
  for (const backup of model.backups) if (keys.has(sentinelOf(backup))) expectWhole(backup, keys, model)
}

/** What a wish may take away, thought anew and simply: the names of backups, and the first segment that must stay. */
interface Allowed {
  readonly wish: RemovalWish
  readonly names: ReadonlySet<string>
  /** Segments from here on stay. */
  readonly walFrom: number
}

function wished(model: Model, below: Below): Allowed | undefined {
  const all = announced(model).toSorted((left, right) => right.bornMs - left.bornMs)
  const some = all[below(Math.max(1, all.length))]
  const old = (): readonly Known[] =>
    model.backups.filter((backup) => backup.unfinished && backup.bornMs <= model.world.clock.now().getTime() - 24 * HOUR_MS)
  const olderThan = (mark: Known): Omit<Allowed, 'wish'> => ({
    names: new Set(
      [...all.filter((backup) => backup.bornMs < mark.bornMs), ...old()].filter((one) => !one.permanent).map(({ name }) => name),
    ),
    walFrom: mark.at,
  })
  switch (below(6)) {
    case 0: {
      const count = 1 + below(4)
      const mark = all.filter(({ parent }) => parent === undefined)[count - 1]
      return mark === undefined ? undefined : { wish: { mode: 'retain', count, fulls: 'FULL' }, ...olderThan(mark) }
    }
    case 1: {
      const count = 1 + below(5)
      const mark = all.slice(count - 1).find(({ parent }) => parent === undefined)
      return mark === undefined ? undefined : { wish: { mode: 'retain', count, fulls: 'FIND_FULL' }, ...olderThan(mark) }
    }
    case 2: {
      const mark = some === undefined ? undefined : (ancestors(model, some).at(-1) ?? some)
      return mark === undefined
        ? undefined
        : {
            wish: { mode: 'before', what: some?.name ?? '', findFull: true },
            ...olderThan(all.slice(all.indexOf(some as Known)).find(({ parent }) => parent === undefined) ?? mark),
          }
    }
    case 3: {
      if (some === undefined) return undefined
      const family = [some, ...descendants(model, some)]
      if (family.some((one) => one.announced && one.permanent)) return undefined
      return { wish: { mode: 'target', name: some.name }, names: new Set(family.map(({ name }) => name)), walFrom: 0 }
    }
    case 4: {
      const oldest = all.filter((one) => !one.permanent).at(-1)
      return { wish: { mode: 'garbage' }, names: new Set(old().map(({ name }) => name)), walFrom: oldest?.at ?? 0 }
    }
    default: {
      if (below(3) > 0) return undefined
      return {
        wish: { mode: 'everything', force: true },
        names: new Set(model.backups.map(({ name }) => name)),
        walFrom: Number.MAX_SAFE_INTEGER,
      }
    }
  }
}

/** Carries a wish out, as well as a store lets it; whether it came to its end. Two runs may begin at once. */
async function deleteSome(model: Model, below: Below): Promise<void> {
  const allowed = wished(model, below)
  if (allowed === undefined) return
  for (const name of allowed.names) {
    const backup = named(model, name)
    if (backup !== undefined) backup.condemned = true
  }
  model.walFrom = Math.max(model.walFrom, allowed.walFrom)
  const disturbed = below(3) > 0
  const runs = below(5) === 0 ? 2 : 1
  const before = new Set(await model.world.keys())
  const planned = new Set<string>()
  const one = async (): Promise<boolean> => {
    const store: ObjectStore = disturbed
      ? faultStore(model.world.store, { crashAtMutation: 1 + below(25), crashMoment: below(2) === 0 ? 'before' : 'after' })
      : model.world.store
    try {
      const { failed, notTried } = await applyRemovalWithParts(
        { ...partsFor(model.world, [{ name: 'default', store }]), sleep },
        {
          wish: allowed.wish,
          onPlan: async (plan) => {
            for (const phase of ['sentinels', 'backups', 'catchups', 'wal', 'waltz'] as const)
              for await (const { key } of plan.objects(phase)) planned.add(key)
          },
        },
      )
      return failed + notTried === 0
    } catch (error) {
      const expected =
        isFault(error) &&
        (disturbed || ['LEASE_HELD', 'REMOVAL_PERMANENT', 'REMOVAL_IN_USE', 'REMOVAL_TARGET_INCREMENTAL'].includes(error.code))
      if (!expected) throw error
      return false
    }
  }
  const ends = await Promise.all(Array.from({ length: runs }, one))
  const after = new Set(await model.world.keys())
  const gone = [...before].filter((key) => !after.has(key) && !key.startsWith('waltz/'))
  model.trace.push(`${JSON.stringify(allowed.wish)} ${disturbed ? 'disturbed' : ''} ${ends.join()} -${gone.length}`)
  // The effect is the plan: never more, and nothing less when nothing disturbed it.
  expect(gone.filter((key) => !planned.has(key))).toEqual([])
  if (!disturbed && runs === 1 && ends[0]) expect([...planned].filter((key) => after.has(key))).toEqual([])
  settle(model, after, !disturbed && ends.includes(true))
  // What a killed run left of its lease runs out.
  model.world.clock.advance(61_000)
}

const sentinelOf = ({ name }: Known): string => `basebackups_005/${name}_backup_stop_sentinel.json`

/** What is gone now is gone for the model, if it was allowed to go. */
function settle(model: Model, keys: ReadonlySet<string>, ended: boolean): void {
  for (const backup of model.backups) {
    if (backup.announced && !keys.has(sentinelOf(backup))) {
      expect(backup.condemned, `${backup.name} was not to go`).toBe(true)
      backup.announced = false
    }
    const rest = [...keys].filter((key) => key.startsWith(`basebackups_005/${backup.name}/`))
    // A run that ends takes along what interrupted ones had begun.
    if (ended && !backup.announced && !backup.unfinished) expect(rest, `remains of ${backup.name}`).toEqual([])
    backup.condemned = false
  }
}

/** An announced backup has all that is its own, its parent is announced, and the WAL is there that makes it consistent. */
function expectWhole(backup: Known, keys: ReadonlySet<string>, model: Model): void {
  const own = ['tar_partitions/part_001.tar.lz4', 'tar_partitions/pg_control.tar.lz4', 'files_metadata.json', 'metadata.json']
  const parent = named(model, backup.parent)
  const wal = Array.from({ length: backup.to - backup.at + 1 }, (_, index) => `wal_005/${segment(backup.at + index)}.lz4`)
  const wanted = [sentinelOf(backup), ...own.map((part) => `basebackups_005/${backup.name}/${part}`), ...wal]
  for (const key of parent === undefined ? wanted : [...wanted, sentinelOf(parent)])
    expect(keys.has(key), `${key} of ${backup.name}`).toBe(true)
}

/** What holds at every moment. */
async function expectSound(model: Model): Promise<void> {
  const keys = new Set(await model.world.keys())
  const has = (key: string): boolean => keys.has(key)
  for (const backup of announced(model)) expectWhole(backup, keys, model)
  for (const backup of model.backups)
    if (
      backup.unfinished &&
      model.world.clock.now().getTime() - backup.bornMs < 24 * HOUR_MS &&
      !model.trace.some((line) => line.includes('everything'))
    )
      expect(has(`basebackups_005/${backup.name}/metadata.json`), `${backup.name} may be being written`).toBe(true)
  for (let number = Math.min(model.walFrom, model.next); number < model.next; number += 1)
    expect(has(`wal_005/${segment(number)}.lz4`), `WAL ${number}, from ${model.walFrom} on`).toBe(true)
}

async function playHistory(seed: number, format: SealedFormat): Promise<number> {
  const below = numbersFrom(seed)
  const world = createWorld()
  const model: Model = { world, backups: [], elsewhere: createMemoryStore({ now: world.clock.now }), next: 1, walFrom: 1, trace: [] }
  let deletions = 0
  try {
    for (let step = 0; step < STEPS; step += 1) {
      const what = below(10)
      if (what < 4) await backUp(model, below)
      else if (what < 5) await archive(model, 1 + below(3))
      else if (what < 6) await mark(model, below)
      else if (what < 7) model.world.clock.advance(below(30) * HOUR_MS)
      else if (below(4) === 0) await copyAll(model, below, format)
      else {
        await deleteSome(model, below)
        deletions += 1
      }
      await expectSound(model)
    }
  } catch (error) {
    throw new Error(
      `seed ${seed}, ${model.backups.map(({ name, at, to }) => `${name} ${at}-${to}`).join(', ')}; ${model.trace.join('; ')}`,
      { cause: error },
    )
  }
  return deletions
}

describe('random histories of a repository', () => {
  it(
    `${HISTORIES} of backups, WAL, marks, copies and deletions that are interrupted, twice in a row or two at once`,
    { timeout: 60_000 + HISTORIES * 200 },
    async () => {
      let deletions = 0
      const registry = createCodecRegistry()
      const format = createSealedFormat({ codec: await registry.byName('lz4'), registry })
      for (let seed = FIRST_SEED; seed < FIRST_SEED + HISTORIES; seed += 1) deletions += await playHistory(seed, format)
      console.log(`${HISTORIES} histories with ${deletions} deletions`)
      expect(deletions).toBeGreaterThan(HISTORIES * 2)
    },
  )
})
