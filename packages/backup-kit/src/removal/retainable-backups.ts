import { segmentNumberBefore, segmentNumberOf, type SystemIdentifier, type TimelineHistory, type TimelineId } from '@waltz/pg-structures'
import { parseBackupName } from '@waltz/repository'
import { endOfSegments, positionOfName, positionOfNumber, segmentBytesOf } from '@waltz/repository/removal'
import type { LogBranch, LogSpan, RetainableBackup } from '@waltz/retention-policy'
import type { CatalogueEntry } from '../catalogue/catalogue-entry.ts'
import type { WalTimelineSum } from './wal-sum.ts'

/** The size of WAL segments in bytes: of each cluster that has backups here, and of all together where they agree. */
export interface SegmentSizes {
  readonly common: number | undefined
  of(system: SystemIdentifier | undefined): number | undefined
}

/** Found from names and positions of the backups, never from a setting. */
export function segmentSizes(entries: readonly CatalogueEntry[]): SegmentSizes {
  const sizeOf = (some: readonly CatalogueEntry[]): number | undefined =>
    segmentBytesOf(some.flatMap(({ walFileName, startLsn }) => (startLsn === undefined ? [] : [{ walFileName, startLsn }])))
  const common = sizeOf(entries)
  const systems = new Map<SystemIdentifier | undefined, number | undefined>()
  for (const system of new Set(entries.map(({ systemIdentifier }) => systemIdentifier)))
    systems.set(system, sizeOf(entries.filter(({ systemIdentifier }) => systemIdentifier === system)))
  return { common, of: (system) => systems.get(system) ?? common }
}

/** What tells backups of several storages apart. */
export function idOf({ storage, name }: Pick<CatalogueEntry, 'storage' | 'name'>): string {
  return `${storage}/${name}`
}

/** A branch of the log is a timeline. */
export function branchOf(timeline: TimelineId): string {
  return String(timeline)
}

/** Whether the name says in which segment the backup begins. */
export function hasSegment({ walFileName, timeline }: Pick<CatalogueEntry, 'walFileName' | 'timeline'>): boolean {
  return timeline !== undefined && /^[0-9A-F]{24}$/.test(walFileName)
}

/** The WAL that a backup needs to be consistent: from the segment it is named after to the one that holds its last byte. */
export function spanOf(entry: CatalogueEntry, sizes: SegmentSizes): LogSpan | undefined {
  const { timeline, walFileName, finishLsn, systemIdentifier } = entry
  if (timeline === undefined || !hasSegment(entry)) return undefined
  const from = positionOfName(walFileName)
  const size = sizes.of(systemIdentifier)
  // Without its end, or the size of segments, everything from its start on counts as needed.
  if (size === undefined || finishLsn === undefined || finishLsn === 0n) return { branch: branchOf(timeline), from }
  const to = endOfSegments(positionOfNumber(segmentNumberBefore(finishLsn, size), size), 1, size)
  return { branch: branchOf(timeline), from, ...(to > from && { to }) }
}

/** Where runs of WAL are cut, so that sums are exact. */
export function spanLimits(entries: readonly CatalogueEntry[], sizes: SegmentSizes): ReadonlyMap<TimelineId, readonly bigint[]> {
  const limits = new Map<TimelineId, bigint[]>()
  for (const entry of entries) {
    const span = spanOf(entry, sizes)
    if (span === undefined || entry.timeline === undefined) continue
    const list = limits.get(entry.timeline) ?? []
    list.push(span.from, ...(span.to === undefined ? [] : [span.to]))
    limits.set(entry.timeline, list)
  }
  return limits
}

/** Whether it cannot be said that a backup is not permanent. */
export function mayBePermanent({ permanent, findings }: CatalogueEntry): boolean {
  return permanent || findings.some(({ kind }) => kind === 'metadata-unreadable')
}

/** An entry of the catalogue as the planner sees it. */
export function retainable(entry: CatalogueEntry, sizes: SegmentSizes): RetainableBackup {
  const { startedAt, finishedAt, systemIdentifier, sentinel, folder } = entry
  return {
    id: idOf(entry),
    name: entry.name,
    state: stateOf(entry),
    permanent: mayBePermanent(entry),
    bytes: (sentinel?.size ?? 0) + (folder?.bytes ?? 0),
    series: systemIdentifier === undefined ? undefined : String(systemIdentifier),
    startedAt,
    finishedAt,
    storedAt: sentinel?.modifiedAt ?? folder?.newestAt,
    parent: parentOf(entry),
    log: spanOf(entry, sizes),
  }
}

function parentOf({ storage, increment }: CatalogueEntry): string | undefined {
  return increment === undefined ? undefined : idOf({ storage, name: increment.parent })
}

function stateOf({ name, status, findings }: CatalogueEntry): NonNullable<RetainableBackup['state']> {
  // Whatever has another name is not PostgreSQL's, and its folder would not be found.
  if (status === 'sentinel-unreadable' || parseBackupName(name) === undefined) return 'unreadable'
  if (status === 'being-written' || status === 'unfinished') return status
  return findings.some(({ kind }) => kind === 'folder-missing') ? 'unfinished' : 'complete'
}

/** Timelines as branches. Without its history nobody knows where a timeline comes from; the first comes from nowhere. */
export function branchesOf(
  timelines: readonly WalTimelineSum[],
  histories: ReadonlyMap<TimelineId, TimelineHistory>,
  segmentBytes: number | undefined,
): readonly LogBranch[] {
  return timelines.map(({ timeline, runs }) => ({ id: branchOf(timeline), origin: originOf(timeline, histories, segmentBytes), runs }))
}

function originOf(
  timeline: TimelineId,
  histories: ReadonlyMap<TimelineId, TimelineHistory>,
  segmentBytes: number | undefined,
): LogBranch['origin'] {
  if (timeline === 1) return 'root'
  const parent = histories.get(timeline)?.switches.at(-1)
  if (parent === undefined || segmentBytes === undefined) return 'unknown'
  // The segment of the switch is in both: what is before the switch came from the parent.
  const at = positionOfNumber(segmentNumberOf(parent.switchLsn, segmentBytes), segmentBytes)
  return { branch: branchOf(parent.timeline), at: endOfSegments(at, 1, segmentBytes) }
}
