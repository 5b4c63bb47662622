import { Fault, isFault } from '@waltz/errors'
import type { TimelineHistory, TimelineId } from '@waltz/pg-structures'
import type { Catalogue } from '../catalogue/catalogue-entry.ts'
import { readCatalogue } from '../catalogue/read-catalogue.ts'
import type { RemovalStorage } from './removal-storage.ts'
import type { SpoolFolder } from './object-spool.ts'
import type { RemovalEvent } from './removal-request.ts'
import { segmentSizes, spanLimits, type SegmentSizes } from './retainable-backups.ts'
import { addTo, beginStorage, finishStorage, type Beginning, type StorageSurvey } from './survey-storage.ts'
import { createWalSummer, type WalTimelineSum } from './wal-sum.ts'

/** What a survey is made with. */
export interface SurveyParts {
  readonly storages: readonly RemovalStorage[]
  readonly now: () => Date
  readonly spools: SpoolFolder
  /** Objects that were stored later do not count; undefined for all. */
  readonly until: Date | undefined
  /** The archived history of a timeline, opened; undefined when there is none. */
  readonly readHistory: (timeline: TimelineId) => Promise<TimelineHistory | undefined>
  /** Gets what a person should know. */
  readonly notes: string[]
  readonly observe?: ((event: RemovalEvent) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** All that a plan is made from. */
export interface RepositorySurvey {
  readonly catalogue: Catalogue
  readonly sizes: SegmentSizes
  readonly storages: readonly StorageSurvey[]
  readonly timelines: readonly WalTimelineSum[]
  /** Timelines of which the archive has a history that could be read. */
  readonly histories: ReadonlyMap<TimelineId, TimelineHistory>
  readonly notes: readonly string[]
}

/**
 * Lists everything once, and reads the documents of backups, histories of timelines, and notes of deletions.
 * @throws Fault of any storage: what a listing did not show must not count as absent.
 */
export async function surveyRepository(parts: SurveyParts): Promise<RepositorySurvey> {
  const { storages, now, signal, until } = parts
  const call = signal === undefined ? {} : { signal }
  const beginnings = new Map<string, Beginning>()
  for (const storage of storages) beginnings.set(storage.name, beginStorage(parts.spools, storage))
  const catalogue = withoutDocuments(
    await readCatalogue(
      storages.map(({ name, store }) => ({ name, store })),
      { ...call, now, onObject: (object, storage) => addTo(beginnings.get(storage) as Beginning, 'backups', object, until) },
    ),
  )
  const [silent] = catalogue.silent
  if (silent !== undefined) throw silentFault(silent.storage, silent.why)
  const sizes = segmentSizes(catalogue.entries)
  const summer = createWalSummer(spanLimits(catalogue.entries, sizes), sizes.common)
  const found: StorageSurvey[] = []
  const timelinesWithHistory = new Set<TimelineId>()
  for (const beginning of beginnings.values()) {
    found.push(await finishStorage(beginning, { call, until, summer, timelinesWithHistory, notes: parts.notes }))
    parts.observe?.({ type: 'removal-listed', storage: beginning.storage.name, objects: beginning.objects })
  }
  const histories = await readHistories(parts, timelinesWithHistory)
  return { catalogue, sizes, storages: found, timelines: summer.timelines(), histories, notes: parts.notes }
}

/** What a deletion wants to know of `metadata.json` is in the entries; ten thousand of them as they are would take much memory. */
function withoutDocuments(catalogue: Catalogue): Catalogue {
  return { ...catalogue, entries: catalogue.entries.map((entry) => ({ ...entry, metadata: undefined })) }
}

/** A history that cannot be read only means that more WAL is kept. */
async function readHistories(
  { readHistory, notes }: SurveyParts,
  timelines: ReadonlySet<TimelineId>,
): Promise<RepositorySurvey['histories']> {
  const histories = new Map<TimelineId, TimelineHistory>()
  for (const timeline of [...timelines].toSorted((left, right) => left - right)) {
    try {
      const history = await readHistory(timeline)
      if (history !== undefined) histories.set(timeline, history)
    } catch (error) {
      if (!isFault(error) || error.kind === 'aborted' || error.kind === 'unavailable') throw error
      notes.push(`the history of timeline ${timeline} cannot be read, so WAL is kept as if it began anywhere: ${error.message}`)
    }
  }
  return histories
}

function silentFault(storage: string, why: string): Fault {
  return new Fault(
    'unavailable',
    'STORAGE_PARTLY_UNAVAILABLE',
    `nothing is deleted, because the storage ${storage} could not be listed: ${why}`,
    {
      hint: 'backups that are not seen may need what would go; try again, or leave the storage out with WALTZ_FAILOVER_IGNORE',
      context: { storage },
    },
  )
}
