import { Fault } from '@waltz/errors'
import { observeStore, type CallOptions, type ObjectStore, type StoreEvent } from '@waltz/storage'
import type { StorageEvent } from '../storage-context.ts'
import { afterCall, afterTrial, weightOf, type StorageStatus } from './aliveness.ts'
import type { FailoverSettings } from './failover-settings.ts'
import type { StatusCache } from './status-cache.ts'
import { tryStorage, type TrialResult } from './try-storage.ts'

/** One of several storages. */
export interface PoolStorage {
  readonly name: string
  /** `name#hash`: what the cache knows it by. Other settings make another key. */
  readonly key: string
  /** With retries and limits; every call tells the pool how it went. */
  readonly store: ObjectStore
  /** One attempt for each call, for questions that must not take long. */
  readonly impatient: ObjectStore
}

/** What a storage is used for. */
export type Purpose = 'read' | 'write'

/** A storage with what is known of it. */
export interface KnownStorage {
  readonly storage: PoolStorage
  readonly alive: boolean
  /** Why it is not. */
  readonly why: string | undefined
}

/** Several storages, and which of them answer. */
export interface StoragePool {
  /** In order: the first one, then the others by name. Those to be left out are not there. */
  readonly storages: readonly PoolStorage[]
  /**
   * The storage to write to: the one that was asked for, else the first that is alive.
   * @throws Fault `unavailable` `STORAGE_NONE_ALIVE` that says of each storage what it lacks.
   */
  chooseForWriting(options?: CallOptions): Promise<PoolStorage>
  /** All storages to read from, or the one that was asked for; tries those of which nothing is known. */
  judge(purpose: Purpose, options?: CallOptions): Promise<readonly KnownStorage[]>
  /** Tries one storage now, whatever is known; without trials (WALG_FAILOVER_STORAGES_CHECK) it counts as alive. */
  retry(name: string, purpose: Purpose, options?: CallOptions): Promise<KnownStorage>
  /** Writes what was learned into the shared files, when it is time. */
  close(): Promise<void>
}

/** What a pool is made from. */
export interface StoragePoolOptions {
  readonly storages: readonly PoolStorage[]
  readonly settings: FailoverSettings
  readonly caches: Readonly<Record<Purpose, StatusCache>>
  readonly now: () => Date
  readonly report: (event: StorageEvent) => void
}

interface Knowledge {
  readonly table: Map<string, StorageStatus>
  readonly reasons: Map<string, string>
  /** Verdicts that others should hear of soon. */
  changed: boolean
  touched: boolean
}

/**
 * Knows which storages answer, from the calls that were made, from trials, and from what other processes found out (SET 6). No I/O until
 * it is asked.
 * @throws Fault `invalid` `STORAGE_UNKNOWN` when no storage has the name that was asked for, or all are left out.
 */
export function createStoragePool(options: StoragePoolOptions): StoragePool {
  const { settings } = options
  const left = options.storages.filter(({ name }) => !settings.ignored.includes(name))
  const chosen = chosenStorages(left, options)
  const memory = createMemory(options)
  const observed = (storage: PoolStorage): PoolStorage => ({
    ...storage,
    store: observeStore(storage.store, (event) => void memory.learn(storage, event)),
  })
  const judge = async (purpose: Purpose, signal: AbortSignal | undefined): Promise<readonly KnownStorage[]> => {
    if (!settings.check) return await memory.tell(chosen, purpose)
    const outdated = await memory.outdated(chosen, purpose)
    await memory.tryAll(outdated, purpose, signal)
    const first = await memory.tell(chosen, purpose)
    if (first.some(({ alive }) => alive) || outdated.length === chosen.length) return first
    // Everything that was believed dead may have come back.
    const believedDead = chosen.filter((storage) => !outdated.includes(storage))
    await memory.tryAll(believedDead, purpose, signal)
    return await memory.tell(chosen, purpose)
  }
  return {
    storages: left.map(observed),
    async chooseForWriting({ signal } = {}) {
      const early = settings.check ? await memory.firstWithoutDoubt(chosen) : chosen[0]
      if (early !== undefined) return observed(early)
      const statuses = await judge('write', signal)
      const first = statuses.find(({ alive }) => alive)
      if (first === undefined) throw noneAliveFault(statuses)
      return observed(first.storage)
    },
    async judge(purpose, callOptions) {
      return (await judge(purpose, callOptions?.signal)).map((one) => ({ ...one, storage: observed(one.storage) }))
    },
    async retry(name, purpose, callOptions) {
      const storage = left.find((one) => one.name === name) as PoolStorage
      if (settings.check) await memory.tryAll([storage], purpose, callOptions?.signal)
      return (await memory.tell([storage], purpose))[0] as KnownStorage
    },
    close: () => memory.close(left),
  }
}

