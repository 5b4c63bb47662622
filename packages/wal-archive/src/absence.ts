import { Fault } from '@waltz/errors'
import { classifyWalFileName, formatLsn, timelineHistoryName, type TimelineId } from '@waltz/pg-structures'
import type { ArchiveContext } from './context.ts'
import { segmentBytesOf } from './segment-size.ts'
import { readHistory, timelinesAbove } from './timeline-files.ts'
import { hex8, listWal } from './wal-listing.ts'

/** Why a file that is not in the archive should be there. */
export interface HoleEvidence {
  readonly code: 'WAL_HOLE' | 'WAL_HISTORY_HOLE'
  readonly because: string
}

/** Who asks for a file. */
export interface Asker {
  /** The timeline that the recovering server comes from. */
  readonly timeline?: TimelineId | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Looks for signs that an absent file was lost, or is late, rather than never written. Undefined means that nothing
 * speaks against the archive ending here.
 * @throws Fault of the store or the codec; `corrupt` when a history file that matters is damaged.
 */
export async function findHoleEvidence(context: ArchiveContext, name: string, asker: Asker): Promise<HoleEvidence | undefined> {
  const parts = classifyWalFileName(name)
  if (parts?.kind === 'segment') {
    return (await laterOnTimeline(context, name, parts.timeline, asker.signal)) ?? (await neededByDescendant(context, parts, asker.signal))
  }
  if (parts?.kind === 'timeline-history') return await historyIsNeeded(context, parts.timeline, asker)
  return undefined
}

/** The fault for an absence with evidence. Not retryable: the wait is over when it is made. */
export function holeFault(context: ArchiveContext, name: string, evidence: HoleEvidence): Fault {
  return new Fault('unavailable', evidence.code, `${name} is missing in ${context.store.location}, although ${evidence.because}`, {
    hint: 'it was lost or is still on its way: look at the archiver of the server that wrote it, or put the file back',
    context: { name, location: context.store.location },
    retryable: false,
  })
}

async function laterOnTimeline(
  context: ArchiveContext,
  name: string,
  timeline: TimelineId,
  signal: AbortSignal | undefined,
): Promise<HoleEvidence | undefined> {
  for await (const listed of listWal(context, { prefix: hex8(timeline), after: name, signal })) {
    if (listed.name.startsWith(name) || listed.parts.kind === 'timeline-history') continue
    return { code: 'WAL_HOLE', because: `${listed.name} is there` }
  }
  return undefined
}

/** A newer timeline that left this one later than the segment needs the segment. */
async function neededByDescendant(
  context: ArchiveContext,
  segment: { readonly timeline: TimelineId; readonly high: number; readonly low: number },
  signal: AbortSignal | undefined,
): Promise<HoleEvidence | undefined> {
  for await (const descendant of timelinesAbove(context, segment.timeline, signal)) {
    const history = await readHistory(context, descendant, signal)
    const left = history?.switches.find((entry) => entry.timeline === segment.timeline)
    if (left === undefined) continue
    const high = Number(left.switchLsn >> 32n)
    if (high < segment.high) continue
    if (high === segment.high) {
      const low = Math.floor(Number(left.switchLsn & 0xffff_ffffn) / (await segmentBytesOf(context, signal)))
      if (low <= segment.low) continue
    }
    return { code: 'WAL_HOLE', because: `timeline ${descendant} left timeline ${segment.timeline} later, at ${formatLsn(left.switchLsn)}` }
  }
  return undefined
}

/**
 * A history that the server needs in order to find newer timelines. The history of its own timeline and of older ones
 * changes nothing: an archive may have been begun after them.
 */
async function historyIsNeeded(context: ArchiveContext, timeline: TimelineId, asker: Asker): Promise<HoleEvidence | undefined> {
  if (timeline === 1 || (asker.timeline !== undefined && timeline <= asker.timeline)) return undefined
  for await (const listed of listWal(context, { after: hex8(timeline), signal: asker.signal })) {
    if (listed.name === timelineHistoryName(timeline)) continue
    return { code: 'WAL_HISTORY_HOLE', because: `${listed.name} is there` }
  }
  return undefined
}
