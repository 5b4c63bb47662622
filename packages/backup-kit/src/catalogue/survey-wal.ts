import { isFault, throwIfAborted, type Fault } from '@waltz/errors'
import { segmentName, segmentsPerHigh, type TimelineHistory, type TimelineId } from '@waltz/pg-structures'
import { walFolder } from '@waltz/repository'
import { classifyKey, type KeyClass } from '@waltz/repository/removal'
import { pagesOf, type CallOptions, type ObjectInfo } from '@waltz/storage'
import type { SilentStorage } from './catalogue-entry.ts'
import type { CatalogueStorage } from './read-catalogue.ts'
import { createRunBuilder, mergeRuns, type RunBuilder, type WalRun } from './wal-runs.ts'

/** Objects that have something in common, as they are listed. */
export interface WalSum {
  readonly objects: number
  readonly bytes: number
  readonly oldestAt: Date | undefined
  readonly newestAt: Date | undefined
  /** Keys of the first and of the last one. */
  readonly first: string | undefined
  readonly last: string | undefined
}

/** What the archive holds of one timeline. */
export interface SurveyedTimeline {
  readonly timeline: TimelineId
  /** Segments that are archived in any storage. */
  readonly runs: readonly WalRun[]
  /** Whether its history file is there. Timeline 1 has none. */
  readonly hasHistory: boolean
  /** Its ancestors; undefined when it has no history file, or one that cannot be read. */
  readonly history: TimelineHistory | undefined
  /** Why its history cannot be read. */
  readonly problem: Fault | undefined
  /** What is stored where, all but history files: before the segment that `cutAt` names, and from it on. */
  readonly sums: readonly { readonly storage: string; readonly before: WalSum; readonly after: WalSum }[]
}

/** What the archive holds. */
export interface WalSurvey {
  readonly segmentBytes: number
  /** Ascending. */
  readonly timelines: readonly SurveyedTimeline[]
  /** Objects that are no WAL of this segment size, by storage. */
  readonly foreign: readonly { readonly storage: string; readonly sum: WalSum }[]
  /** Storages that did not answer: what seems to be missing may lie there. */
  readonly silent: readonly SilentStorage[]
}

/** How WAL is surveyed. */
export interface SurveyWalOptions extends CallOptions {
  readonly segmentBytes: number
  /** Reads an archived history file; undefined when it is gone. Called once for each timeline that has one. */
  readonly readHistory: (timeline: TimelineId) => Promise<TimelineHistory | undefined>
  /** Only these segments of one timeline, both ends included, and the next one that is there: enough to say whether they are missing. */
  readonly range?: { readonly timeline: TimelineId; readonly first: number; readonly last: number }
  /** A listing of all of `wal_005/` in this storage that has begun already; not with `range`. */
  readonly listing?: (storage: string) => AsyncIterable<readonly ObjectInfo[]> | undefined
  /** Where the sums of a timeline are parted; without it everything counts as after. */
  readonly cutAt?: (timeline: TimelineId) => number | undefined
}

/**
 * One listing of `wal_005/` for each storage, and one small object for each timeline with a history. Memory: one record for each run of
 * consecutive segments, whatever their number.
 * @throws Fault of a store, when there is only one; otherwise such a storage is named in `silent`.
 */
export async function surveyWal(storages: readonly CatalogueStorage[], options: SurveyWalOptions): Promise<WalSurvey> {
  const collected: Collected = { timelines: new Map(), foreign: [] }
  const silent: SilentStorage[] = []
  for (const storage of storages) {
    if (storage.why !== undefined) {
      silent.push({ storage: storage.name, why: storage.why })
      continue
    }
    try {
      await surveyStorage(storage, options, collected)
    } catch (error) {
      throwIfAborted(options.signal)
      if (storages.length === 1 || !isFault(error) || (error.kind !== 'unavailable' && error.kind !== 'denied')) throw error
      silent.push({ storage: storage.name, why: error.message })
    }
  }
  const numbers = [...collected.timelines.keys()].toSorted((left, right) => left - right)
  const timelines: SurveyedTimeline[] = []
  for (const number of numbers) timelines.push(await finish(number, collected.timelines.get(number) as Timeline, options))
  return { segmentBytes: options.segmentBytes, timelines, foreign: collected.foreign, silent }
}

interface MutableSum {
  objects: number
  bytes: number
  oldestAt: Date | undefined
  newestAt: Date | undefined
  first: string | undefined
  last: string | undefined
}

interface Timeline {
  readonly builders: RunBuilder[]
  readonly sums: { readonly storage: string; readonly before: MutableSum; readonly after: MutableSum }[]
  hasHistory: boolean
}

interface Collected {
  readonly timelines: Map<TimelineId, Timeline>
  readonly foreign: { readonly storage: string; readonly sum: MutableSum }[]
}

