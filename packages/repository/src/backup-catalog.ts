import { Buffer } from 'node:buffer'
import { readAll } from '@waltz/bytes'
import { Fault, isFault } from '@waltz/errors'
import type { Lsn, SystemIdentifier } from '@waltz/pg-structures'
import type { CallOptions, ObjectStore } from '@waltz/storage'
import { backupNotFoundFault, metadataNotFoundFault, noBackupFault } from './backup-faults.ts'
import { backupOfSentinelKey, walFileNameOf } from './backup-name.ts'
import { readFilesMetadata } from './files-metadata-reader.ts'
import { jsonEquals } from './json-equal.ts'
import { backupsFolder, metadataKey, sentinelKey } from './layout.ts'
import { decodeMetadata } from './metadata-json.ts'
import type { BackupMetadata } from './metadata.ts'
import { decodeSentinel } from './sentinel-json.ts'
import type { Sentinel } from './sentinel.ts'

/**
 * The backups that exist, which are those with a sentinel object: the sentinel is written last, so a crash never
 * leaves a backup that looks whole and is not.
 */
export interface BackupCatalog {
  /** Ordered by the sentinel's modification time, oldest first, as WAL-G orders them (stable, by key within one moment). Listing only. */
  list(options?: CallOptions): AsyncIterable<BackupSummary>
  /**
   * Rejects with `not-found` (`BACKUP_NOT_FOUND`, or `BACKUP_NONE` for the latest of none); with `conflict` `BACKUP_AMBIGUOUS` when user
   * data matches more than one backup.
   */
  find(selector: BackupSelector, options?: CallOptions): Promise<BackupSummary>
  /** The sentinel of a backup. Rejects with `not-found` `BACKUP_NOT_FOUND`, or `corrupt` when it is not a sentinel. */
  readSentinel(name: string, options?: CallOptions): Promise<Sentinel>
  /**
   * The small metadata. Rejects with `not-found` `BACKUP_METADATA_NOT_FOUND` where older releases or accidents left none,
   * `corrupt` when it is damaged.
   */
  readMetadata(name: string, options?: CallOptions): Promise<BackupMetadata>
}

/**
 * How a backup is chosen. User data matches when the JSON values are deeply equal, numbers digit by digit; only when no
 * backup matches so, numbers are compared as doubles, which is all that WAL-G keeps of them.
 */
export type BackupSelector = { readonly latest: true } | { readonly name: string } | { readonly userData: unknown }

/** What a listing of sentinels tells. */
export interface BackupSummary {
  readonly name: string
  /** Modification time of the sentinel. */
  readonly modifiedAt: Date
  readonly modifiedAtNs?: bigint
  /** The first run of 24 upper-case hex digits in the name, or 24 times `Z`. */
  readonly walFileName: string
}

/** Names the position of a backup in the WAL. */
export interface BackupPosition {
  readonly startLsn: Lsn
  readonly finishLsn: Lsn
  readonly systemIdentifier: SystemIdentifier | undefined
}

/** The catalogue only reads. */
export type CatalogStore = Pick<ObjectStore, 'head' | 'get' | 'list'>

const MAX_METADATA_BYTES = 64 * 1_048_576
const LIST_HINT = 'List the backups with `waltz backup-list`.'

/** `LATEST` selects the newest backup, anything else the backup of that name. */
export function parseBackupSelector(text: string): BackupSelector {
  return text === 'LATEST' ? { latest: true } : { name: text }
}

/** A catalogue of the backups in a repository. No I/O until it is asked; it holds nothing between calls. */
export function createBackupCatalog(store: CatalogStore): BackupCatalog {
  return {
    list: (options) => list(store, options),
    find: async (selector, options) => {
      if ('name' in selector) return await findByName(store, selector.name, options)
      const backups: BackupSummary[] = []
      for await (const backup of list(store, options)) backups.push(backup)
      if ('userData' in selector) return await findByUserData(store, backups, { userData: selector.userData, options })
      const latest = backups.at(-1)
      if (latest !== undefined) return latest
      throw noBackupFault()
    },
    readSentinel: (name, options) => readSentinel(store, name, options),
    readMetadata: (name, options) => readMetadata(store, name, options),
  }
}

