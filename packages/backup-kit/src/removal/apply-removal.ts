import { Fault, isFault, throwIfAborted } from '@waltz/errors'
import { classifyKey, removeObjects, type RemovalOutcome } from '@waltz/repository/removal'
import { lockOf, type ObjectLock } from '@waltz/storage'
import type { CatalogueEntry } from '../catalogue/catalogue-entry.ts'
import type { RemovalStorage } from './removal-storage.ts'
import { lookAgain, requireClock } from './look-again.ts'
import { planRemovalWithParts, type RemovalParts } from './plan-removal.ts'
import { totalOf, type PlannedObject, type RemovalPhase, type RemovalPlan } from './removal-plan.ts'
import { withRemovalLeases } from './removal-leases.ts'
import { removeNote, writeIntents } from './removal-notes.ts'
import type { PlanRemovalOptions, RemovalWish } from './removal-request.ts'

/** What is carried out. With `planId` exactly that plan, or nothing. */
export interface ApplyRemovalOptions extends PlanRemovalOptions {
  /** Sees the plan before anything goes; what it throws stops the deletion. */
  readonly onPlan?: (plan: RemovalPlan) => void | Promise<void>
}

/** An object that stays although it was to go. */
export interface KeptObject {
  readonly storage: string
  readonly key: string
  readonly fault: Fault
  /** What the storage tells of the lock that keeps it; undefined where no lock does. */
  readonly lock: ObjectLock | undefined
}

/** What was done. */
export interface RemovalResult {
  readonly planId: string
  readonly removed: { readonly objects: number; readonly bytes: number }
  /** The first thousand of those that could not be removed; `failed` counts all. */
  readonly failures: readonly KeptObject[]
  readonly failed: number
  /** Those of them that are locked, and when the last of these locks ends, where that is told. */
  readonly locked: { readonly objects: number; readonly until: Date | undefined }
  /** Objects that were not tried: what is in front of them in the order could not be removed. */
  readonly notTried: number
}

const MOST_FAILURES = 1_000

/**
 * Plans and carries out under leases, so that two deletions do not decide on what the other one changes. See `BackupKit.applyRemoval`.
 */
export async function applyRemovalWithParts(parts: RemovalParts, options: ApplyRemovalOptions): Promise<RemovalResult> {
  return await withRemovalLeases({ ...parts, signal: options.signal }, async (signal) => {
    if (dependsOnAges(options.wish)) await requireClock(parts.storages, parts.surroundings.now, signal)
    await using plan = await planRemovalWithParts(parts, { ...options, signal })
    if (options.planId !== undefined && plan.id !== options.planId) throw changedFault(options.planId, plan.id)
    await options.onPlan?.(plan)
    const run = createRun(plan, { ...options, signal })
    if (plan.nothing === undefined) {
      await lookAgain(plan, parts.storages, signal)
      await carryOut(parts, plan, run)
    }
    return run.result()
  })
}

/** Whether somebody names exactly what goes: then no clock can make it more. */
function dependsOnAges(wish: RemovalWish): boolean {
  return wish.mode !== 'target' && !(wish.mode === 'everything' && wish.force === true)
}

function changedFault(asked: string, found: string): Fault {
  return new Fault('conflict', 'PLAN_CHANGED', `the plan ${asked} no longer fits the repository: the same command comes to ${found} now`, {
    hint: 'something that it would remove, or that protects what stays, has changed since; nothing was deleted. Look at a new plan',
    context: { plan: asked },
  })
}

interface Run {
  readonly signal: AbortSignal
  /** Ids (`storage/name`) of backups whose sentinel is still there, and of their ancestors. */
  readonly stillThere: Set<string>
  remove(storage: RemovalStorage, objects: AsyncIterable<PlannedObject> | readonly PlannedObject[]): Promise<RemovalOutcome>
  skip(objects: number): void
  failedSoFar(): number
  result(): RemovalResult
}

function createRun(plan: RemovalPlan, { observe, signal }: PlanRemovalOptions & { readonly signal: AbortSignal }): Run {
  const failures: KeptObject[] = []
  const sum = { objects: 0, bytes: 0, failed: 0, notTried: 0 }
  const locked: { objects: number; until: Date | undefined } = { objects: 0, until: undefined }
  const stillThere = new Set<string>()
  return {
    signal,
    stillThere,
    async remove({ name, store }, objects) {
      const outcome = await removeObjects(store, objects, {
        signal,
        onRemoved: (count, bytes) => observe?.({ type: 'removal-progress', storage: name, objects: count, bytes }),
        onFailure: ({ key, fault }) => {
          const lock = lockOf(fault)
          if (failures.length < MOST_FAILURES) failures.push({ storage: name, key, fault, lock })
          if (lock !== undefined) noteLock(locked, lock)
          observe?.({ type: 'removal-warning', message: `${key} stays in the storage ${name}: ${fault.message}` })
        },
      })
      sum.objects += outcome.removed
      sum.bytes += outcome.bytes
      sum.failed += outcome.failed
      sum.notTried += outcome.notTried
      return outcome
    },
    skip: (objects) => void (sum.notTried += objects),
    failedSoFar: () => sum.failed + sum.notTried,
    result: () => ({
      planId: plan.id,
      removed: { objects: sum.objects, bytes: sum.bytes },
      failures,
      failed: sum.failed,
      locked,
      notTried: sum.notTried,
    }),
  }
}

