import { sourceOf, type ByteSource } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import {
  encodeFilesMetadata,
  encodeManifest,
  encodeMetadata,
  encodeSentinel,
  filesMetadataKey,
  formatFileTime,
  manifestKey,
  metadataKey,
  partKey,
  partsPrefix,
  sentinelKey,
  type BackupManifest,
  type BackupMetadata,
  type FileRecord,
  type Sentinel,
  type TarFileSet,
} from '@waltz/repository'
import type { DatabaseNames } from './database-names.ts'
import { databaseRecords } from './database-records.ts'
import type { PushSurroundings } from './push-backup-options.ts'
import type { SpoolFile } from './spool.ts'
import { putAgain } from './put-again.ts'
import { parseMember } from './stored-file.ts'

/** Block numbers that a file record lists at most, unless all are wanted (RF 2.4). */
const CORRUPT_BLOCKS_LISTED = 10

/** The documents of a backup whose parts are all stored. */
export interface BackupDocuments {
  readonly name: string
  readonly sentinel: Sentinel
  readonly metadata: BackupMetadata
  readonly manifest: Omit<BackupManifest, 'filesMetadata'>
  /** Undefined when no file list is kept. */
  readonly fileList: FileListParts | undefined
}

/** What the file list is written from. */
export interface FileListParts {
  readonly lists: readonly SpoolFile[]
  readonly labelPart: string
  readonly databases: DatabaseNames | undefined
  readonly storeAllCorruptBlocks: boolean
}

/**
 * Writes `metadata.json`, `files_metadata.json` and Waltz's manifest, in this order (RF 9.1): all but the sentinel.
 * @throws Fault as `putAgain`.
 */
export async function describeBackup(documents: BackupDocuments, around: PushSurroundings, signal: AbortSignal): Promise<void> {
  const target = { store: around.store, sleep: around.sleep, signal }
  const { name, fileList } = documents
  await putAgain(target, metadataKey(name), () => sourceOf(encodeMetadata(documents.metadata)))
  const filesMetadata =
    fileList === undefined ? undefined : await putAgain(target, filesMetadataKey(name), () => fileListSource(fileList, around))
  const manifest: BackupManifest = { ...documents.manifest, filesMetadata }
  await putAgain(target, manifestKey(name), () => sourceOf(encodeManifest(manifest)))
}

/**
 * Makes sure that the storage holds the parts of this backup and no others: what is listed is restored, whoever stored it.
 * @throws Fault `conflict` `BACKUP_PARTS_CHANGED`.
 */
export async function confirmParts({ name, manifest }: BackupDocuments, around: PushSurroundings, signal: AbortSignal): Promise<void> {
  const expected = new Map(manifest.parts.map((part) => [partKey(name, part.name), part.size]))
  for await (const { key, size } of around.store.list(partsPrefix(name), { signal })) {
    const stored = expected.get(key)
    if (stored === undefined) throw changed(`${key} is there, which this backup did not store`)
    if (stored !== size) throw changed(`${key} has ${size} bytes, ${stored} were stored`)
    expected.delete(key)
  }
  const [missing] = expected.keys()
  if (missing !== undefined) throw changed(`${missing} was stored and is not there`)
}

function changed(what: string): Fault {
  return new Fault('conflict', 'BACKUP_PARTS_CHANGED', `the storage does not hold what was stored: ${what}`, {
    hint: 'Find out what else writes or deletes there, then run the backup again.',
  })
}

/**
 * Writes the sentinel, which announces the backup. Separate, so that the caller knows from when on nothing may be taken back. A
 * signal no longer counts: half an announcement would leave open whether the backup stands.
 * @throws Fault `conflict` `BACKUP_NAME_TAKEN` when another sentinel of that name is there by now; what the store says.
 */
export async function announceBackup({ name, sentinel }: BackupDocuments, around: PushSurroundings): Promise<void> {
  const bytes = encodeSentinel(sentinel)
  await putAgain({ store: around.store, sleep: around.sleep }, sentinelKey(name), () => sourceOf(bytes))
}

function fileListSource(parts: FileListParts, around: PushSurroundings): ByteSource {
  return encodeFilesMetadata({
    files: fileRecords(parts, around),
    tarFileSets: tarFileSets(parts),
    ...(parts.databases === undefined ? {} : { databases: databaseRecords(parts.databases) }),
  })
}

/** Records of one list are handed on in batches of this many: an asynchronous step each would cost more than the record. */
const BATCH_RECORDS = 512

function* fileRecords(parts: FileListParts, around: PushSurroundings): Generator<readonly FileRecord[], void, undefined> {
  let batch: FileRecord[] = []
  for (const list of parts.lists) {
    for (const text of list.texts()) {
      if (!text.startsWith('M')) continue
      batch.push(fileRecord(text, parts, around))
      if (batch.length < BATCH_RECORDS) continue
      yield batch
      batch = []
    }
  }
  if (batch.length > 0) yield batch
}

function fileRecord(text: string, parts: FileListParts, around: PushSurroundings): FileRecord {
  const { name, modifiedAtNs, corruptBlocks } = parseMember(text)
  const listed = parts.storeAllCorruptBlocks ? corruptBlocks : corruptBlocks.slice(0, CORRUPT_BLOCKS_LISTED)
  return {
    name,
    incremented: false,
    skipped: false,
    modifiedAt: formatFileTime(modifiedAtNs, around.offsetMinutesAt),
    updatesCount: 0,
    ...(corruptBlocks.length === 0 ? {} : { corruptBlocks: { count: corruptBlocks.length, blocks: listed } }),
  }
}

function* tarFileSets(parts: FileListParts): Generator<TarFileSet, void, undefined> {
  for (const list of parts.lists) {
    const texts = list.texts()
    let head = texts.next()
    while (head.done !== true) {
      const part = head.value.slice(1)
      let next = texts.next()
      // Called before the loop goes on: the writer reads each list of names to its end.
      const names = function* (): Generator<string, void, undefined> {
        for (; next.done !== true && next.value.startsWith('M'); next = texts.next()) yield parseMember(next.value).name
      }
      yield { part, names: names() }
      head = next
    }
  }
  // In the order in which WAL-G lists them, which is not that of the tar.
  yield { part: parts.labelPart, names: ['tablespace_map', 'backup_label'] }
}