/** What this process and others know of storages, for reading and for writing apart. */
interface Memory {
  /** Tries storages at the same time, and lets other processes know. */
  tryAll(storages: readonly PoolStorage[], purpose: Purpose, signal: AbortSignal | undefined): Promise<void>
  tell(storages: readonly PoolStorage[], purpose: Purpose): Promise<readonly KnownStorage[]>
  /** Those of which nothing is known any more. */
  outdated(storages: readonly PoolStorage[], purpose: Purpose): Promise<readonly PoolStorage[]>
  /** The first to write to, as long as nothing has to be tried to know that none before it is alive. */
  firstWithoutDoubt(storages: readonly PoolStorage[]): Promise<PoolStorage | undefined>
  learn(storage: PoolStorage, event: StoreEvent): Promise<void>
  close(storages: readonly PoolStorage[]): Promise<void>
}

function createMemory({ settings, caches, now, report }: StoragePoolOptions): Memory {
  const known = new Map<Purpose, Promise<Knowledge>>()
  const knowledge = (purpose: Purpose): Promise<Knowledge> => {
    const existing = known.get(purpose)
    if (existing !== undefined) return existing
    const loading = loadKnowledge(caches[purpose])
    known.set(purpose, loading)
    return loading
  }
  const isFresh = (status: StorageStatus | undefined): status is StorageStatus =>
    status !== undefined && now().getTime() - status.updatedMs < settings.cacheLifetimeMs
  return {
    async tryAll(storages, purpose, signal) {
      const facts = await knowledge(purpose)
      const trial = { purpose, bytes: settings.checkBytes, timeoutMs: settings.checkTimeoutMs, signal }
      await Promise.all(
        storages.map(async ({ name, key, impatient }) => {
          const result = await tryStorage(impatient, trial)
          tellTrial(name, result, report)
          facts.table.set(key, afterTrial(facts.table.get(key), result.alive, now().getTime()))
          if (result.why === undefined) facts.reasons.delete(key)
          else facts.reasons.set(key, result.why)
        }),
      )
      if (storages.length > 0) await caches[purpose].save(entriesOf(facts, storages))
    },
    async tell(storages, purpose) {
      const facts = settings.check ? await knowledge(purpose) : undefined
      return storages.map((storage) => {
        const status = facts?.table.get(storage.key)
        if (facts === undefined || status?.alive === true) return { storage, alive: true, why: undefined }
        return { storage, alive: false, why: facts.reasons.get(storage.key) ?? agoText(status, now) }
      })
    },
    async outdated(storages, purpose) {
      const { table } = await knowledge(purpose)
      return storages.filter(({ key }) => !isFresh(table.get(key)))
    },
    async firstWithoutDoubt(storages) {
      const { table } = await knowledge('write')
      const first = storages.find(({ key }) => {
        const status = table.get(key)
        return !isFresh(status) || status.alive
      })
      return first !== undefined && isFresh(table.get(first.key)) ? first : undefined
    },
    async learn(storage, event) {
      if (!settings.check) return
      const ok = event.ok || !isFailureOfStorage(event.code)
      const call = { weight: weightOf(event.operation, event), ok, atMs: now().getTime() }
      for (const loading of known.values()) learnOne(await loading, storage, { call, settings, report })
    },
    async close(storages) {
      for (const [purpose, loading] of known) {
        const facts = await loading
        if (facts.changed || (facts.touched && (await caches[purpose].isDue()))) await caches[purpose].save(entriesOf(facts, storages))
      }
    },
  }
}

async function loadKnowledge(cache: StatusCache): Promise<Knowledge> {
  return { table: new Map(await cache.load()), reasons: new Map(), changed: false, touched: false }
}

