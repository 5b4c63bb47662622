import { readAll } from '@waltz/bytes'
import { isFault, type Fault } from '@waltz/errors'
import type { BackupManifest, BackupSelector } from '@waltz/repository'
import {
  backupFolder,
  backupNotFoundFault,
  decodeManifest,
  filesMetadataKey,
  manifestKey,
  noBackupFault,
  parseBackupName,
  partsPrefix,
} from '@waltz/repository'
import type { CallOptions, ObjectInfo } from '@waltz/storage'
import { partlyUnavailable } from '../failover/read-from-all.ts'
import { findInChains } from './backup-chains.ts'
import { readDocuments } from './backup-documents.ts'
import type { CatalogueEntry } from './catalogue-entry.ts'
import { readCatalogue, type CatalogueStorage } from './read-catalogue.ts'
import { surveyFolder } from './survey-backups.ts'

/** Which backup is described. */
export interface DescribeBackupOptions extends CallOptions {
  /** User data is not looked for: give the name that `find` found. */
  readonly selector: Exclude<BackupSelector, { readonly userData: unknown }>
  /** The storage that it lies in; the first that has it unless given. */
  readonly storage?: string | undefined
  readonly now: () => Date
  readonly writtenWithinMs?: number
}

/** Everything that is known of one backup. */
export interface BackupDescription {
  readonly entry: CatalogueEntry
  /** What it was made from: the parent first. */
  readonly ancestors: readonly CatalogueEntry[]
  /** What was made from it directly. */
  readonly children: readonly CatalogueEntry[]
  /** Everything in `tar_partitions/`. */
  readonly parts: { readonly objects: number; readonly bytes: number }
  /** The file list; undefined when there is none. */
  readonly filesMetadata: ObjectInfo | undefined
  /** What Waltz noted of it; undefined for backups of WAL-G. */
  readonly manifest: BackupManifest | undefined
  /** Why the note cannot be read. */
  readonly manifestProblem: Fault | undefined
  /** Other storages with a backup of the same name. */
  readonly alsoIn: readonly string[]
}

const DAY_MS = 86_400_000
const MAX_MANIFEST_BYTES = 256 * 1_048_576

/**
 * Describes one backup without reading all the others: names are listed on one level, its own folder and those of its relatives are
 * listed, and at most two small objects are read of each. A folder without sentinel is described too.
 * @throws Fault `not-found` `BACKUP_NOT_FOUND` or `BACKUP_NONE`; `unavailable` `STORAGE_PARTLY_UNAVAILABLE` when not every storage answered.
 */
export async function describeBackup(storages: readonly CatalogueStorage[], options: DescribeBackupOptions): Promise<BackupDescription> {
  const { storage, name, listed, alsoIn } = await locate(storages, options)
  const family: Family = { storage, sentinels: new Map(listed.map((entry) => [entry.name, entry.sentinel])), options }
  const own: ObjectInfo[] = []
  let parts = { objects: 0, bytes: 0 }
  const entry = await readEntry(family, name, (object) => {
    if (object.key === filesMetadataKey(name) || object.key === manifestKey(name)) own.push(object)
    if (object.key.startsWith(partsPrefix(name))) parts = { objects: parts.objects + 1, bytes: parts.bytes + object.size }
  })
  if (entry.sentinel === undefined && entry.folder?.objects === 0) throw backupNotFoundFault(name)
  const ancestors = await readAncestors(family, entry)
  const [checked = entry] = findInChains([entry, ...ancestors])
  const hasManifest = own.some(({ key }) => key === manifestKey(name))
  return {
    entry: checked,
    ancestors,
    children: await readChildren(family, entry),
    parts,
    filesMetadata: own.find(({ key }) => key === filesMetadataKey(name)),
    ...(hasManifest ? await readManifest(family, name) : { manifest: undefined, manifestProblem: undefined }),
    alsoIn,
  }
}

interface Family {
  readonly storage: CatalogueStorage
  /** Of every backup of the storage. */
  readonly sentinels: ReadonlyMap<string, ObjectInfo | undefined>
  readonly options: DescribeBackupOptions
}

interface Located {
  readonly storage: CatalogueStorage
  readonly name: string
  /** Names and sentinels of the storage. */
  readonly listed: readonly CatalogueEntry[]
  readonly alsoIn: readonly string[]
}

