import { segmentName, segmentNumberFromName, type TimelineId, type WalFileName } from '@waltz/pg-structures'
import { walFolder } from '@waltz/repository'
import { compareKeys, type CallOptions, type ObjectInfo, type ObjectStore } from '@waltz/storage'
import type { MissingWal } from './copy-options.ts'
import type { WalSpan } from './wal-spans.ts'

/** A run of names in `wal_005/`, from `first` to `last`, or to the end of everything. Both are names of segments. */
export interface WalRegion {
  readonly first: WalFileName
  readonly last: WalFileName | undefined
  readonly segmentBytes: number
  /** The list of metadata at its beginning that belongs to the region before as well. */
  readonly toldBefore?: string
}

/** Segments begin their names with 24 digits, lists of metadata of 16 segments with 23 (RF 1.5). */
const WAL_OBJECT = /^[0-9A-Fa-f]{23,24}(?![0-9A-Fa-f])/
const LIST_DIGITS = 23
const HISTORY = /^[0-9A-Fa-f]{8}\.history(?:\.|$)/

/** The runs that spans are; one from the lowest segment to the end with history (CMD 3.5: names count, timelines do not). */
export function regionsOf(spans: readonly WalSpan[], withHistory: boolean): readonly WalRegion[] {
  const regions = spans.map(({ timeline, first, last, segmentBytes }, index) => {
    const before = spans[index - 1]
    const told = before === undefined ? undefined : segmentName(before.timeline, before.last, before.segmentBytes).slice(0, LIST_DIGITS)
    const name = segmentName(timeline, first, segmentBytes)
    return { first: name, last: segmentName(timeline, last, segmentBytes), segmentBytes, ...(told !== undefined && { toldBefore: told }) }
  })
  const [lowest] = regions
  return withHistory && lowest !== undefined ? [{ ...lowest, last: undefined }] : regions
}

/** What of `wal_005/` lies in a region, in order of key: segments, `.partial`, `.backup`, block maps, JSON; no histories. */
export async function* regionObjects(
  store: Pick<ObjectStore, 'list'>,
  { first, last, toldBefore }: WalRegion,
  call: CallOptions,
): AsyncGenerator<ObjectInfo, void, undefined> {
  // A list of metadata has the name of its segments without the last digit, and comes before them.
  const after = `${walFolder}${before(first.slice(0, LIST_DIGITS))}`
  for await (const info of store.list(walFolder, { ...call, oneLevel: true, after })) {
    const name = info.key.slice(walFolder.length)
    const head = WAL_OBJECT.exec(name)?.[0].toUpperCase()
    if (last !== undefined && name.slice(0, 24) > `${last}~`) return
    if (head !== undefined && head !== toldBefore && isWithin(head, first, last)) yield info
  }
}

function isWithin(head: string, first: string, last: string | undefined): boolean {
  const length = head.length
  return head >= first.slice(0, length) && (last === undefined || head <= last.slice(0, length))
}

/** A text in front of every key that begins with `name`, and behind everything in front of those. */
function before(name: string): string {
  return `${name.slice(0, -1)}${String.fromCharCode(name.charCodeAt(name.length - 1) - 1)}~`
}

/**
 * All history files, with a short listing for each timeline: in byte order the history of a timeline comes before its segments, and
 * `~` behind both.
 */
export async function* historyObjects(store: Pick<ObjectStore, 'list'>, call: CallOptions): AsyncGenerator<ObjectInfo, void, undefined> {
  let after = ''
  for (;;) {
    let next: string | undefined
    for await (const info of store.list(walFolder, { ...call, oneLevel: true, ...(after !== '' && { after: walFolder + after }) })) {
      const name = info.key.slice(walFolder.length)
      if (HISTORY.test(name)) {
        yield info
        continue
      }
      next = name
      break
    }
    if (next === undefined) return
    const behind = `${next.slice(0, 8)}~`
    after = compareKeys(behind, next) > 0 ? behind : next
  }
}

