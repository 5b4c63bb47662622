import { isFault, throwIfAborted } from '@waltz/errors'
import type { CallOptions, ObjectInfo, ObjectStore } from '@waltz/storage'
import { partlyUnavailable } from '../failover/read-from-all.ts'
import { findInChains } from './backup-chains.ts'
import { readDocuments } from './backup-documents.ts'
import type { Catalogue, CatalogueEntry, ForeignObjects, SilentStorage } from './catalogue-entry.ts'
import { surveyBackups } from './survey-backups.ts'

/** A storage to read from. */
export interface CatalogueStorage {
  readonly name: string
  readonly store: Pick<ObjectStore, 'get' | 'head' | 'list'>
  /** Why it is not to be asked; undefined for one that answers. */
  readonly why?: string | undefined
}

/** How a catalogue is read. */
export interface ReadCatalogueOptions extends CallOptions {
  readonly now: () => Date
  /** False: only names and times of sentinels, by listing one level; no object is read. True unless given. */
  readonly documents?: boolean
  /** How long a folder without sentinel and without lease counts as being written after its newest object; 24 hours unless given. */
  readonly writtenWithinMs?: number
  /** A catalogue of the same storages that was read before: documents of objects that have not changed since are taken from it. */
  readonly since?: Catalogue
  /** Is told of all objects below `basebackups_005/` in the order of the listing, so that nobody needs a second one. Not with `documents: false`. */
  readonly onObjects?: (objects: readonly ObjectInfo[], storage: string) => void | Promise<void>
  /** Is told when a storage has been listed, before its documents are read. */
  readonly onListed?: (storage: string) => void
  /** Documents being read at once; 8 unless given. */
  readonly readsAtOnce?: number
}

const DAY_MS = 86_400_000
const READS_AT_ONCE = 8

/**
 * Reads which backups there are: one listing of `basebackups_005/` for each storage, and at most two small objects for each backup (its
 * sentinel and its `metadata.json`; for a folder without sentinel its lease). Memory: one entry for each backup, whatever the number of
 * objects. A storage that does not answer is named in `silent`.
 * @throws Fault of the store when there is only one; `unavailable` `STORAGE_PARTLY_UNAVAILABLE` when none of several answers.
 */
export async function readCatalogue(storages: readonly CatalogueStorage[], options: ReadCatalogueOptions): Promise<Catalogue> {
  const takenAt = options.now()
  const reading: Reading = { options, takenAt, known: knownEntries(options.since) }
  const entries: CatalogueEntry[] = []
  const foreign: ForeignObjects[] = []
  const silent: SilentStorage[] = []
  for (const storage of storages) {
    if (storage.why !== undefined) {
      silent.push({ storage: storage.name, why: storage.why })
      continue
    }
    try {
      const found = await readStorage(storage, reading)
      entries.push(...found.entries)
      if (found.foreign !== undefined) foreign.push(found.foreign)
    } catch (error) {
      throwIfAborted(options.signal)
      if (storages.length === 1 || !isSilence(error)) throw error
      silent.push({ storage: storage.name, why: error.message })
    }
  }
  if (silent.length === storages.length) {
    throw partlyUnavailable(
      'which backups there are',
      silent.map(({ storage, why }) => ({ name: storage, why })),
    )
  }
  return { entries: inOrder(entries), foreign, silent, takenAt, documents: options.documents !== false }
}

interface Reading {
  readonly options: ReadCatalogueOptions
  readonly takenAt: Date
  readonly known: ReadonlyMap<string, CatalogueEntry>
}

function isSilence(error: unknown): error is Error {
  return isFault(error) && (error.kind === 'unavailable' || error.kind === 'denied')
}

function knownEntries(since: Catalogue | undefined): ReadonlyMap<string, CatalogueEntry> {
  if (since?.documents !== true) return new Map()
  return new Map(since.entries.map((entry) => [identityOf(entry), entry]))
}

/** What tells backups apart: the storage and the name, neither of which holds a zero byte. */
function identityOf({ storage, name }: Pick<CatalogueEntry, 'storage' | 'name'>): string {
  return `${storage}\0${name}`
}

async function readStorage(
  storage: CatalogueStorage,
  { options, takenAt, known }: Reading,
): Promise<{ readonly entries: readonly CatalogueEntry[]; readonly foreign: ForeignObjects | undefined }> {
  const { signal, onObjects } = options
  const call = signal === undefined ? {} : { signal }
  const documents = options.documents !== false
  const survey = await surveyBackups(storage, { ...call, folders: documents, ...(onObjects !== undefined && { onObjects }) })
  options.onListed?.(storage.name)
  if (!documents) return { entries: survey.entries, foreign: undefined }
  const entries = await readDocuments(storage, survey.entries, {
    ...call,
    takenAt,
    writtenWithinMs: options.writtenWithinMs ?? DAY_MS,
    readsAtOnce: options.readsAtOnce ?? READS_AT_ONCE,
    known: (entry) => known.get(identityOf(entry)),
  })
  return { entries: findInChains(entries), foreign: survey.foreign }
}

/** By sentinel time, of equal times as they are; folders without sentinel last, as they are: by name. */
function inOrder(entries: readonly CatalogueEntry[]): readonly CatalogueEntry[] {
  const moments = new Map(entries.map((entry) => [entry, sentinelMomentOf(entry)]))
  return entries.toSorted((left, right) => {
    const [a, b] = [moments.get(left), moments.get(right)]
    if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined)
    return Number(a > b) - Number(a < b)
  })
}

/** Modification time of the sentinel in nanoseconds since 1970, which orders backups for WAL-G; undefined for a folder without one. */
export function sentinelMomentOf({ sentinel }: CatalogueEntry): bigint | undefined {
  if (sentinel === undefined) return undefined
  return sentinel.modifiedAtNs ?? BigInt(sentinel.modifiedAt.getTime()) * 1_000_000n
}
