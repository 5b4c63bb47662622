import type { TimelineId } from '@waltz/pg-structures'
import {
  backupFolder,
  backupOfSentinelKey,
  backupsFolder,
  leaseKey,
  metadataKey,
  parseBackupName,
  sentinelKey,
  walFileNameOf,
} from '@waltz/repository'
import { pagesOf, type CallOptions, type ObjectInfo } from '@waltz/storage'
import { factsOf } from './backup-facts.ts'
import type { CatalogueEntry, FolderSum, ForeignObjects } from './catalogue-entry.ts'
import type { CatalogueStorage } from './read-catalogue.ts'

/** What a listing is to tell. */
export interface SurveyOptions extends CallOptions {
  /** Whether what lies in the folders is looked at, or only sentinels. */
  readonly folders: boolean
  readonly onObjects?: (objects: readonly ObjectInfo[], storage: string) => void | Promise<void>
}

/** What one listing of `basebackups_005/` told. */
export interface BackupSurvey {
  /** Entries without what the documents say; those without sentinel are `unfinished`. By name. */
  readonly entries: readonly CatalogueEntry[]
  readonly foreign: ForeignObjects | undefined
}

interface Folder {
  objects: number
  bytes: number
  newestAt: Date | undefined
  metadata: ObjectInfo | undefined
  lease: ObjectInfo | undefined
}

/** One listing of a storage's `basebackups_005/`. Memory for one record of each backup, whatever the number of objects. */
export async function surveyBackups(storage: CatalogueStorage, { folders, signal, onObjects }: SurveyOptions): Promise<BackupSurvey> {
  const call = signal === undefined ? {} : { signal }
  const sentinels = new Map<string, ObjectInfo>()
  const found = new Map<string, Folder>()
  for await (const objects of pagesOf(storage.store.list(backupsFolder, { ...call, ...(folders ? {} : { oneLevel: true }) }))) {
    for (const object of objects) {
      const name = backupOfSentinelKey(object.key)
      // Names end at the first `_backup`: another key that comes to the same name is not the one that is read, and removed.
      if (name !== undefined && object.key === sentinelKey(name)) sentinels.set(name, object)
      else if (folders) addObject(found, object)
    }
    if (folders) await onObjects?.(objects, storage.name)
  }
  const names = [...new Set([...sentinels.keys(), ...found.keys()])]
    .filter((name) => sentinels.has(name) || isBackupFolder(name))
    .toSorted()
  const entries = names.map((name) => entryOf({ storage: storage.name, name, folders }, sentinels.get(name), found.get(name)))
  return { entries, foreign: foreignOf(storage.name, found, sentinels) }
}

/** The same for the folder of one backup, whose sentinel is known: one listing of that folder. */
export async function surveyFolder(
  storage: CatalogueStorage,
  { name, sentinel }: { readonly name: string; readonly sentinel: ObjectInfo | undefined },
  { signal, onObject }: CallOptions & { readonly onObject: (object: ObjectInfo) => void },
): Promise<CatalogueEntry> {
  const found = new Map<string, Folder>()
  for await (const object of storage.store.list(backupFolder(name), signal === undefined ? {} : { signal })) {
    addObject(found, object)
    onObject(object)
  }
  return entryOf({ storage: storage.name, name, folders: true }, sentinel, found.get(name))
}

/** Objects directly in `basebackups_005/` count under the empty name. */
function addObject(found: Map<string, Folder>, object: ObjectInfo): void {
  const slash = object.key.indexOf('/', backupsFolder.length)
  const name = slash === -1 ? '' : object.key.slice(backupsFolder.length, slash)
  let folder = found.get(name)
  if (folder === undefined) {
    folder = { objects: 0, bytes: 0, newestAt: undefined, metadata: undefined, lease: undefined }
    found.set(name, folder)
  }
  folder.objects += 1
  folder.bytes += object.size
  if (folder.newestAt === undefined || object.modifiedAt > folder.newestAt) folder.newestAt = object.modifiedAt
  if (object.key === metadataKey(name)) folder.metadata = object
  else if (object.key === leaseKey(name)) folder.lease = object
}

/** Whether a folder without sentinel can be that of a backup: others are somebody else's, whatever is in them. */
function isBackupFolder(name: string): boolean {
  return parseBackupName(name) !== undefined
}

function entryOf(
  { storage, name, folders }: { readonly storage: string; readonly name: string; readonly folders: boolean },
  sentinel: ObjectInfo | undefined,
  folder: Folder | undefined,
): CatalogueEntry {
  return {
    ...factsOf(undefined, undefined),
    problem: undefined,
    findings: [],
    name,
    storage,
    status: sentinel === undefined ? 'unfinished' : 'complete',
    sentinel,
    metadataObject: folder?.metadata,
    leaseObject: folder?.lease,
    folder: folders ? sumOf(folder) : undefined,
    walFileName: walFileNameOf(name),
    timeline: timelineOf(name),
  }
}

function sumOf(folder: Folder | undefined): FolderSum {
  return { objects: folder?.objects ?? 0, bytes: folder?.bytes ?? 0, newestAt: folder?.newestAt }
}

function timelineOf(name: string): TimelineId | undefined {
  const segment = /[0-9A-F]{24}/.exec(name)?.[0]
  const timeline = segment === undefined ? 0 : Number.parseInt(segment.slice(0, 8), 16)
  return timeline === 0 ? undefined : (timeline as TimelineId)
}

function foreignOf(
  storage: string,
  found: ReadonlyMap<string, Folder>,
  sentinels: ReadonlyMap<string, ObjectInfo>,
): ForeignObjects | undefined {
  const foreign = [...found].filter(([name]) => !sentinels.has(name) && !isBackupFolder(name))
  const [first] = foreign
  if (first === undefined) return undefined
  const newest = foreign.flatMap(([, { newestAt }]) => (newestAt === undefined ? [] : [newestAt.getTime()]))
  return {
    storage,
    example: first[0] === '' ? backupsFolder : backupFolder(first[0]),
    sum: {
      objects: foreign.reduce((sum, [, { objects }]) => sum + objects, 0),
      bytes: foreign.reduce((sum, [, { bytes }]) => sum + bytes, 0),
      newestAt: newest.length === 0 ? undefined : new Date(Math.max(...newest)),
    },
  }
}