async function surveyStorage(storage: CatalogueStorage, options: SurveyWalOptions, collected: Collected): Promise<void> {
  const { segmentBytes, cutAt } = options
  const perHigh = segmentsPerHigh(segmentBytes)
  const foreign = emptySum()
  let current: { readonly timeline: TimelineId; readonly of: Timeline; readonly cut: number } | undefined
  const last = options.range?.last ?? Infinity
  const addPage = (objects: readonly ObjectInfo[]): { readonly isEnough: boolean } => {
    for (const object of objects) {
      const placed = placedObject(classifyKey(object.key), perHigh)
      if (placed === undefined) {
        addTo(foreign, object)
        continue
      }
      const { timeline } = placed
      if (current?.timeline !== timeline)
        current = { timeline, of: openTimeline(collected.timelines, timeline, storage.name), cut: cutAt?.(timeline) ?? 0 }
      addObject(current.of, { object, placed, cut: current.cut })
      if (placed.what === 'segment' && placed.first > last) return { isEnough: true }
    }
    return { isEnough: false }
  }
  for await (const objects of options.listing?.(storage.name) ?? pagesOf(listWal(storage, options))) if (addPage(objects).isEnough) break
  if (foreign.objects > 0) collected.foreign.push({ storage: storage.name, sum: foreign })
}

function listWal({ store }: CatalogueStorage, { signal, range, segmentBytes }: SurveyWalOptions): AsyncIterable<ObjectInfo> {
  const call = signal === undefined ? {} : { signal }
  if (range === undefined) return store.list(walFolder, call)
  const { timeline, first } = range
  const begin = segmentName(timeline, first, segmentBytes)
  // Every name that begins so comes behind the bare name without its last digit.
  return store.list(walFolder + begin.slice(0, 8), { ...call, after: walFolder + begin.slice(0, -1) })
}

/** An object of the archive and the segments that it belongs to. */
interface Placed {
  readonly timeline: TimelineId
  /** Beside WAL there are the history of the timeline, which belongs to no segment, and what was noted beside it. */
  readonly what: 'segment' | 'history' | 'beside'
  /** Numbers of the first and the last segment, both included. */
  readonly first: number
  readonly last: number
}

/** Undefined for what is no WAL, and for names that cannot exist with segments of this size. */
function placedObject(key: KeyClass, perHigh: number): Placed | undefined {
  if (key.kind === 'timeline-history') return { timeline: key.timeline, what: key.sidecar ? 'beside' : 'history', first: 0, last: -1 }
  if (key.kind !== 'wal') return undefined
  if (key.low >= perHigh) return undefined
  const first = key.high * perHigh + key.low
  return { timeline: key.timeline, what: key.form === 'segment' ? 'segment' : 'beside', first, last: first + key.segments - 1 }
}

/** The record of a timeline, with a part of its own for this storage. */
function openTimeline(timelines: Map<TimelineId, Timeline>, number: TimelineId, storage: string): Timeline {
  let timeline = timelines.get(number)
  if (timeline === undefined) {
    timeline = { builders: [], sums: [], hasHistory: false }
    timelines.set(number, timeline)
  }
  if (timeline.sums.at(-1)?.storage !== storage) {
    timeline.sums.push({ storage, before: emptySum(), after: emptySum() })
    timeline.builders.push(createRunBuilder())
  }
  return timeline
}

function addObject(
  timeline: Timeline,
  { object, placed, cut }: { readonly object: ObjectInfo; readonly placed: Placed; readonly cut: number },
): void {
  if (placed.what === 'history') timeline.hasHistory = true
  else if (placed.what === 'segment') timeline.builders.at(-1)?.add(placed.first, object.modifiedAt)
  const sums = timeline.sums.at(-1)
  // Histories are small, and needed as long as any later timeline is: they are no part of the sums.
  if (sums !== undefined && placed.last >= 0) addTo(placed.last < cut ? sums.before : sums.after, object)
}

function emptySum(): MutableSum {
  return { objects: 0, bytes: 0, oldestAt: undefined, newestAt: undefined, first: undefined, last: undefined }
}

function addTo(sum: MutableSum, { key, size, modifiedAt }: ObjectInfo): void {
  sum.objects += 1
  sum.bytes += size
  if (sum.oldestAt === undefined || modifiedAt < sum.oldestAt) sum.oldestAt = modifiedAt
  if (sum.newestAt === undefined || modifiedAt > sum.newestAt) sum.newestAt = modifiedAt
  sum.first ??= key
  sum.last = key
}

async function finish(number: TimelineId, timeline: Timeline, { readHistory, signal }: SurveyWalOptions): Promise<SurveyedTimeline> {
  throwIfAborted(signal)
  const { hasHistory, sums } = timeline
  const runs = mergeRuns(timeline.builders.flatMap((builder) => builder.runs()))
  const base = { timeline: number, runs, hasHistory, sums }
  if (!hasHistory) return { ...base, history: undefined, problem: undefined }
  try {
    return { ...base, history: await readHistory(number), problem: undefined }
  } catch (error) {
    throwIfAborted(signal)
    if (!isFault(error) || error.kind === 'internal') throw error
    return { ...base, history: undefined, problem: error }
  }
}
