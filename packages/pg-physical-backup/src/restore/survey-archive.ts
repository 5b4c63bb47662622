import { readAll } from '@waltz/bytes'
import {
  parseTimelineHistory,
  segmentName,
  segmentNumberFromName,
  timelineId,
  type TimelineId,
  type WalFileName,
} from '@waltz/pg-structures'
import { walFolder, type SealedFormat } from '@waltz/repository'
import type { CallOptions, ObjectStore } from '@waltz/storage'
import type { ArchivedTimeline, ArchiveSurvey } from './choose-backup.ts'

/** Where to read from. */
export interface ArchiveReader extends CallOptions {
  readonly store: Pick<ObjectStore, 'get' | 'list'>
  readonly sealed: SealedFormat
}

interface GrowingTimeline {
  historyKey?: string
  lastSegment?: string
  lastStoredAtMs?: number
}

const maxHistoryBytes = 1 << 20

/**
 * What the archive holds, per timeline: one listing, and one read per history file. Partial segments do not count,
 * because a server never asks for them.
 */
export async function surveyArchive(reader: ArchiveReader): Promise<ArchiveSurvey> {
  const timelines = new Map<number, GrowingTimeline>()
  const options = reader.signal === undefined ? {} : { signal: reader.signal }
  for await (const { key, modifiedAt } of reader.store.list(walFolder, { ...options, oneLevel: true })) {
    const stored = walNameOf(key.slice(walFolder.length), reader.sealed)
    if (stored === undefined) continue
    const timeline = Number.parseInt(stored.slice(0, 8), 16)
    const known = timelines.get(timeline) ?? {}
    timelines.set(timeline, known)
    if (stored.endsWith('.history')) known.historyKey = key
    else {
      if (known.lastSegment === undefined || stored > known.lastSegment) known.lastSegment = stored
      known.lastStoredAtMs = Math.max(known.lastStoredAtMs ?? 0, modifiedAt.getTime())
    }
  }
  const finished = [...timelines].sort(([a], [b]) => a - b).map(([timeline, known]) => finishTimeline(reader, timeline, known))
  return { timelines: await Promise.all(finished) }
}

/** A stretch of segments of one timeline, both ends included. */
export interface SegmentRange {
  readonly timeline: TimelineId
  readonly first: number
  readonly last: number
  readonly segmentBytes: number
}

/** How many segments of a range the archive lacks, and the first few names of them. Lists just that range. */
export async function missingSegments(
  reader: ArchiveReader,
  range: SegmentRange,
): Promise<{ readonly count: number; readonly names: readonly WalFileName[] }> {
  const names: WalFileName[] = []
  let count = 0
  let next = range.first
  const missUntil = (end: number): void => {
    for (; next < end; next++) {
      count++
      if (names.length < 10) names.push(segmentName(range.timeline, next, range.segmentBytes))
    }
  }
  const before = range.first === 0 ? {} : { after: `${walFolder}${segmentName(range.timeline, range.first - 1, range.segmentBytes)}.~` }
  const options = { ...before, oneLevel: true, ...(reader.signal === undefined ? {} : { signal: reader.signal }) }
  const lastName = segmentName(range.timeline, range.last, range.segmentBytes)
  for await (const { key } of reader.store.list(walFolder, options)) {
    const file = key.slice(walFolder.length)
    if (file.slice(0, 24) > lastName) break
    const stored = walNameOf(file, reader.sealed)
    if (stored === undefined || stored.endsWith('.history')) continue
    const number = segmentNumberFromName(stored as WalFileName, range.segmentBytes)
    missUntil(number)
    next = Math.max(next, number + 1)
  }
  missUntil(range.last + 1)
  return { count, names }
}

/** The segment or history file that a stored name holds; undefined for partial, backup, delta and foreign files. */
function walNameOf(stored: string, sealed: SealedFormat): string | undefined {
  const match = /^([0-9A-F]{24}|[0-9A-F]{8}\.history)(?:\.([A-Za-z0-9]*))?$/.exec(stored)
  if (match === null) return undefined
  const extension = match[2] ?? ''
  return extension === '' || sealed.extensions.includes(extension) ? match[1] : undefined
}

async function finishTimeline(reader: ArchiveReader, timeline: number, known: GrowingTimeline): Promise<ArchivedTimeline> {
  const { historyKey, lastSegment, lastStoredAtMs } = known
  const base = { timeline, lastSegment, lastStoredAtMs, hasHistory: historyKey !== undefined }
  if (historyKey === undefined) return { ...base, history: [] }
  const options = reader.signal === undefined ? {} : { signal: reader.signal }
  await using body = await reader.store.get(historyKey, options)
  const plain = await readAll(await reader.sealed.open(historyKey.slice(walFolder.length), body), maxHistoryBytes)
  return { ...base, history: parseTimelineHistory(new TextDecoder().decode(plain), timelineId(timeline)).switches }
}