async function* list(store: CatalogStore, options: CallOptions = {}): AsyncGenerator<BackupSummary, void, undefined> {
  const backups: BackupSummary[] = []
  for await (const object of store.list(backupsFolder, { ...options, oneLevel: true })) {
    const name = backupOfSentinelKey(object.key)
    if (name !== undefined) backups.push(summary(name, object))
  }
  // Stable, and listings come in order of key.
  backups.sort((left, right) => Number(momentOf(left) > momentOf(right)) - Number(momentOf(left) < momentOf(right)))
  yield* backups
}

function summary(name: string, object: { readonly modifiedAt: Date; readonly modifiedAtNs?: bigint }): BackupSummary {
  const { modifiedAt, modifiedAtNs } = object
  return { name, modifiedAt, walFileName: walFileNameOf(name), ...(modifiedAtNs === undefined ? {} : { modifiedAtNs }) }
}

function momentOf({ modifiedAt, modifiedAtNs }: BackupSummary): bigint {
  return modifiedAtNs ?? BigInt(modifiedAt.getTime()) * 1_000_000n
}

async function findByName(store: CatalogStore, name: string, options: CallOptions | undefined): Promise<BackupSummary> {
  // A name with a slash would reach into other folders, and no backup has one.
  if (name === '' || name.includes('/')) throw backupNotFoundFault(name)
  try {
    return summary(name, await store.head(sentinelKey(name), options))
  } catch (error) {
    throw isFault(error, 'not-found') ? backupNotFoundFault(name, error) : error
  }
}

async function findByUserData(
  store: CatalogStore,
  backups: readonly BackupSummary[],
  { userData, options }: { readonly userData: unknown; readonly options: CallOptions | undefined },
): Promise<BackupSummary> {
  const exact: BackupSummary[] = []
  const rounded: BackupSummary[] = []
  for (const backup of backups) {
    const stored = await userDataOf(store, backup.name, options)
    if (jsonEquals(stored ?? null, userData, { numbers: 'exact' })) exact.push(backup)
    else if (jsonEquals(stored ?? null, userData, { numbers: 'double' })) rounded.push(backup)
  }
  const matching = exact.length > 0 ? exact : rounded
  const [first] = matching
  if (first === undefined) throw new Fault('not-found', 'BACKUP_NOT_FOUND', 'no backup has this user data', { hint: LIST_HINT })
  if (matching.length === 1) return first
  throw new Fault(
    'conflict',
    'BACKUP_AMBIGUOUS',
    `${matching.length} backups have this user data: ${matching.map(({ name }) => name).join(', ')}`,
    {
      hint: 'Choose one of them by its name.',
    },
  )
}

/** `metadata.json` decides; where there is none, the sentinel does (RF 12). */
async function userDataOf(store: CatalogStore, name: string, options: CallOptions | undefined): Promise<unknown> {
  try {
    const { userData } = await readMetadata(store, name, options)
    return userData
  } catch (error) {
    if (!isFault(error, 'not-found')) throw error
    const { userData } = await readSentinel(store, name, options)
    return userData
  }
}

async function readMetadata(store: CatalogStore, name: string, options: CallOptions | undefined): Promise<BackupMetadata> {
  const key = metadataKey(name)
  try {
    await using body = await store.get(key, options)
    return decodeMetadata(await readAll(body, MAX_METADATA_BYTES), { origin: key })
  } catch (error) {
    if (!isFault(error, 'not-found')) throw error
    throw metadataNotFoundFault(name, key, error)
  }
}

/** Reads as a stream and leaves out the file list, which is inside the sentinels of the first releases and has no bound. */
async function readSentinel(store: CatalogStore, name: string, options: CallOptions | undefined): Promise<Sentinel> {
  const key = sentinelKey(name)
  try {
    await using body = await store.get(key, options)
    const members: Uint8Array[] = []
    let files = 0
    const keep = (member: string, value: Uint8Array): void => {
      members.push(Buffer.from(`${members.length === 0 ? '{' : ','}${JSON.stringify(member)}:`), Buffer.from(value))
    }
    for await (const events of readFilesMetadata(body, { origin: key, keep })) files += events.length
    const document = members.length === 0 ? '{}' : Buffer.concat([...members, Buffer.from('}')])
    return { ...decodeSentinel(document, { origin: key }), ...(files > 0 ? { embeddedFiles: true } : {}) }
  } catch (error) {
    throw isFault(error, 'not-found') ? backupNotFoundFault(name, error) : error
  }
}
