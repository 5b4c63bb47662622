import { readAll, sourceOf } from '@waltz/bytes'
import { Fault, isFault, throwIfAborted } from '@waltz/errors'
import {
  backupNotFoundFault,
  createBackupCatalog,
  decodeMetadata,
  metadataKey,
  metadataNotFoundFault,
  parseBackupName,
  withPermanence,
  type Sentinel,
} from '@waltz/repository'
import type { CallOptions, ObjectInfo, ObjectStore } from '@waltz/storage'
import { partlyUnavailable } from '../failover/read-from-all.ts'
import { createBackupChains } from './backup-chains.ts'
import type { CatalogueEntry, SilentStorage } from './catalogue-entry.ts'
import { readCatalogue } from './read-catalogue.ts'

/** A storage whose backups can be marked. */
export interface MarkableStorage {
  readonly name: string
  readonly store: ObjectStore
  readonly why?: string | undefined
}

/** What is marked how. */
export interface MarkBackupOptions extends CallOptions {
  /** Exactly; `LATEST` is a name like any other here, as for WAL-G (CMD 3.4). */
  readonly name: string
  /** True: it and all its ancestors become permanent. False: it alone no longer is. */
  readonly permanent: boolean
  readonly now: () => Date
}

/** What became of one backup. */
export interface MarkedBackup {
  readonly storage: string
  readonly name: string
  /** False when it was in that state before. */
  readonly changed: boolean
}

/** What was marked. */
export interface MarkResult {
  /** By storage, ancestors first. */
  readonly backups: readonly MarkedBackup[]
  /** Storages that did not answer. A backup of the same name there is as it was. */
  readonly silent: readonly SilentStorage[]
}

interface PlannedMark extends MarkedBackup {
  readonly store: ObjectStore
  readonly info: ObjectInfo
  readonly bytes: Uint8Array
}

const MAX_METADATA_BYTES = 64 * 1_048_576

/**
 * Marks a backup in every storage that has it, by changing the mark in `metadata.json` and nothing else: the sentinel keeps its time, and
 * with it `LATEST` its meaning. Everything is looked at before anything is written, ancestors are written before what was made from them.
 * @throws Fault `not-found` `BACKUP_NOT_FOUND`, or `BACKUP_METADATA_NOT_FOUND` for it or an ancestor; `conflict` `BACKUP_NEEDED` when a
 * permanent backup depends on one that shall not be permanent; `conflict` `STORAGE_OBJECT_REPLACED` when somebody else was faster;
 * `unavailable` `STORAGE_PARTLY_UNAVAILABLE` when it was not found and not every storage answered.
 */
export async function markBackup(storages: readonly MarkableStorage[], options: MarkBackupOptions): Promise<MarkResult> {
  const { planned, silent, missing } = await planAll(storages, options)
  if (planned.length === 0) {
    if (missing !== undefined && silent.length === 0) throw missing
    throw partlyUnavailable(
      `whether there is a backup ${options.name}`,
      silent.map(({ storage, why }) => ({ name: storage, why })),
    )
  }
  for (const mark of planned) if (mark.changed) await write(mark, options)
  return { backups: planned.map(({ storage, name, changed }) => ({ storage, name, changed })), silent }
}

interface PlannedMarks {
  readonly planned: readonly PlannedMark[]
  readonly silent: readonly SilentStorage[]
  /** What the first storage said that has no such backup. */
  readonly missing: Fault | undefined
}

async function planAll(storages: readonly MarkableStorage[], options: MarkBackupOptions): Promise<PlannedMarks> {
  const planned: PlannedMark[] = []
  const silent: SilentStorage[] = []
  let missing: Fault | undefined
  for (const storage of storages) {
    if (storage.why !== undefined) {
      silent.push({ storage: storage.name, why: storage.why })
      continue
    }
    try {
      planned.push(...(await planMarks(storage, options)))
    } catch (error) {
      throwIfAborted(options.signal)
      if (isMissing(error, options.name)) missing ??= error
      else if (storages.length > 1 && isFault(error, 'unavailable')) silent.push({ storage: storage.name, why: error.message })
      else throw error
    }
  }
  return { planned, silent, missing }
}

function isMissing(error: unknown, name: string): error is Fault {
  return isFault(error, 'not-found') && error.code === 'BACKUP_NOT_FOUND' && error.context['backup'] === name
}

