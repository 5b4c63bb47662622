import { createHash } from 'node:crypto'
import { Fault, isFault, throwIfAborted } from '@waltz/errors'
import { compareKeys } from '../key.ts'
import type { CallOptions, ObjectInfo, ObjectStore } from '../object-store.ts'
import { sleepOrAbort, type Sleep } from '../sleep.ts'
import { alreadyExistsFault } from '../store-faults.ts'
import { copyObject, objectExists } from './copy-object.ts'

/** Objects that belong together: `last` exists in the target only when all of `data` do, and leaves the source first. */
export interface TransferGroup {
  readonly name: string
  readonly data: readonly ObjectInfo[]
  /** What makes the group count, such as sentinels of backups: stored in this order, deleted in the opposite one. */
  readonly last?: ObjectInfo | readonly ObjectInfo[]
}

/** Something that happened to one object. */
export interface TransferEvent {
  readonly kind: 'copied' | 'deleted'
  readonly key: string
  readonly bytes: number
}

/** One object that could not be moved. The group it belongs to stays in the source. */
export interface TransferFailure {
  readonly group: string
  readonly key: string
  readonly error: unknown
}

/** How a transfer works. */
export interface TransferOptions extends CallOptions {
  readonly source: ObjectStore
  readonly target: ObjectStore
  /** Copy only: nothing is deleted from the source. */
  readonly preserve: boolean
  /**
   * Replace what the target has under the same name; without it the target's own object ends the group with `already-exists`. A target
   * without `conditionalPut` is asked right before instead, so another writer of that moment may be overwritten.
   */
  readonly overwrite: boolean
  /**
   * Ask the target for each object first: one of the same size there counts as copied, one of another size is `conflict`. For groups
   * that hold everything, so that what an earlier transfer copied leaves the source, too; before it does, the bytes of both are compared.
   * Without `overwrite` only.
   */
  readonly skipPresent?: boolean
  /** Stop everything at the first failure instead of going on with other groups. */
  readonly failFast: boolean
  /** Objects in flight, over all groups. */
  readonly concurrency: number
  /** How often the target is asked for each object before its original is deleted; 0 = not at all. */
  readonly appearanceChecks: number
  readonly appearanceIntervalMs: number
  readonly sleep: Sleep
  readonly observe?: (event: TransferEvent) => void
}

/** What a transfer came to. */
export interface TransferOutcome {
  readonly groups: number
  readonly objects: number
  readonly bytes: number
  /** The first of them; `failed` counts all. */
  readonly failures: readonly TransferFailure[]
  readonly failed: number
}

const FAILURES_TOLD = 100

/**
 * Moves groups of objects from one store into another, bytes unchanged. In the target the last objects of a group are stored only after
 * all others were found there, and after those of the groups before it; in the source they are deleted before the others: at every moment
 * each group is whole in at least one of the two. A group that fails is left in the source; its copies so far stay in the target, where the
 * next transfer finds them.
 * @throws Fault `aborted`; the first failure when `failFast`. Without it failures are told in the outcome.
 */
export async function transferObjects(
  groups: AsyncIterable<TransferGroup> | Iterable<TransferGroup>,
  options: TransferOptions,
): Promise<TransferOutcome> {
  const tally: Tally = { groups: 0, objects: 0, bytes: 0, failures: [], failed: 0 }
  let turn: Promise<void> = Promise.resolve()
  for await (const batch of batches(groups, options.concurrency)) {
    // Small groups side by side, a large one with all hands: either way `concurrency` objects are in flight.
    const lanes = Math.max(1, Math.floor(options.concurrency / batch.length))
    const moves = batch.map((group) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      const before = turn
      turn = promise
      return moveGroup(group, { options, tally, lanes, before, announced: resolve }).finally(resolve)
    })
    await Promise.all(moves)
    throwIfAborted(options.signal)
    const [first] = tally.failures
    if (options.failFast && first !== undefined) throw first.error
  }
  return tally
}

