import { readAll } from '@waltz/bytes'
import { isFault } from '@waltz/errors'
import type { TimelineId } from '@waltz/pg-structures'
import { parseBackupName, walFileNameOf, walFolder, waltzFolder } from '@waltz/repository'
import { catchupFolder, classifyKey, decodeRemovalIntent, isRemovalIntentKey, type RemovalIntent } from '@waltz/repository/removal'
import { pagesOf, type CallOptions, type ObjectInfo } from '@waltz/storage'
import { isEnded } from './removal-notes.ts'
import type { RemovalStorage } from './removal-storage.ts'
import { createFolderParts, type FolderPart, type FolderParts } from './folder-parts.ts'
import { spooled, type ObjectSpool, type SpoolFolder } from './object-spool.ts'
import { createWalSections, type WalSection, type WalSections } from './wal-sections.ts'
import type { WalSummer } from './wal-sum.ts'

/** A backup for standbys. */
export interface CatchupBackup {
  readonly name: string
  readonly walFileName: string
  readonly finished: boolean
  readonly bytes: number
  readonly objects: number
  readonly newestAt: Date
}

/** What lies in one storage beside the catalogue. */
export interface StorageSurvey {
  readonly storage: RemovalStorage
  /** Objects in folders of backups, below `catchup_005/` and `waltz/`, and WAL with histories, each in order of key. */
  readonly spools: Readonly<Record<'backups' | 'catchups' | 'wal' | 'waltz', ObjectSpool>>
  /** Where in their spools objects of each backup are, and WAL of each timeline. */
  readonly folders: readonly FolderPart[]
  readonly sections: readonly WalSection[]
  readonly catchups: readonly CatchupBackup[]
  readonly intents: readonly StoredIntent[]
  /** Notes of deletions that did end, and could not be removed: a lock kept them. */
  readonly endedNotes: readonly StoredIntent[]
  /** The newest modification time of all, by the store's clock. */
  readonly newestMs: number
  /** What is left alone because it belongs to no repository: how many, and the first. */
  readonly foreign: { readonly objects: number; readonly bytes: number; readonly example: string | undefined }
}

/** The note of a deletion that did not end. */
export interface StoredIntent {
  readonly key: string
  readonly intent: RemovalIntent
}

/** What listings of a storage add to, and what of them counts. */
export interface StorageParts {
  readonly call: CallOptions
  /** Objects that were stored later do not count; undefined for all. */
  readonly until: Date | undefined
  readonly summer: WalSummer
  /** Of WAL; undefined where it is not known. */
  readonly segmentBytes: number | undefined
  /** Gets the timelines of which there is a history. */
  readonly timelinesWithHistory: Set<TimelineId>
  /** Gets what a person should know. */
  readonly notes: string[]
}

/** Objects that were listed together, and what they belong to. */
export interface ListedPage {
  readonly kind: Exclude<keyof StorageSurvey['spools'], 'backups'>
  readonly objects: readonly ObjectInfo[]
}

/** A storage while it is looked at. */
export interface Beginning {
  readonly storage: RemovalStorage
  readonly spools: StorageSurvey['spools']
  readonly folders: FolderParts
  newestMs: number
  objects: number
  foreign: { objects: number; bytes: number; example: string | undefined }
}

/** Makes the files for what is listed. */
export function beginStorage(spools: SpoolFolder, storage: RemovalStorage): Beginning {
  const create = (kind: string): ObjectSpool => spools.create(`${encodeURIComponent(storage.name)}.${kind}`)
  const backups = create('backups')
  return {
    storage,
    spools: { backups, catchups: create('catchups'), wal: create('wal'), waltz: create('waltz') },
    folders: createFolderParts(backups),
    newestMs: 0,
    objects: 0,
    foreign: { objects: 0, bytes: 0, example: undefined },
  }
}

/** Notes what was listed of the backups. */
export function addBackupObjects(beginning: Beginning, objects: readonly ObjectInfo[], until: Date | undefined): void | Promise<void> {
  for (const object of objects) {
    if (!counts(beginning, object, until)) continue
    const known = classifyKey(object.key)
    if (known.kind === 'backup-object') beginning.folders.add(known.backup, spooled(object))
  }
  return beginning.spools.backups.settle()
}

/** Whether an object was stored before the time that counts; if so, it is one more. */
function counts(beginning: Beginning, { modifiedAt }: ObjectInfo, until: Date | undefined): boolean {
  if (until !== undefined && modifiedAt > until) return false
  const modifiedMs = modifiedAt.getTime()
  if (modifiedMs > beginning.newestMs) beginning.newestMs = modifiedMs
  beginning.objects += 1
  return true
}