async function planMarks(storage: MarkableStorage, options: MarkBackupOptions): Promise<readonly PlannedMark[]> {
  const { name, permanent } = options
  const sentinel = await createBackupCatalog(storage.store).readSentinel(checkedName(name), callOf(options))
  if (permanent) {
    const chain = [...(await ancestorsOf(storage, options, sentinel)).toReversed(), name]
    const marks: PlannedMark[] = []
    for (const one of chain) marks.push(await planMark(storage, one, options))
    return marks
  }
  const mark = await planMark(storage, name, options)
  if (mark.changed) await refuseIfNeeded(storage, options)
  return [mark]
}

function checkedName(name: string): string {
  if (name !== '' && !name.includes('/')) return name
  throw backupNotFoundFault(name)
}

/** Parent first. */
async function ancestorsOf(storage: MarkableStorage, options: MarkBackupOptions, sentinel: Sentinel): Promise<readonly string[]> {
  const catalog = createBackupCatalog(storage.store)
  const ancestors: string[] = []
  let below = options.name
  for (let at = sentinel; at.increment !== undefined;) {
    const { parent } = at.increment
    if (parent === options.name || ancestors.includes(parent)) throw lostParent(below, parent, 'which was made from it')
    try {
      at = await catalog.readSentinel(checkedName(parent), callOf(options))
    } catch (error) {
      throw isFault(error, 'not-found') ? lostParent(below, parent, 'which is not there', error) : error
    }
    ancestors.push(parent)
    below = parent
  }
  return ancestors
}

function lostParent(backup: string, parent: string, why: string, cause?: unknown): Fault {
  return new Fault('not-found', 'BACKUP_PARENT_LOST', `${backup} was made from ${parent}, ${why}: it cannot be restored`, {
    context: { backup, parent },
    hint: 'Nothing was marked. Keep another backup, one that `waltz backup-list --extended` calls complete.',
    cause,
  })
}

async function planMark(storage: MarkableStorage, name: string, options: MarkBackupOptions): Promise<PlannedMark> {
  const { store } = storage
  const key = metadataKey(name)
  try {
    await using body = await store.get(key, callOf(options))
    const before = await readAll(body, MAX_METADATA_BYTES)
    const changed = decodeMetadata(before, { origin: key }).permanent !== options.permanent
    const bytes = changed ? withPermanence(before, options.permanent, { origin: key }) : before
    return { storage: storage.name, name, changed, store, info: body.info, bytes }
  } catch (error) {
    if (!isFault(error, 'not-found')) throw error
    throw metadataNotFoundFault(name, key, error)
  }
}

/** Every sentinel is read: only they tell what was made from what. */
async function refuseIfNeeded(storage: MarkableStorage, { name, now, signal }: MarkBackupOptions): Promise<void> {
  const catalogue = await readCatalogue([storage], { now, ...(signal !== undefined && { signal }) })
  const chains = createBackupChains(catalogue.entries)
  const entry = catalogue.entries.find((one) => one.name === name)
  const descendants = entry === undefined ? [] : chains.descendantsOf(entry)
  const segment = parseBackupName(name)?.segment
  // Of a backup whose sentinel cannot be read only the name says what it was made from.
  const perhaps = catalogue.entries.filter(
    (one) => one.status === 'sentinel-unreadable' && segment !== undefined && parseBackupName(one.name)?.parentSegment === segment,
  )
  const needing = [...descendants, ...perhaps].find((one) => one.permanent || isUnclear(one))
  if (needing === undefined) return
  const what = isUnclear(needing) ? `${needing.name}, whose metadata.json cannot be read,` : `the permanent backup ${needing.name}`
  throw new Fault('conflict', 'BACKUP_NEEDED', `cannot mark ${name} as impermanent: ${what} depends on it`, {
    context: { backup: name, needed_by: needing.name, storage: storage.name },
    hint: `Mark ${needing.name} as impermanent first.`,
  })
}

function isUnclear({ findings }: CatalogueEntry): boolean {
  return findings.some(({ kind }) => kind === 'metadata-unreadable')
}

async function write({ store, info, bytes, name }: PlannedMark, options: MarkBackupOptions): Promise<void> {
  await store.put(metadataKey(name), sourceOf(bytes), {
    ...callOf(options),
    size: bytes.length,
    contentType: 'application/json',
    ...(store.capabilities.ifMatch && info.etag !== undefined && { ifMatch: info.etag }),
  })
}

function callOf({ signal }: CallOptions): CallOptions {
  return signal === undefined ? {} : { signal }
}
