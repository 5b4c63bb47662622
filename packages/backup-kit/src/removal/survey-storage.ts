import { readAll } from '@waltz/bytes'
import { isFault } from '@waltz/errors'
import type { TimelineId } from '@waltz/pg-structures'
import { parseBackupName, walFileNameOf, walFolder, waltzFolder } from '@waltz/repository'
import { catchupFolder, classifyKey, decodeRemovalIntent, isRemovalIntentKey, type RemovalIntent } from '@waltz/repository/removal'
import type { CallOptions, ObjectInfo } from '@waltz/storage'
import type { RemovalStorage } from './removal-storage.ts'
import { spooled, type ObjectSpool, type SpoolFolder } from './object-spool.ts'
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
  /** Objects below `basebackups_005/`, `catchup_005/`, `wal_005/` and `waltz/`, each in order of key. */
  readonly spools: Readonly<Record<'backups' | 'catchups' | 'wal' | 'waltz', ObjectSpool>>
  readonly catchups: readonly CatchupBackup[]
  readonly intents: readonly StoredIntent[]
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
  /** Gets the timelines of which there is a history. */
  readonly timelinesWithHistory: Set<TimelineId>
  /** Gets what a person should know. */
  readonly notes: string[]
}

/** A storage while it is looked at. */
export interface Beginning {
  readonly storage: RemovalStorage
  readonly spools: StorageSurvey['spools']
  newestMs: number
  objects: number
  foreign: { objects: number; bytes: number; example: string | undefined }
}

/** Makes the files for what is listed. */
export function beginStorage(spools: SpoolFolder, storage: RemovalStorage): Beginning {
  const create = (kind: string): ObjectSpool => spools.create(`${encodeURIComponent(storage.name)}.${kind}`)
  return {
    storage,
    spools: {
      backups: create('backups'),
      catchups: create('catchups'),
      wal: create('wal'),
      waltz: create('waltz'),
    },
    newestMs: 0,
    objects: 0,
    foreign: { objects: 0, bytes: 0, example: undefined },
  }
}

/** Notes an object. Returns nothing for one that was stored after the time that counts. */
export function addTo(
  beginning: Beginning,
  kind: keyof StorageSurvey['spools'],
  object: ObjectInfo,
  until: Date | undefined,
): void | Promise<void> {
  if (isLater(object, until)) return undefined
  beginning.newestMs = Math.max(beginning.newestMs, object.modifiedAt.getTime())
  beginning.objects += 1
  return beginning.spools[kind].add(spooled(object))
}

function isLater({ modifiedAt }: ObjectInfo, until: Date | undefined): boolean {
  return until !== undefined && modifiedAt > until
}

/** Lists what lies beside the backups proper. */
export async function finishStorage(beginning: Beginning, parts: StorageParts): Promise<StorageSurvey> {
  const { storage, spools, foreign } = beginning
  const catchups = await surveyCatchups(beginning, parts)
  const intents = await surveyOwn(beginning, parts)
  await surveyWal(beginning, parts)
  return { storage, spools, catchups, intents, newestMs: beginning.newestMs, foreign }
}

/** The objects of a folder that count, each noted in its spool. */
async function* counted(
  beginning: Beginning,
  kind: keyof StorageSurvey['spools'],
  { folder, call, until }: Pick<StorageParts, 'call' | 'until'> & { readonly folder: string },
): AsyncGenerator<ObjectInfo, void, undefined> {
  for await (const object of beginning.storage.store.list(folder, call)) {
    if (isLater(object, until)) continue
    const waiting = addTo(beginning, kind, object, until)
    if (waiting !== undefined) await waiting
    yield object
  }
}

async function surveyCatchups(beginning: Beginning, parts: StorageParts): Promise<readonly CatchupBackup[]> {
  const catchups = new Map<string, CatchupBackup>()
  for await (const object of counted(beginning, 'catchups', { ...parts, folder: catchupFolder })) {
    if (classifyKey(object.key).kind === 'foreign') noteForeign(beginning, object)
    else addCatchup(catchups, object)
  }
  return [...catchups.values()]
}

async function surveyOwn(beginning: Beginning, parts: StorageParts): Promise<readonly StoredIntent[]> {
  const intents: StoredIntent[] = []
  for await (const { key } of counted(beginning, 'waltz', { ...parts, folder: waltzFolder }))
    if (isRemovalIntentKey(key)) await readIntent(beginning.storage, key, { ...parts, intents })
  return intents
}

async function surveyWal(beginning: Beginning, parts: StorageParts): Promise<void> {
  for await (const object of counted(beginning, 'wal', { ...parts, folder: walFolder })) {
    const known = classifyKey(object.key)
    if (known.kind === 'wal') parts.summer.add(known, object.size, object.modifiedAt.getTime())
    else if (known.kind === 'foreign') noteForeign(beginning, object)
    else if (known.kind === 'timeline-history' && !known.sidecar) parts.timelinesWithHistory.add(known.timeline)
  }
}

function noteForeign({ foreign }: Beginning, { key, size }: ObjectInfo): void {
  foreign.objects += 1
  foreign.bytes += size
  foreign.example ??= key
}

function addCatchup(catchups: Map<string, CatchupBackup>, { key, size, modifiedAt }: ObjectInfo): void {
  const known = classifyKey(key)
  if (known.kind !== 'sentinel' && known.kind !== 'backup-object') return
  const name = known.backup
  if (parseBackupName(name) === undefined) return
  const before = catchups.get(name)
  catchups.set(name, {
    name,
    walFileName: walFileNameOf(name),
    finished: known.kind === 'sentinel' || before?.finished === true,
    bytes: size + (before?.bytes ?? 0),
    objects: 1 + (before?.objects ?? 0),
    newestAt: before !== undefined && before.newestAt > modifiedAt ? before.newestAt : modifiedAt,
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