/** Where the backup lies: by listings of one level. A name without sentinel may be an unfinished one of the only, or the wanted, storage. */
async function locate(
  storages: readonly CatalogueStorage[],
  { selector, storage: wanted, now, signal }: DescribeBackupOptions,
): Promise<Located> {
  const asked = wanted === undefined ? storages : storages.filter(({ name }) => name === wanted)
  const { entries, silent } = await readCatalogue(asked, { now, documents: false, ...(signal !== undefined && { signal }) })
  const name = 'name' in selector ? selector.name : entries.at(-1)?.name
  if (name === undefined) throw noBackupFault()
  if (name === '' || name.includes('/')) throw backupNotFoundFault(name)
  const found = 'name' in selector ? entries.filter((entry) => entry.name === name) : entries.slice(-1)
  const answering = asked.filter((storage) => silent.every((one) => one.storage !== storage.name))
  const storage = answering.find((one) => found.some((entry) => entry.storage === one.name)) ?? (await withFolder(answering, name, signal))
  if (storage === undefined) {
    if (silent.length === 0) throw backupNotFoundFault(name)
    throw partlyUnavailable(
      `whether there is a backup ${name}`,
      silent.map(({ storage: silentName, why }) => ({ name: silentName, why })),
    )
  }
  const alsoIn = entries.filter((entry) => entry.name === name && entry.storage !== storage.name).map((entry) => entry.storage)
  return { storage, name, listed: entries.filter((entry) => entry.storage === storage.name), alsoIn }
}

/** The first storage with a folder of that name. */
async function withFolder(
  storages: readonly CatalogueStorage[],
  name: string,
  signal: AbortSignal | undefined,
): Promise<CatalogueStorage | undefined> {
  for (const storage of storages)
    for await (const _ of storage.store.list(backupFolder(name), signal === undefined ? {} : { signal })) return storage
  return undefined
}

async function readEntry(
  { storage, sentinels, options }: Family,
  name: string,
  onObject: (object: ObjectInfo) => void = () => undefined,
): Promise<CatalogueEntry> {
  const call = options.signal === undefined ? {} : { signal: options.signal }
  const listed = await surveyFolder(storage, { name, sentinel: sentinels.get(name) }, { ...call, onObject })
  const [entry = listed] = await readDocuments(storage, [listed], {
    ...call,
    takenAt: options.now(),
    writtenWithinMs: options.writtenWithinMs ?? DAY_MS,
    readsAtOnce: 1,
    known: () => undefined,
  })
  return entry
}

async function readAncestors(family: Family, entry: CatalogueEntry): Promise<readonly CatalogueEntry[]> {
  const ancestors: CatalogueEntry[] = []
  for (let parent = entry.increment?.parent; parent !== undefined; parent = ancestors.at(-1)?.increment?.parent) {
    const known = [entry, ...ancestors].some(({ name }) => name === parent)
    if (known || family.sentinels.get(parent) === undefined) break
    ancestors.push(await readEntry(family, parent))
  }
  return ancestors
}

/** An increment's name ends in the segment of its parent; whether it is this backup's, its sentinel says. */
async function readChildren(family: Family, { name }: CatalogueEntry): Promise<readonly CatalogueEntry[]> {
  const segment = parseBackupName(name)?.segment
  const children: CatalogueEntry[] = []
  for (const candidate of family.sentinels.keys()) {
    if (segment === undefined || parseBackupName(candidate)?.parentSegment !== segment) continue
    const entry = await readEntry(family, candidate)
    if (entry.increment?.parent === name) children.push(entry)
  }
  return children
}

async function readManifest(
  { storage, options: { signal } }: Family,
  name: string,
): Promise<Pick<BackupDescription, 'manifest' | 'manifestProblem'>> {
  const key = manifestKey(name)
  try {
    await using body = await storage.store.get(key, signal === undefined ? {} : { signal })
    return { manifest: decodeManifest(await readAll(body, MAX_MANIFEST_BYTES), { origin: key }), manifestProblem: undefined }
  } catch (error) {
    if (!isFault(error) || error.kind === 'unavailable' || error.kind === 'aborted') throw error
    return { manifest: undefined, manifestProblem: error }
  }
}