/** The segments that are missing of what is to be copied. */
export interface WalGaps {
  readonly runs: readonly MissingWal[]
  readonly segments: number
}

const MOST_RUNS = 100

/**
 * Looks for gaps, by names alone: within every span, and with history between the first and the newest segment of every timeline.
 * Memory for the runs that are told, whatever the archive holds.
 */
export async function findWalGaps(
  store: Pick<ObjectStore, 'list'>,
  {
    spans,
    regions,
    extensions,
  }: { readonly spans: readonly WalSpan[]; readonly regions: readonly WalRegion[]; readonly extensions: readonly string[] },
  call: CallOptions,
): Promise<WalGaps> {
  const known = new Set(['', ...extensions])
  const gaps = createGaps()
  for (const region of regions) {
    const walk = createWalk(spans, region, gaps)
    for await (const { key } of regionObjects(store, region, call)) {
      const name = key.slice(walFolder.length)
      const isSegment = name.length === 24 || (name[24] === '.' && known.has(name.slice(25)))
      if (isSegment && name.length >= 24) walk.see(name.slice(0, 24).toUpperCase() as WalFileName)
    }
    walk.end()
  }
  return gaps
}

interface Gaps extends WalGaps {
  readonly runs: MissingWal[]
  segments: number
  add(timeline: TimelineId, first: number, last: number, segmentBytes: number): void
}

function createGaps(): Gaps {
  const gaps: Gaps = {
    runs: [],
    segments: 0,
    // oxlint-disable-next-line max-params -- a run of segments has these four
    add(timeline, first, last, segmentBytes) {
      gaps.segments += last - first + 1
      if (gaps.runs.length < MOST_RUNS)
        gaps.runs.push({
          first: segmentName(timeline, first, segmentBytes),
          last: segmentName(timeline, last, segmentBytes),
          segments: last - first + 1,
        })
    },
  }
  return gaps
}

/** Goes through the segments of a region in order. */
function createWalk(spans: readonly WalSpan[], region: WalRegion, gaps: Gaps): { see(name: WalFileName): void; end(): void } {
  const { segmentBytes } = region
  const timelineOf = (name: string): TimelineId => Number.parseInt(name.slice(0, 8), 16) as TimelineId
  const needed = spans.filter(({ timeline }) => region.last === undefined || timeline === timelineOf(region.first))
  /** Where the expectation of each timeline stands; those with a span must be there from its first segment on. */
  const startOf = (timeline: TimelineId): number | undefined => needed.find((span) => span.timeline === timeline)?.first
  const lastOf = (timeline: TimelineId): number =>
    Math.max(-1, ...needed.filter((span) => span.timeline === timeline).map(({ last }) => last))
  const bounded = region.last !== undefined
  let timeline = timelineOf(region.first)
  let expected = segmentNumberFromName(region.first, segmentBytes)
  const close = (): void => {
    const last = bounded ? segmentNumberFromName(region.last, segmentBytes) : lastOf(timeline)
    if (expected <= last) gaps.add(timeline, expected, last, segmentBytes)
  }
  const seen = new Set<TimelineId>([timeline])
  return {
    see(name) {
      const number = segmentNumberFromName(name, segmentBytes)
      if (timelineOf(name) !== timeline) {
        close()
        timeline = timelineOf(name)
        seen.add(timeline)
        expected = startOf(timeline) ?? number
        // The archive may have more of a timeline than backups need.
        expected = Math.min(expected, Math.max(number, 0))
      }
      if (number > expected) gaps.add(timeline, expected, number - 1, segmentBytes)
      expected = Math.max(expected, number + 1)
    },
    end() {
      close()
      if (bounded) return
      for (const span of needed) if (!seen.has(span.timeline)) gaps.add(span.timeline, span.first, span.last, span.segmentBytes)
    },
  }
}
