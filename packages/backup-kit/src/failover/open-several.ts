import { createHash } from 'node:crypto'
import { Fault, isFault } from '@waltz/errors'
import { backupsFolder, createBackupCatalog } from '@waltz/repository'
import { chooseStorage, readFailoverStorages, redact, settingsTable, type Settings, type StorageKind } from '@waltz/settings'
import type { CallOptions, ObjectStore } from '@waltz/storage'
import type { WalArchive } from '@waltz/wal-archive'
import { kitStorage, protectedPaths, tried } from '../kit-of-one.ts'
import type { BackupPlace, KitStorage, KitStorages } from '../kit-storage.ts'
import { openBackend } from '../open-backend.ts'
import { FIRST_STORAGE } from '../open-store.ts'
import { walArchiveFromSettings, type WalArchiveChoices } from '../wal-archive-from-settings.ts'
import { randomHex } from '../random.ts'
import type { StorageContext } from '../storage-context.ts'
import { impatientView } from '../storage-views.ts'
import { backupsOfAll } from './backups-of-all.ts'
import { failoverSettings } from './failover-settings.ts'
import { readFromAll } from './read-from-all.ts'
import { createStatusCache, statusCachePath } from './status-cache.ts'
import { createStoragePool, type KnownStorage, type PoolStorage, type StoragePool } from './storage-pool.ts'
import { patientWal, walOfAll } from './wal-of-all.ts'

/**
 * The first storage and those of WALG_FAILOVER_STORAGES as one (RF 10.2, SET 6). Each is opened at once, so that settings which cannot be
 * used are known before something is needed of them; none is asked for anything.
 * @throws Fault `invalid` for settings that cannot be used.
 */
export async function openSeveralStorages(settings: Settings, context: StorageContext, targetStorage?: string): Promise<KitStorages> {
  const storages = await openAll(settings, context)
  const poolFor = (target: string | undefined): StoragePool => createPool(storages, { settings, context, target })
  const pool = poolFor(targetStorage)
  const several: Several = { settings, context, storages, pool }
  const judge = (options?: CallOptions): Promise<readonly KnownStorage[]> => pool.judge('read', options)
  return {
    store: (storages[0] as KitStorage).store,
    backups: backupsOfAll({ judge, report: context.report }),
    list: (options) => tried(storages, settings, options),
    openWal: async (choices) => openWal(several, choices),
    placeForBackup: async ({ targetStorage: target, signal }) =>
      placeForBackup(target === undefined ? several : { ...several, pool: poolFor(target) }, signal),
    toSurvey: async (options) =>
      (await judge(options)).map(({ storage: { name, store }, alive, why = 'it does not answer' }) => ({
        name,
        store,
        ...(alive ? {} : { why }),
      })),
    sourceOfRestore: async (selector, signal) => sourceOfRestore(several, judge, { selector, signal }),
    async [Symbol.asyncDispose]() {
      await pool.close()
      await Promise.all(storages.map(({ store }) => store[Symbol.asyncDispose]()))
    },
  }
}

interface Several {
  readonly settings: Settings
  readonly context: StorageContext
  readonly storages: readonly KitStorage[]
  readonly pool: StoragePool
}

async function openAll(settings: Settings, context: StorageContext): Promise<readonly KitStorage[]> {
  const named = [{ name: FIRST_STORAGE, settings }, ...orderedByKey(readFailoverStorages(settings).storages)]
  return await Promise.all(
    named.map(async (one) => kitStorage(await openBackend({ settings: one.settings, context, name: one.name }), one.settings, context)),
  )
}

function orderedByKey<Named extends { readonly name: string; readonly settings: Settings }>(storages: readonly Named[]): readonly Named[] {
  return storages.toSorted((left, right) => (keyOf(left.name, left.settings) < keyOf(right.name, right.settings) ? -1 : 1))
}

const AREAS: Readonly<Record<StorageKind, string>> = {
  oss: 'oss',
  s3: 's3',
  file: 'storage',
  gs: 'gcs',
  az: 'azure',
  swift: 'swift',
  ssh: 'ssh',
}

/** `name#hash`: other settings are another storage to the cache, secrets excepted (SET 4). */
function keyOf(name: string, settings: Settings): string {
  const choice = chooseStorage(settings)
  const area = AREAS[choice?.kind ?? 'file']
  const shown = redact(settingsTable, settings)
  const own = Object.values(settingsTable).filter((row) => row.area === area && !('secret' in row))
  const configuration = JSON.stringify([
    choice?.kind,
    choice?.prefix,
    settings.storagePrefix,
    own.map((row) => [row.name, shown[row.name]]),
  ])
  return `${name}#${createHash('sha256').update(configuration).digest('hex').slice(0, 32)}`
}

function createPool(
  storages: readonly KitStorage[],
  { settings, context, target }: { readonly settings: Settings; readonly context: StorageContext; readonly target: string | undefined },
): StoragePool {
  const { now, home } = context.surroundings
  const cache = (purpose: 'read' | 'write'): ReturnType<typeof createStatusCache> =>
    createStatusCache({
      path: statusCachePath(home, purpose),
      now,
      randomHex,
      onTrouble: (message) => context.report({ type: 'storage-warning', storage: 'all', message }),
    })
  return createStoragePool({
    storages: storages.map((storage) => ({
      name: storage.name,
      key: keyOf(storage.name, storage.settings),
      store: storage.store,
      impatient: impatientView(storage.backend),
    })),
    settings: failoverSettings(settings, target),
    caches: { read: cache('read'), write: cache('write') },
    now,
    report: context.report,
  })
}