function entriesOf({ table }: Knowledge, storages: readonly PoolStorage[]): ReadonlyMap<string, StorageStatus> {
  const keys = new Set(storages.map(({ key }) => key))
  return new Map([...table].filter(([key]) => keys.has(key)))
}

function learnOne(
  facts: Knowledge,
  { key, name }: PoolStorage,
  { call, settings, report }: Pick<StoragePoolOptions, 'settings' | 'report'> & { readonly call: Parameters<typeof afterCall>[1] },
): void {
  const before = facts.table.get(key)
  if (before === undefined) return
  const after = afterCall(before, call, settings.limits)
  facts.table.set(key, after)
  facts.touched = true
  if (after.alive === before.alive) return
  facts.changed = true
  report({ type: 'storage-warning', storage: name, message: `the storage ${name} counts as ${after.alive ? 'alive again' : 'dead'} now` })
}

function chosenStorages(left: readonly PoolStorage[], { storages, settings }: StoragePoolOptions): readonly PoolStorage[] {
  const names = storages.map(({ name }) => name).join(', ')
  if (left.length === 0) throw unknownFault('WALTZ_FAILOVER_IGNORE leaves every storage out', names)
  const { target, ignored } = settings
  if (target === undefined) return left
  const wanted = storages.find(({ name }) => name === target) ?? storages.find(({ name }) => name.toLowerCase() === target.toLowerCase())
  if (wanted === undefined) throw unknownFault(`there is no storage ${JSON.stringify(target)}`, names)
  if (ignored.includes(wanted.name))
    throw unknownFault(`the storage ${wanted.name} is asked for and left out by WALTZ_FAILOVER_IGNORE`, names)
  return [wanted]
}

function tellTrial(name: string, { alive, why, leftover }: TrialResult, report: (event: StorageEvent) => void): void {
  if (!alive) report({ type: 'storage-warning', storage: name, message: `the storage ${name} is not alive: ${why ?? ''}` })
  if (leftover !== undefined)
    report({
      type: 'storage-warning',
      storage: name,
      message: `the object of a trial could not be removed from the storage ${name}: ${leftover}`,
    })
}

function agoText(status: StorageStatus | undefined, now: () => Date): string {
  if (status === undefined) return 'it was never tried'
  return `it did not answer ${Math.round((now().getTime() - status.updatedMs) / 1000)} s ago`
}

/** Answers that a storage which works may give. */
const ANSWERS: ReadonlySet<string> = new Set([
  'STORAGE_NOT_FOUND',
  'STORAGE_ALREADY_EXISTS',
  'STORAGE_OBJECT_REPLACED',
  'STORAGE_OBJECT_CHANGED',
  'STORAGE_KEY_INVALID',
  'STORAGE_RANGE_INVALID',
  'STORAGE_SIZE_MISMATCH',
  'STORAGE_OBJECT_TOO_LARGE',
  'STORAGE_BODY_USED',
  'STORAGE_CONDITIONAL_PUT_UNSUPPORTED',
  'STORAGE_RETENTION_LOCKED',
  'STORAGE_VERSIONS_UNSUPPORTED',
  'STORAGE_COPY_UNSUPPORTED',
  'STORAGE_OPTIONS_INVALID',
  'STORAGE_WRAPPER_INVALID',
])

/** A body that its producer broke off, or a caller who gave up, say nothing about the storage. */
function isFailureOfStorage(code: string | undefined): boolean {
  return code?.startsWith('STORAGE_') === true && !ANSWERS.has(code)
}

/** The fault for a time when nothing can be written: `unavailable` `STORAGE_NONE_ALIVE`. */
function noneAliveFault(statuses: readonly KnownStorage[]): Fault {
  const each = statuses.map(({ storage, why }) => `${storage.name}: ${why ?? ''}`).join('; ')
  return new Fault('unavailable', 'STORAGE_NONE_ALIVE', `no storage is alive: ${each}`, {
    hint: 'waltz st check write shows the same; WALG_FAILOVER_STORAGES_CHECK=false does without trials',
    context: { storages: statuses.map(({ storage }) => storage.name).join(', ') },
  })
}

function unknownFault(message: string, names: string): Fault {
  return new Fault('invalid', 'STORAGE_UNKNOWN', message, { hint: `there are ${names}` })
}
