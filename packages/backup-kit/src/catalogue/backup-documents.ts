import { isFault, throwIfAborted, type Fault } from '@waltz/errors'
import { createBackupCatalog, readLease, type BackupCatalog, type BackupMetadata, type Sentinel } from '@waltz/repository'
import type { CallOptions, ObjectInfo } from '@waltz/storage'
import { factsOf } from './backup-facts.ts'
import type { CatalogueEntry, CatalogueFinding } from './catalogue-entry.ts'
import type { CatalogueStorage } from './read-catalogue.ts'

/** How documents are read. */
export interface ReadDocumentsOptions extends CallOptions {
  readonly takenAt: Date
  readonly writtenWithinMs: number
  readonly readsAtOnce: number
  /** What was known of the same backup before. */
  readonly known: (entry: CatalogueEntry) => CatalogueEntry | undefined
}

interface Reader {
  readonly storage: CatalogueStorage
  readonly catalog: BackupCatalog
  readonly options: ReadDocumentsOptions
}

/**
 * Completes listed entries by their documents, several at once: sentinel and metadata of each backup, the lease of each folder without
 * sentinel. Objects that have not changed since are not read again. A document that is damaged or refused is noted with its backup.
 * @throws Fault `unavailable` of the store.
 */
export async function readDocuments(
  storage: CatalogueStorage,
  listed: readonly CatalogueEntry[],
  options: ReadDocumentsOptions,
): Promise<readonly CatalogueEntry[]> {
  const reader: Reader = { storage, catalog: createBackupCatalog(storage.store), options }
  const entries: CatalogueEntry[] = [...listed]
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < listed.length) {
      const index = next
      next += 1
      throwIfAborted(options.signal)
      entries[index] = await complete(reader, listed[index] as CatalogueEntry)
    }
  }
  const stop = (): void => void (next = listed.length)
  const lanes = Array.from({ length: Math.max(1, options.readsAtOnce) }, () =>
    lane().catch((error: unknown) => {
      stop()
      throw error
    }),
  )
  const failed = (await Promise.allSettled(lanes)).find((lane) => lane.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return entries
}

async function complete(reader: Reader, entry: CatalogueEntry): Promise<CatalogueEntry> {
  if (entry.sentinel === undefined) return await judgeFolder(reader, entry)
  const { takenAt, known } = reader.options
  const before = known(entry)
  if (before !== undefined && isUnchanged(before, entry)) return withNow(before, entry, takenAt)
  const [sentinel, metadata] = await readBoth(reader, entry)
  // Removed since it was listed, or not to be had yet: whatever its age, somebody is at work on it.
  if (sentinel.problem?.kind === 'not-found') return { ...entry, status: 'being-written', sentinel: undefined }
  const found: CatalogueEntry = {
    ...entry,
    ...factsOf(sentinel.value, metadata.value),
    status: sentinel.value === undefined ? 'sentinel-unreadable' : 'complete',
    problem: sentinel.problem ?? metadata.problem,
    findings: documentFindings(entry, metadata),
  }
  return withNow(found, entry, takenAt)
}

async function readBoth(
  { catalog, options: { signal } }: Reader,
  { name, metadataObject }: CatalogueEntry,
): Promise<readonly [Document<Sentinel>, Document<BackupMetadata>]> {
  const call = signal === undefined ? {} : { signal }
  // One that is listed and cannot be found when it is read is no missing one: it may be about to be replaced, by a mark.
  return await Promise.all([
    document(() => catalog.readSentinel(name, call)),
    metadataObject === undefined ? nothingRead : document(() => catalog.readMetadata(name, call)),
  ])
}

interface Document<Value> {
  readonly value?: Value
  readonly problem?: Fault
}

const nothingRead: Document<never> = {}

async function document<Value>(read: () => Promise<Value>): Promise<Document<Value>> {
  try {
    return { value: await read() }
  } catch (error) {
    if (!isFault(error) || error.kind === 'unavailable' || error.kind === 'aborted' || error.kind === 'internal') throw error
    return { problem: error }
  }
}

function isUnchanged(before: CatalogueEntry, now: CatalogueEntry): boolean {
  return isSameObject(before.sentinel, now.sentinel) && isSameObject(before.metadataObject, now.metadataObject)
}

/** Whether two listings show the same bytes: by etag where the store has one, always by size and time. */
function isSameObject(left: ObjectInfo | undefined, right: ObjectInfo | undefined): boolean {
  if (left === undefined || right === undefined) return left === right
  return (
    left.etag === right.etag &&
    left.size === right.size &&
    left.modifiedAt.getTime() === right.modifiedAt.getTime() &&
    left.modifiedAtNs === right.modifiedAtNs
  )
}

const FINDINGS_OF_DOCUMENTS: ReadonlySet<string> = new Set(['metadata-missing', 'metadata-unreadable'])

/** What the listing and the clock say of an entry whose documents are known. */
function withNow(entry: CatalogueEntry, listed: CatalogueEntry, takenAt: Date): CatalogueEntry {
  const { sentinel, metadataObject, leaseObject, folder } = listed
  const findings = entry.findings.filter(({ kind }) => FINDINGS_OF_DOCUMENTS.has(kind))
  if (folder?.objects === 0) {
    findings.push({ kind: 'folder-missing', message: 'there is a sentinel, and nothing of what it tells of' })
  }
  if ((entry.startedAt ?? new Date(0)) > takenAt)
    findings.push({ kind: 'in-the-future', message: `it begins at ${entry.startedAt?.toISOString()}, which has not come yet` })
  return { ...entry, sentinel, metadataObject, leaseObject, folder, findings }
}

function documentFindings(entry: CatalogueEntry, { value, problem }: Document<BackupMetadata>): readonly CatalogueFinding[] {
  if (value !== undefined) return []
  if (problem === undefined)
    return [{ kind: 'metadata-missing', message: `${entry.name} has no metadata.json; it counts as not permanent` }]
  return [{ kind: 'metadata-unreadable', message: `whether it is permanent is not known: ${problem.message}` }]
}

/** Two clocks may differ by so much, and a lease renewed a moment ago must not count as dead. */
const LEASE_MARGIN_MS = 3_600_000

/** A folder without sentinel: being written while its lease lives, or, where nobody wrote one, while its newest object is young. */
async function judgeFolder({ storage, options }: Reader, entry: CatalogueEntry): Promise<CatalogueEntry> {
  const { takenAt, signal } = options
  const ageMs = takenAt.getTime() - (entry.folder?.newestAt ?? new Date(0)).getTime()
  const isYoung = async (): Promise<boolean> => {
    if (ageMs < options.writtenWithinMs && entry.leaseObject === undefined) return true
    if (entry.leaseObject === undefined) return false
    const lease = await readLease(storage.store, entry.leaseObject.key, signal === undefined ? {} : { signal })
    // Gone, or written by something newer: no better than a folder without one.
    if (lease?.record === undefined) return ageMs < options.writtenWithinMs
    return ageMs < lease.record.ttlMs + LEASE_MARGIN_MS
  }
  return { ...entry, status: (await isYoung()) ? 'being-written' : 'unfinished' }
}