function openWal(several: Several, choices: WalArchiveChoices): WalArchive {
  const { settings, context, pool } = several
  const { surroundings, format } = context
  const open = async (store: ObjectStore): Promise<WalArchive> =>
    walArchiveFromSettings({ settings, surroundings, store, format: await format.open() }, choices)
  let writing: Promise<WalArchive> | undefined
  return walOfAll({
    writing: () => (writing ??= writingArchive(several, open)),
    judge: (options) => pool.judge('read', options),
    open,
    timeoutMs: settings.failoverStoragesCheckTimeout,
  })
}

/** The archive in the first storage that is alive; when that one dies before it has stored a file, the next one gets it. */
async function writingArchive({ context, pool }: Several, open: (store: ObjectStore) => Promise<WalArchive>): Promise<WalArchive> {
  let chosen = await pool.chooseForWriting()
  tellChoice(chosen, context)
  let archive = await open(chosen.store)
  const movedOn = async (error: unknown, signal: AbortSignal | undefined): Promise<boolean> => {
    if (!isLost(error) || signal?.aborted === true) return false
    const call = signal === undefined ? {} : { signal }
    if ((await pool.retry(chosen.name, 'write', call)).alive) return false
    chosen = await pool.chooseForWriting(call)
    tellChoice(chosen, context)
    archive = await open(chosen.store)
    return true
  }
  const again = async <Result>(signal: AbortSignal | undefined, work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work()
    } catch (error) {
      if (await movedOn(error, signal)) return await work()
      throw error
    }
  }
  return {
    ...archive,
    push: (name, body, options) => again(options.signal, () => archive.push(name, body, options)),
    admit: (systemIdentifier, options) => again(options?.signal, () => archive.admit(systemIdentifier, options)),
    ensureRange: (request) => again(request.signal, () => archive.ensureRange(request)),
  }
}

function tellChoice({ name, store }: PoolStorage, context: StorageContext): void {
  const why = name === FIRST_STORAGE ? 'it is alive' : 'it is the first that is alive, or the one that was asked for'
  context.report({ type: 'storage-chosen', storage: name, location: store.location, why })
}

/** Whether a storage did not do what it should: it did not answer, or refused. */
function isLost(error: unknown): error is Fault {
  return isFault(error) && (error.kind === 'unavailable' || error.kind === 'denied') && error.code.startsWith('STORAGE_')
}

async function placeForBackup(several: Several, signal: AbortSignal | undefined): Promise<BackupPlace> {
  const { context, pool } = several
  const call = signal === undefined ? {} : { signal }
  const chosen = await pool.chooseForWriting(call)
  tellChoice(chosen, context)
  const report = (message: string): void => context.report({ type: 'storage-warning', storage: chosen.name, message })
  return {
    name: chosen.name,
    store: chosen.store,
    archive: patientWal(openWal(several, {}), report),
    async explain(error) {
      if (!isLost(error) || signal?.aborted === true) return error
      // So that the next backup goes elsewhere, and does not find out by itself.
      const { alive } = await pool.retry(chosen.name, 'write', call)
      return lostFault(chosen.name, error, alive)
    },
  }
}

function lostFault(name: string, error: Fault, isBack: boolean): Fault {
  return new Fault(error.kind, 'STORAGE_LOST', `the storage ${name} failed during the backup: ${error.message}`, {
    hint: isBack
      ? 'it answers again; a backup is not continued: run it again'
      : 'a backup lies in one storage, and is not moved to another in the middle: run it again, and it goes to the first storage that is alive',
    context: { ...error.context, storage: name },
    cause: error,
    retryable: false,
  })
}

async function sourceOfRestore(
  { storages, context }: Several,
  judge: (options?: CallOptions) => Promise<readonly KnownStorage[]>,
  { selector, signal }: { readonly selector: Parameters<KitStorages['sourceOfRestore']>[0]; readonly signal: AbortSignal | undefined },
): ReturnType<KitStorages['sourceOfRestore']> {
  const call = signal === undefined ? {} : { signal }
  const known = await judge(call)
  const alive = known.filter((one) => one.alive).map(({ storage }) => storage)
  const tell = ({ name, why }: { readonly name: string; readonly why: string }): void =>
    context.report({
      type: 'storage-warning',
      storage: name,
      message: `the restore does without the storage ${name}, which does not answer: ${why}`,
    })
  const paths = protectedPaths(storages.map(({ settings }) => settings))
  const all = readFromAll(alive, { onSilence: tell })
  if (selector === undefined) {
    for (const { storage, why } of known.filter((one) => !one.alive)) tell({ name: storage.name, why: why ?? '' })
    return { store: all, catalog: createBackupCatalog(all), selector, protectedPaths: paths }
  }
  const found = await backupsOfAll({ judge, report: context.report }).find(selector, call)
  const holder = alive.find(({ name }) => name === found.storage) as PoolStorage
  return {
    store: routed(holder.store, all),
    catalog: createBackupCatalog(holder.store),
    selector: { name: found.name },
    protectedPaths: paths,
  }
}

/** A backup comes from the storage that it lies in, WAL from any. */
function routed(holder: ObjectStore, all: ObjectStore): ObjectStore {
  const by = (key: string): ObjectStore => (key.startsWith(backupsFolder) ? holder : all)
  return {
    ...all,
    location: holder.location,
    head: (key, options) => by(key).head(key, options),
    get: (key, options) => by(key).get(key, options),
    list: (prefix, options) => by(prefix).list(prefix, options),
    listGroups: (prefix, options) => by(prefix).listGroups(prefix, options),
  }
}