/**
 * What the source has below `prefix` and the target has not, in byte order; with `overwrite` everything that the source has. Holds
 * no listing in memory.
 */
export async function* objectsToTransfer(
  { source, target, overwrite, signal }: Pick<TransferOptions, 'source' | 'target' | 'overwrite' | 'signal'>,
  prefix: string,
): AsyncGenerator<ObjectInfo, void, undefined> {
  const call = signal === undefined ? {} : { signal }
  if (overwrite) return yield* source.list(prefix, call)
  const there = target.list(prefix, call)[Symbol.asyncIterator]()
  try {
    let other = await there.next()
    for await (const info of source.list(prefix, call)) {
      while (other.done !== true && compareKeys(other.value.key, info.key) < 0) other = await there.next()
      if (other.done === true || other.value.key !== info.key) yield info
    }
  } finally {
    await there.return?.()
  }
}

interface Tally {
  groups: number
  objects: number
  bytes: number
  readonly failures: TransferFailure[]
  failed: number
}

interface Move {
  readonly options: TransferOptions
  readonly tally: Tally
  readonly lanes: number
  /** Resolves when the last objects of the group before are stored, or never will be. */
  readonly before: Promise<void>
  readonly announced: () => void
}

async function moveGroup(group: TransferGroup, move: Move): Promise<void> {
  const { options, tally } = move
  const copied = await inLanes(group.data, move.lanes, (info) => attempt(group, info, move, () => copyOne(info, move)))
  if (!copied) return
  const last = lastOf(group)
  await move.before
  for (const info of last) if (!(await attempt(group, info, move, () => copyOne(info, move)))) return
  move.announced()
  tally.groups += 1
  if (options.preserve) return
  for (const info of last.toReversed()) if (!(await attempt(group, info, move, () => deleteOne(info, options)))) return
  await inLanes(group.data, move.lanes, (info) => attempt(group, info, move, () => deleteOne(info, options)))
}

function lastOf({ last = [] }: TransferGroup): readonly ObjectInfo[] {
  return 'key' in last ? [last] : last
}

/** Runs one step; what fails is noted, and false. */
async function attempt(group: TransferGroup, info: ObjectInfo, { tally, options }: Move, step: () => Promise<void>): Promise<boolean> {
  try {
    throwIfAborted(options.signal)
    await step()
    return true
  } catch (error) {
    tally.failed += 1
    if (tally.failures.length < FAILURES_TOLD) tally.failures.push({ group: group.name, key: info.key, error })
    return false
  }
}

async function copyOne(info: ObjectInfo, { options, tally }: Move): Promise<void> {
  const { source, target, overwrite, signal, observe } = options
  const call = signal === undefined ? {} : { signal }
  if (!overwrite && (await isThere(info, options))) return
  const copy = async (onlyIfAbsent: boolean): Promise<ObjectInfo> =>
    await copyObject({ store: source, key: info.key }, { store: target, key: info.key }, { ...call, onlyIfAbsent })
  const stored = await copyWithCondition(info, options, copy)
  if (stored.size !== info.size) throw changedFault(info, stored.size)
  if (!options.preserve) await waitForAppearance(info, options)
  tally.objects += 1
  tally.bytes += info.size
  observe?.({ kind: 'copied', key: info.key, bytes: info.size })
}

/** Some stores have no condition for objects that go in parts: those are looked for instead. */
async function copyWithCondition(
  info: ObjectInfo,
  { target, overwrite, signal }: TransferOptions,
  copy: (onlyIfAbsent: boolean) => Promise<ObjectInfo>,
): Promise<ObjectInfo> {
  try {
    return await copy(!overwrite && target.capabilities.conditionalPut)
  } catch (error) {
    if (!isFault(error) || error.code !== 'STORAGE_CONDITIONAL_PUT_UNSUPPORTED') throw error
    const found = await objectExists(target, info.key, signal === undefined ? {} : { signal })
    if (found !== undefined) throw alreadyExistsFault(info.key, target.location)
    return await copy(false)
  }
}

