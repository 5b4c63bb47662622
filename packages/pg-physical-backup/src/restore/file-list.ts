import { createHash } from 'node:crypto'
import { tap } from '@waltz/bytes'
import { Fault, isFault } from '@waltz/errors'
import { filesMetadataKey, readFilesMetadata, sentinelKey, type FilesMetadataEvent, type Sentinel } from '@waltz/repository'
import type { CallOptions, ObjectStore } from '@waltz/storage'
import { memberKey, partBaseName } from './member-name.ts'
import { createNameFilter, type NameFilter } from './name-filter.ts'

/** What a backup says about its own files. */
export interface FileList extends Disposable {
  /** The names that are restored; undefined when the backup has no list, then everything is. */
  readonly filter: NameFilter | undefined
  /** Parts that must be there, without their codec's extension. */
  readonly parts: ReadonlySet<string>
  /** Files that a part was meant to hold but that were gone when it was written; some of their names. */
  readonly vanished: { readonly count: number; readonly names: readonly string[] }
  /** Why there is no list. */
  readonly missingBecause: string | undefined
}

/** Where to read from. */
export interface FileListSource extends CallOptions {
  readonly store: Pick<ObjectStore, 'get'>
  readonly backup: string
  readonly sentinel: Sentinel
  readonly spoolDirectory: string
  readonly maxNamesInMemory?: number
  /** SHA-256 of the stored list, where the manifest knows it. */
  readonly sha256?: string
}

/** Members of every backup that no list names, or only under the part they are in. */
const utilityNames: ReadonlySet<string> = new Set(['global/pg_control', 'backup_label', 'tablespace_map'])
const maxNamesTold = 20

/**
 * Reads the file list of a full backup as a stream. Only backups made without one, and those of releases that had none,
 * may lack it: without the list a missing part cannot be noticed.
 * @throws Fault `corrupt` `BACKUP_FILE_LIST_MISSING` when there must be a list and there is none,
 * `BACKUP_FILE_LIST_INVALID` when a full backup lists increments or the list is not the one that was stored, and what `readFilesMetadata` throws.
 */
export async function loadFileList(source: FileListSource): Promise<FileList> {
  const where = await locate(source)
  if (where.key === undefined) return emptyList(where.missingBecause)
  const filter = createNameFilter(source)
  const parts = new Set<string>()
  const vanished = { count: 0, names: [] as string[] }
  try {
    for await (const batch of eventsOf(source, where.key))
      for (const event of batch) {
        if (event.kind === 'file') addFile(filter, event, source.backup)
        else if (event.kind === 'part') parts.add(partBaseName(event.part) ?? event.part)
        else if (event.kind === 'member' && filter.size > 0) noteVanished(filter, event.name, vanished)
      }
  } catch (error) {
    filter[Symbol.dispose]()
    throw error
  }
  if (filter.size === 0) {
    filter[Symbol.dispose]()
    return { ...emptyList('its file list is empty'), parts }
  }
  return { filter, parts, vanished, missingBecause: undefined, [Symbol.dispose]: () => filter[Symbol.dispose]() }
}

/** The first listed names, at most `limit`, that no member of any part had: reads the list once more. */
export async function listUnmarked(source: FileListSource, filter: NameFilter, limit: number): Promise<readonly string[]> {
  const { key } = await locate(source)
  const names: string[] = []
  if (key === undefined) return names
  for await (const batch of eventsOf(source, key))
    for (const event of batch) {
      if (event.kind !== 'file' || filter.isMarked(memberKey(event.name))) continue
      names.push(event.name)
      if (names.length >= limit) return names
    }
  return names
}

async function* eventsOf(source: FileListSource, key: string): AsyncGenerator<readonly FilesMetadataEvent[]> {
  const hash = source.sha256 === undefined ? undefined : createHash('sha256')
  await using body = await source.store.get(key, callOptions(source))
  yield* readFilesMetadata(hash === undefined ? body : tap(body, (chunk) => hash.update(chunk)), { origin: key, tables: false })
  if (hash === undefined || hash.digest('hex') === source.sha256) return
  throw new Fault('corrupt', 'BACKUP_FILE_LIST_INVALID', `${key} is not the file list that was stored: its checksum differs`, {
    context: { key },
    hint: 'The object was damaged or replaced; restore another backup.',
  })
}

type Located = { readonly key: string; readonly missingBecause?: undefined } | { readonly key: undefined; readonly missingBecause: string }

async function locate(source: FileListSource): Promise<Located> {
  const { sentinel, backup } = source
  if (sentinel.filesMetadataDisabled) return { key: undefined, missingBecause: 'it was made without a file list' }
  if (sentinel.embeddedFiles === true) return { key: sentinelKey(backup) }
  const key = filesMetadataKey(backup)
  try {
    await using body = await source.store.get(key, callOptions(source))
    return { key: body.info.key }
  } catch (error) {
    if (!isFault(error, 'not-found')) throw error
    if (sentinel.version === undefined) return { key: undefined, missingBecause: 'releases up to 1.1 and WAL-E kept no file list' }
    throw new Fault(
      'corrupt',
      'BACKUP_FILE_LIST_MISSING',
      `${key} is missing, so nothing tells whether the parts of ${backup} are complete`,
      {
        cause: error,
        context: { key },
        hint: 'Restore another backup. If the object was moved by accident, bring it back.',
      },
    )
  }
}

function addFile(
  filter: NameFilter,
  event: { readonly name: string; readonly incremented: boolean; readonly skipped: boolean },
  backup: string,
): void {
  if (event.incremented || event.skipped)
    throw new Fault('corrupt', 'BACKUP_FILE_LIST_INVALID', `the full backup ${backup} lists ${event.name} as an increment`, {
      context: { file: event.name },
      hint: 'Its sentinel or its file list is damaged; restore another backup.',
    })
  filter.add(memberKey(event.name))
}

function noteVanished(filter: NameFilter, name: string, vanished: { count: number; names: string[] }): void {
  const key = memberKey(name)
  if (filter.has(key) || utilityNames.has(key)) return
  vanished.count++
  if (vanished.names.length < maxNamesTold) vanished.names.push(name)
}

function emptyList(missingBecause: string): FileList {
  return { filter: undefined, parts: new Set(), vanished: { count: 0, names: [] }, missingBecause, [Symbol.dispose]: () => undefined }
}

function callOptions({ signal }: CallOptions): CallOptions {
  return signal === undefined ? {} : { signal }
}
