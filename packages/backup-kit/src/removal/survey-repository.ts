import { Fault, isFault } from '@waltz/errors'
import type { TimelineHistory, TimelineId } from '@waltz/pg-structures'
import type { Catalogue } from '../catalogue/catalogue-entry.ts'
import { readCatalogue } from '../catalogue/read-catalogue.ts'
import { readAhead, type ReadAhead } from '../read-ahead.ts'
import type { RemovalStorage } from './removal-storage.ts'
import type { SpoolFolder } from './object-spool.ts'
import type { RemovalEvent } from './removal-request.ts'
import { segmentSizes, spanLimits, type SegmentSizes } from './retainable-backups.ts'
import {
  addBackupObjects,
  beginStorage,
  finishStorage,
  listRest,
  type Beginning,
  type ListedPage,
  type StorageSurvey,
} from './survey-storage.ts'
import { createWalSummer, type WalTimelineSum } from './wal-sum.ts'

/** What a survey is made with. */
export interface SurveyParts {
  readonly storages: readonly RemovalStorage[]
  /** Names of those that are not looked at. */
  readonly leftOut: readonly string[]
  readonly now: () => Date
  readonly spools: SpoolFolder
  /** Objects that were stored later do not count; undefined for all. */
  readonly until: Date | undefined
  /** How long what has no sentinel and no lease counts as being written after its newest object. */
  readonly writtenWithinMs: number
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
  readonly writtenWithinMs: number
  readonly storages: readonly StorageSurvey[]
  readonly leftOut: readonly string[]
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
  const stop = new AbortController()
  const signal = parts.signal === undefined ? stop.signal : AbortSignal.any([parts.signal, stop.signal])
  const rests = new Map<string, ReadAhead<ListedPage>>()
  try {
    return await survey(parts, rests, signal)
  } finally {
    stop.abort()
    await Promise.all([...rests.values()].map((rest) => rest[Symbol.asyncDispose]()))
  }
}

/** Objects that wait while documents are being read; few where the backups themselves are many: then it saves little, and takes memory. */
const MOST_AHEAD = 8192
const LEAST_AHEAD = 1000

async function survey(parts: SurveyParts, rests: Map<string, ReadAhead<ListedPage>>, signal: AbortSignal): Promise<RepositorySurvey> {
  const { storages, now, until, writtenWithinMs, notes } = parts
  const beginnings = new Map<string, Beginning>()
  for (const storage of storages) beginnings.set(storage.name, beginStorage(parts.spools, storage))
  let listed = 0
  // Not before all backups have been listed: what a backup needs was archived before it was finished.
  const onListed = (): void => {
    listed += 1
    if (listed < storages.length) return
    for (const { storage, objects } of beginnings.values()) {
      const most = objects > MOST_AHEAD ? LEAST_AHEAD : MOST_AHEAD
      rests.set(
        storage.name,
        readAhead(listRest(storage, { signal }), most, (page) => page.objects.length),
      )
    }
  }
  const catalogue = withoutDocuments(
    await readCatalogue(
      storages.map(({ name, store }) => ({ name, store })),
      {
        signal,
        now,
        writtenWithinMs,
        onListed,
        onObjects: (objects, storage) => addBackupObjects(beginnings.get(storage) as Beginning, objects, until),
      },
    ),
  )
  const [silent] = catalogue.silent
  if (silent !== undefined) throw silentFault(silent.storage, silent.why)
  const sizes = segmentSizes(catalogue.entries)
  const summer = createWalSummer(spanLimits(catalogue.entries, sizes), sizes.common)
  const found: StorageSurvey[] = []
  const timelinesWithHistory = new Set<TimelineId>()
  for (const [name, rest] of rests) {
    const beginning = beginnings.get(name) as Beginning
    const how = { call: { signal }, until, summer, segmentBytes: sizes.common, timelinesWithHistory, notes }
    found.push(await finishStorage(beginning, rest, how))
    parts.observe?.({ type: 'removal-listed', storage: name, objects: beginning.objects })
  }
  const histories = await readHistories(parts, timelinesWithHistory)
  return { catalogue, sizes, writtenWithinMs, leftOut: parts.leftOut, storages: found, timelines: summer.timelines(), histories, notes }
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

/** One of several storages does not answer: `unavailable` `STORAGE_PARTLY_UNAVAILABLE`. */
export function silentFault(storage: string, why: string): Fault {
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