/** Whether the target has it already. A target that cannot refuse by itself is asked in any case: the best that can be done there. */
async function isThere(info: ObjectInfo, options: TransferOptions): Promise<boolean> {
  const { target, skipPresent = false, preserve, signal } = options
  if (!skipPresent && target.capabilities.conditionalPut) return false
  const found = await objectExists(target, info.key, signal === undefined ? {} : { signal })
  if (found === undefined) return false
  if (!skipPresent) throw alreadyExistsFault(info.key, target.location)
  if (found.size !== info.size) throw changedFault(info, found.size)
  if (!preserve && !(await hasSameBytes(info.key, options))) throw differentFault(info)
  return true
}

/** Reads both: what is about to be deleted may be the only good one. */
async function hasSameBytes(key: string, { source, target, signal }: TransferOptions): Promise<boolean> {
  const hashes = await Promise.all(
    [source, target].map(async (store) => {
      const hash = createHash('sha256')
      await using body = await store.get(key, signal === undefined ? {} : { signal })
      for await (const chunk of body) hash.update(chunk)
      return hash.digest('hex')
    }),
  )
  return hashes[0] === hashes[1]
}

async function waitForAppearance(info: ObjectInfo, options: TransferOptions): Promise<void> {
  const { target, appearanceChecks, appearanceIntervalMs, sleep, signal } = options
  for (let check = 1; check <= appearanceChecks; check += 1) {
    const found = await objectExists(target, info.key, signal === undefined ? {} : { signal })
    if (found?.size === info.size) return
    if (found !== undefined) throw changedFault(info, found.size)
    if (check < appearanceChecks) await sleepOrAbort(sleep, appearanceIntervalMs, signal)
  }
  if (appearanceChecks === 0) return
  throw new Fault('unavailable', 'STORAGE_TRANSFER_NOT_SEEN', `${info.key} was stored in ${target.location} but cannot be found there`, {
    hint: 'the target may show new objects late: raise --appearance-checks. Nothing was deleted from the source',
    context: { key: info.key },
  })
}

async function deleteOne(info: ObjectInfo, { source, signal, observe }: TransferOptions): Promise<void> {
  await source.delete([info.key], signal === undefined ? {} : { signal })
  observe?.({ kind: 'deleted', key: info.key, bytes: info.size })
}

function changedFault(info: ObjectInfo, size: number): Fault {
  return new Fault(
    'conflict',
    'STORAGE_OBJECT_CHANGED',
    `${info.key} has ${size} bytes in the target and had ${info.size} when it was listed`,
    {
      hint: 'somebody writes to it: try again when nobody does',
      context: { key: info.key },
    },
  )
}

function differentFault(info: ObjectInfo): Fault {
  return new Fault('conflict', 'STORAGE_OBJECT_CHANGED', `${info.key} is in both storages, and its bytes differ`, {
    hint: 'find out which of the two is right, and remove the other one; --overwrite takes that of the source. Nothing was deleted',
    context: { key: info.key },
  })
}

/** Runs `work` for every item, a few at a time; true when all were. Goes on after a failure, so that a repetition has less to do. */
async function inLanes<Item>(items: readonly Item[], lanes: number, work: (item: Item) => Promise<boolean>): Promise<boolean> {
  const queue = items.values()
  let all = true
  const lane = async (): Promise<void> => {
    for (const item of queue) if (!(await work(item))) all = false
  }
  await Promise.all(Array.from({ length: Math.max(1, Math.min(lanes, items.length)) }, lane))
  return all
}

async function* batches<Item>(items: AsyncIterable<Item> | Iterable<Item>, size: number): AsyncGenerator<readonly Item[]> {
  let batch: Item[] = []
  for await (const item of items) {
    batch.push(item)
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