function noteLock(locked: { objects: number; until: Date | undefined }, { until }: ObjectLock): void {
  locked.objects += 1
  if (until !== undefined && (locked.until === undefined || until > locked.until)) locked.until = until
}

async function carryOut({ storages, surroundings }: RemovalParts, plan: RemovalPlan, run: Run): Promise<void> {
  const byName = new Map(storages.map((storage) => [storage.name, storage]))
  const notes = totalOf(plan.sums).objects === 0 ? [] : await writeIntents(plan, storages, { now: surroundings.now(), signal: run.signal })
  await removeSentinels(plan, byName, run)
  await removeRest(plan, byName, run)
  // What could not be removed stays announced, so that the next run goes on with it.
  if (run.failedSoFar() > 0) return
  for (const { storage, ...note } of [...notes, ...plan.interrupted, ...plan.endedNotes]) {
    const found = byName.get(storage)
    if (found !== undefined) await removeNote(found.store, note, run.signal)
  }
}

/** One by one from the ends of the chains: a backup whose sentinel cannot be removed keeps all that it is made from. */
async function removeSentinels(plan: RemovalPlan, storages: ReadonlyMap<string, RemovalStorage>, run: Run): Promise<void> {
  const parents = new Map(
    plan.decisions.flatMap(({ entry }) =>
      entry.increment === undefined ? [] : [[idOf(entry), idOf({ storage: entry.storage, name: entry.increment.parent })]],
    ),
  )
  for await (const batch of batchesOf(plan.objects('sentinels'), parents, run)) {
    const storage = storages.get(batch[0]?.storage ?? '')
    if (storage === undefined) continue
    const before = run.failedSoFar()
    await run.remove(storage, batch)
    if (run.failedSoFar() === before) continue
    // Which of them stayed is asked of the storage, not concluded from the failures.
    for (const object of batch) if (await isThere(storage, object, run.signal)) keepChain(run.stillThere, idOfObject(object), parents)
  }
}

const SENTINELS_AT_ONCE = 1000

/** Sentinels of one storage and one depth, so that none goes in one call with that of its parent. */
async function* batchesOf(
  sentinels: AsyncIterable<PlannedObject>,
  parents: ReadonlyMap<string, string>,
  run: Run,
): AsyncGenerator<readonly PlannedObject[]> {
  let batch: PlannedObject[] = []
  let wanted = new Set<string>()
  for await (const object of sentinels) {
    const id = idOfObject(object)
    if (batch.length > 0 && (batch[0]?.storage !== object.storage || wanted.has(id) || batch.length >= SENTINELS_AT_ONCE)) {
      yield batch
      batch = []
      wanted = new Set()
    }
    if (run.stillThere.has(id)) {
      run.skip(1)
      continue
    }
    batch.push(object)
    for (let at = parents.get(id); at !== undefined && !wanted.has(at); at = parents.get(at)) wanted.add(at)
  }
  if (batch.length > 0) yield batch
}

function keepChain(kept: Set<string>, id: string, parents: ReadonlyMap<string, string>): void {
  for (let at: string | undefined = id; at !== undefined && !kept.has(at); at = parents.get(at)) kept.add(at)
}

async function isThere({ store }: RemovalStorage, { key }: PlannedObject, signal: AbortSignal): Promise<boolean> {
  try {
    await store.head(key, { signal })
    return true
  } catch (error) {
    throwIfAborted(signal)
    return !isFault(error, 'not-found') // one that cannot be asked for counts as there
  }
}

const REST: readonly RemovalPhase[] = ['backups', 'catchups', 'wal', 'waltz']

async function removeRest(plan: RemovalPlan, storages: ReadonlyMap<string, RemovalStorage>, run: Run): Promise<void> {
  for (const phase of REST) {
    // Backups that are still there need WAL that the plan gave up with them.
    if (run.stillThere.size > 0 && (phase === 'wal' || phase === 'waltz')) {
      run.skip(plan.sums[phase].objects)
      continue
    }
    for (const storage of storages.values()) await run.remove(storage, ofStorage(plan.objects(phase), storage.name, run))
  }
}

async function* ofStorage(objects: AsyncIterable<PlannedObject>, storage: string, run: Run): AsyncGenerator<PlannedObject> {
  for await (const object of objects) {
    if (object.storage !== storage) continue
    if (object.phase === 'backups' && run.stillThere.has(idOfObject(object))) run.skip(1)
    else yield object
  }
}

function idOf({ storage, name }: Pick<CatalogueEntry, 'storage' | 'name'>): string {
  return `${storage}/${name}`
}

function idOfObject({ storage, key }: PlannedObject): string {
  const known = classifyKey(key)
  return known.kind === 'sentinel' || known.kind === 'backup-object' ? idOf({ storage, name: known.backup }) : ''
}
