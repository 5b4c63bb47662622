import type { TimelineId } from '@waltz/pg-structures'
import type { ArchiveContext } from './context.ts'
import { hex8, listWal, type WalNameParts } from './wal-listing.ts'

/** One archived file. */
export interface WalObject {
  /** As PostgreSQL names it. */
  readonly name: string
  readonly kind: WalNameParts['kind']
  readonly timeline: TimelineId
  /** The object's name below `wal_005/`. */
  readonly storedName: string
  readonly storedBytes: number
  readonly storedAt: Date
}

/** What the archive holds of one timeline. */
export interface WalTimeline {
  readonly timeline: TimelineId
  /** The first and the last segment; undefined when there are none, only other files. */
  readonly first: string | undefined
  readonly last: string | undefined
  /** Segments, each counted once however often it is stored. Gaps are not looked for: see `verify`. */
  readonly segments: number
  readonly storedBytes: number
  /** When the last segment was stored. */
  readonly lastStoredAt: Date | undefined
  readonly lastStoredName: string | undefined
  /** Whether `<timeline>.history` is there. Timeline 1 never has one. */
  readonly hasHistory: boolean
}

/** Options of a listing. */
export interface ListOptions {
  readonly timeline?: TimelineId
  readonly signal?: AbortSignal
}

/** Archived files in the byte order of their object names. */
export async function* listArchive(context: ArchiveContext, { timeline, signal }: ListOptions): AsyncGenerator<WalObject, void, undefined> {
  for await (const { name, storedName, parts, info } of listWal(context, {
    ...(timeline !== undefined && { prefix: hex8(timeline) }),
    signal,
  })) {
    yield { name, kind: parts.kind, timeline: parts.timeline, storedName, storedBytes: info.size, storedAt: info.modifiedAt }
  }
}

/** One pass over the names; memory for one entry per timeline. */
export async function summarizeTimelines(context: ArchiveContext, options: ListOptions): Promise<readonly WalTimeline[]> {
  const timelines: WalTimeline[] = []
  for await (const object of listArchive(context, options)) {
    const current = timelines.at(-1)
    if (current?.timeline === object.timeline) timelines[timelines.length - 1] = added(current, object)
    else timelines.push(added(emptyTimeline(object.timeline), object))
  }
  return timelines
}

function emptyTimeline(timeline: TimelineId): WalTimeline {
  return {
    timeline,
    first: undefined,
    last: undefined,
    segments: 0,
    storedBytes: 0,
    lastStoredAt: undefined,
    lastStoredName: undefined,
    hasHistory: false,
  }
}

function added(summary: WalTimeline, object: WalObject): WalTimeline {
  const storedBytes = summary.storedBytes + object.storedBytes
  if (object.kind === 'timeline-history') return { ...summary, storedBytes, hasHistory: true }
  if (object.kind !== 'segment') return { ...summary, storedBytes }
  return {
    ...summary,
    storedBytes,
    first: summary.first ?? object.name,
    last: object.name,
    segments: summary.segments + (object.name === summary.last ? 0 : 1),
    lastStoredAt: object.storedAt,
    lastStoredName: object.storedName,
  }
}
