import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { readAll, sourceOf } from '@waltz/bytes'
import { formatPosition, positionOfNumber } from '@waltz/repository/removal'
import type { ObjectStore } from '@waltz/storage'
import { createMemoryStore } from '@waltz/storage/memory'
import { fixedClock, type FixedClock } from '@waltz/testkit'
import { applyRemovalWithParts, type RemovalResult } from '../src/removal/apply-removal.ts'
import { planRemovalWithParts, type RemovalParts } from '../src/removal/plan-removal.ts'
import type { RemovalPlan } from '../src/removal/removal-plan.ts'
import type { PlanRemovalOptions, RemovalWish } from '../src/removal/removal-request.ts'
import type { RemovalStorage } from '../src/removal/removal-storage.ts'
import { surroundings } from './storage-settings.ts'

const MIB = 1_048_576
/** Where spools of all tests lie. */
const spoolFolder = mkdtempSync(join(tmpdir(), 'waltz-removal-test-'))

/** A backup that a test puts into a store. `at` and `to` are numbers of segments of 1 MiB. */
export interface TestBackup {
  readonly at: number
  readonly to?: number
  readonly timeline?: number
  /** The name of the backup it is made from. */
  readonly parent?: string
  readonly full?: string
  readonly permanent?: boolean
  readonly system?: bigint
  /** Without it no sentinel is written. */
  readonly unfinished?: boolean
  readonly userData?: unknown
  /** Another start than now. */
  readonly startedAt?: string
}

/** The name of a segment of 1 MiB. */
export const segment = (number: number, timeline = 1): string => formatPosition(timeline, positionOfNumber(number, MIB))

/** The name of a backup, as WAL-G gives them. */
export function nameOf({ at, timeline, parent }: Pick<TestBackup, 'at' | 'timeline' | 'parent'>): string {
  return `base_${segment(at, timeline)}${parent === undefined ? '' : `_D_${parent.slice(5, 29)}`}`
}

/** A repository in memory with a clock that tests move. */
export interface World {
  readonly clock: FixedClock
  readonly store: ObjectStore
  /** Stores a backup, a minute after what was stored before; answers its name. */
  backup(backup: TestBackup, to?: ObjectStore): Promise<string>
  /** Archives segments from `first` to `last`. */
  wal(
    first: number,
    last: number,
    options?: { readonly timeline?: number; readonly to?: ObjectStore; readonly suffix?: string },
  ): Promise<void>
  put(key: string, text: string, to?: ObjectStore): Promise<void>
  keys(of?: ObjectStore): Promise<readonly string[]>
}

/** An empty one. */
export function createWorld(): World {
  const clock = fixedClock('2026-03-01T00:00:00Z')
  const store = createMemoryStore({ now: clock.now })
  const put = async (key: string, text: string, to: ObjectStore = store): Promise<void> => void (await to.put(key, sourceOf(text)))
  return {
    clock,
    store,
    put,
    async backup(backup, to) {
      const name = nameOf(backup)
      clock.advance(60_000)
      const start = backup.startedAt ?? clock.now().toISOString()
      const folder = `basebackups_005/${name}`
      await put(`${folder}/tar_partitions/part_001.tar.lz4`, 'data of a backup', to)
      await put(`${folder}/tar_partitions/pg_control.tar.lz4`, 'control', to)
      clock.advance(1_000)
      const times = { start_time: start, finish_time: clock.now().toISOString() }
      const [startLsn, finishLsn] = [backup.at * MIB + 40, (backup.to ?? backup.at) * MIB + 300]
      const system = Number(backup.system ?? 7n)
      await put(`${folder}/files_metadata.json`, '{"Files":{}}', to)
      await put(
        `${folder}/metadata.json`,
        JSON.stringify({
          ...times,
          start_lsn: startLsn,
          finish_lsn: finishLsn,
          is_permanent: backup.permanent === true,
          system_identifier: system,
          pg_version: 150_020,
          ...(backup.userData !== undefined && { user_data: backup.userData }),
        }),
        to,
      )
      if (backup.unfinished === true) return name
      const increment =
        backup.parent === undefined
          ? {}
          : {
              DeltaLSN: startLsn - MIB,
              DeltaFrom: backup.parent,
              DeltaFullName: backup.full ?? backup.parent,
              DeltaCount: backup.full === undefined || backup.full === backup.parent ? 1 : 2,
            }
      const sentinel = { LSN: startLsn, ...increment, PgVersion: 150_020, FinishLSN: finishLsn, SystemIdentifier: system, Version: 2 }
      await put(
        `${folder}_backup_stop_sentinel.json`,
        JSON.stringify({ ...sentinel, StartTime: times.start_time, FinishTime: times.finish_time }),
        to,
      )
      return name
    },
    async wal(first, last, { timeline = 1, to, suffix = '.lz4' } = {}) {
      for (let number = first; number <= last; number += 1) await put(`wal_005/${segment(number, timeline)}${suffix}`, 'segment', to)
    },
    async keys(of = store) {
      const keys: string[] = []
      for await (const { key } of of.list('')) keys.push(key)
      return keys
    },
  }
}

/** What a deletion is planned and carried out with, for stores of a test. */
export function partsFor(world: World, storages: readonly RemovalStorage[] = [{ name: 'default', store: world.store }]): RemovalParts {
  return {
    surroundings: surroundings({ now: world.clock.now }),
    storages,
    spoolFolder,
    // A hundred times as fast: a take-over of a lease waits for seconds.
    sleep: (ms, signal) => delay(ms / 100, undefined, signal === undefined ? {} : { signal }),
    readHistory: async (timeline) => {
      const key = `wal_005/${timeline.toString(16).toUpperCase().padStart(8, '0')}.history`
      const { parseTimelineHistory } = await import('@waltz/pg-structures')
      await using body = await (storages[0] as RemovalStorage).store.get(key)
      return parseTimelineHistory(new TextDecoder().decode(await readAll(body, 10_000)), timeline)
    },
  }
}

/** Carries out a deletion. */
export async function remove(
  world: World,
  wish: RemovalWish,
  more: Partial<PlanRemovalOptions> & { readonly storages?: readonly RemovalStorage[] } = {},
): Promise<RemovalResult> {
  const { storages, ...options } = more
  return await applyRemovalWithParts(partsFor(world, storages), { wish, ...options })
}

/** A plan of which nothing but the value is needed. */
export async function planOf(
  world: World,
  wish: RemovalWish,
  more: Partial<PlanRemovalOptions> & { readonly storages?: readonly RemovalStorage[] } = {},
): Promise<RemovalPlan> {
  const { storages, ...options } = more
  const plan = await planRemovalWithParts(partsFor(world, storages), { wish, ...options })
  await plan[Symbol.asyncDispose]()
  return plan
}

/** The backups that go by a plan, `storage/name`. */
export const goes = (plan: RemovalPlan): readonly string[] =>
  plan.decisions.filter(({ keep }) => !keep).map(({ entry }) => `${entry.storage}/${entry.name}`)