/** Lists what lies beside the backups proper. */
export async function* listRest({ store }: RemovalStorage, call: CallOptions): AsyncGenerator<ListedPage> {
  for await (const objects of pagesOf(store.list(catchupFolder, call))) yield { kind: 'catchups', objects }
  for await (const objects of pagesOf(store.list(waltzFolder, call))) yield { kind: 'waltz', objects }
  for await (const objects of pagesOf(store.list(walFolder, call))) yield { kind: 'wal', objects }
}

/** Goes through what `listRest` lists. */
export async function finishStorage(beginning: Beginning, rest: AsyncIterable<ListedPage>, parts: StorageParts): Promise<StorageSurvey> {
  const { storage, spools, foreign, folders } = beginning
  const found: Found = { catchups: new Map(), notes: [], sections: createWalSections(spools.wal, parts.segmentBytes) }
  for await (const { kind, objects } of rest) {
    for (const object of objects) {
      if (!counts(beginning, object, parts.until)) continue
      if (kind === 'wal') addWal(beginning, found, { object, parts })
      else if (kind === 'waltz') await addOwn(beginning, found, { object, parts })
      else addCatchup(beginning, found, object)
    }
    await spools[kind].settle()
  }
  const intents = found.notes.filter(({ intent }) => !isEnded(intent))
  const endedNotes = found.notes.filter(({ intent }) => isEnded(intent))
  const { newestMs } = beginning
  const places = { folders: folders.parts(), sections: found.sections.sections() }
  return { storage, spools, ...places, catchups: [...found.catchups.values()], intents, endedNotes, newestMs, foreign }
}

interface Found {
  readonly catchups: Map<string, CatchupBackup>
  readonly notes: StoredIntent[]
  readonly sections: WalSections
}

interface Counted {
  readonly object: ObjectInfo
  readonly parts: StorageParts
}

function addWal(beginning: Beginning, { sections }: Found, { object, parts }: Counted): void {
  const known = classifyKey(object.key)
  if (known.kind === 'foreign') noteForeign(beginning, object)
  if (known.kind !== 'wal' && known.kind !== 'timeline-history') return
  sections.add(known, spooled(object))
  if (known.kind === 'wal') parts.summer.add(known, object.size, object.modifiedAt.getTime())
  else if (!known.sidecar) parts.timelinesWithHistory.add(known.timeline)
}

async function addOwn(beginning: Beginning, { notes }: Found, { object, parts }: Counted): Promise<void> {
  beginning.spools.waltz.add(spooled(object))
  if (isRemovalIntentKey(object.key)) await readIntent(beginning.storage, object.key, { ...parts, intents: notes })
}

function noteForeign({ foreign }: Beginning, { key, size }: ObjectInfo): void {
  foreign.objects += 1
  foreign.bytes += size
  foreign.example ??= key
}

function addCatchup(beginning: Beginning, { catchups }: Found, object: ObjectInfo): void {
  const known = classifyKey(object.key)
  beginning.spools.catchups.add(spooled(object))
  if (known.kind === 'foreign') noteForeign(beginning, object)
  if (known.kind !== 'sentinel' && known.kind !== 'backup-object') return
  const name = known.backup
  if (parseBackupName(name) === undefined) return
  const none = { name, walFileName: walFileNameOf(name), finished: false, bytes: 0, objects: 0, newestAt: object.modifiedAt }
  const before = catchups.get(name) ?? none
  catchups.set(name, {
    ...before,
    finished: known.kind === 'sentinel' || before.finished,
    bytes: object.size + before.bytes,
    objects: 1 + before.objects,
    newestAt: before.newestAt > object.modifiedAt ? before.newestAt : object.modifiedAt,
  })
}

const MAX_INTENT_BYTES = 16 * 1_048_576

/** One that cannot be read says nothing: what its deletion began is then found like what any failed attempt left. */
async function readIntent(
  { store, name }: RemovalStorage,
  key: string,
  { call, intents, notes }: Pick<StorageParts, 'call' | 'notes'> & { readonly intents: StoredIntent[] },
): Promise<void> {
  try {
    await using body = await store.get(key, call)
    intents.push({ key, intent: decodeRemovalIntent(await readAll(body, MAX_INTENT_BYTES), { origin: key }) })
  } catch (error) {
    if (isFault(error, 'not-found')) return // its deletion has just ended
    if (!isFault(error, 'corrupt') && !isFault(error, 'unsupported')) throw error
    notes.push(`the note of a deletion that did not end, ${key} in the storage ${name}, cannot be read: ${error.message}`)
  }
}
