import { readAll } from '@waltz/bytes'
import { Fault, isFault } from '@waltz/errors'
import { parseTimelineHistory, timelineHistoryName, type TimelineHistory, type TimelineId } from '@waltz/pg-structures'
import type { ArchiveContext } from './context.ts'
import { findReadable } from './find-stored.ts'
import { openStored } from './open-stored.ts'
import { wrongContent } from './stored-start.ts'
import { first, hex8, listWal } from './wal-listing.ts'

/** History files have a line per ancestor; nobody promotes this often. */
export const HISTORY_LIMIT_BYTES = 1_048_576

/**
 * Parses the content of `<timeline>.history`, which must name at least one ancestor, as every history does that a server
 * wrote. `mayBeEmpty` where it is certain that nothing was lost on the way.
 * @throws Fault `corrupt` `WAL_CONTENT_WRONG` when it does not.
 */
export function judgeHistory(
  text: string,
  timeline: TimelineId,
  { mayBeEmpty = false }: { readonly mayBeEmpty?: boolean } = {},
): TimelineHistory {
  const name = timelineHistoryName(timeline)
  const wrong = (message: string, cause?: unknown): Fault =>
    new Fault(wrongContent.kind, wrongContent.code, `${name}: ${message}`, { hint: wrongContent.hint, context: { name }, cause })
  try {
    const history = parseTimelineHistory(text, timeline)
    if (mayBeEmpty || history.switches.length > 0) return history
  } catch (error) {
    if (isFault(error, 'corrupt')) throw wrong(error.message, error)
    throw error
  }
  throw wrong('names no timeline that it came from')
}

/**
 * The archived history of a timeline; undefined when there is none. Timeline 1 never has one.
 * @throws Fault of the store or the codec; `corrupt` `WAL_CONTENT_WRONG`.
 */
export async function readHistory(
  context: ArchiveContext,
  timeline: TimelineId,
  signal?: AbortSignal,
): Promise<TimelineHistory | undefined> {
  const name = timelineHistoryName(timeline)
  const [file] = await findReadable(context, name, signal)
  if (file === undefined) return undefined
  await using opened = await openStored(context, { name, storedName: file.storedName }, signal)
  return judgeHistory(new TextDecoder().decode(await readAll(opened.source, HISTORY_LIMIT_BYTES)), timeline)
}

/**
 * Every timeline above `timeline` that the archive holds something of, ascending. Costs one short listing for each:
 * in byte order the history file of a timeline comes before its segments, and `~` comes behind both.
 */
export async function* timelinesAbove(
  context: ArchiveContext,
  timeline: number,
  signal?: AbortSignal,
): AsyncGenerator<TimelineId, void, undefined> {
  let below = timeline
  for (;;) {
    const next = await first(listWal(context, { after: `${hex8(below)}~`, signal }))
    if (next === undefined) return
    yield next.parts.timeline
    below = next.parts.timeline
  }
}
