import { Fault } from '@waltz/errors'
import { parseLsn } from './identifiers.ts'
import type { Lsn, TimelineId } from './names.ts'

/** One line of a history file: `timeline` was left at `switchLsn`. */
export interface TimelineSwitch {
  readonly timeline: TimelineId
  /** The first position that no longer belongs to `timeline`. */
  readonly switchLsn: Lsn
  /** What the server noted as the reason; may be empty. */
  readonly reason: string
}

/** How a timeline came to be: its ancestors, oldest first. */
export interface TimelineHistory {
  /** The timeline whose history this is, when the caller said it: a history file does not hold its own number. */
  readonly timeline: TimelineId | undefined
  readonly switches: readonly TimelineSwitch[]
}

function invalid(lineNumber: number, problem: string): Fault {
  return new Fault('corrupt', 'TIMELINE_HISTORY_INVALID', `line ${lineNumber} of a timeline history: ${problem}`, {
    context: { line: lineNumber },
  })
}

function parseLine(line: string): TimelineSwitch | undefined {
  const match = /^\s*(\d{1,10})\s+([0-9a-f]{1,8}\/[0-9a-f]{1,8})(?:\s+(.*?))?\s*$/i.exec(line)
  if (match === null) return undefined
  const [, timelineText = '', lsnText = '', reason = ''] = match
  const timeline = Number(timelineText)
  if (timeline < 1 || timeline > 0xffff_ffff) return undefined
  return { timeline: timeline as TimelineId, switchLsn: parseLsn(lsnText), reason }
}

/**
 * Reads a `.history` file as the server does (timeline.c): a decimal timeline, white space, an LSN, anything; blank
 * lines and lines that begin with `#` do not count. Give `timeline`, the number in the file's name, so that
 * `timelineAt` can answer for positions after the last switch. Timeline 1 has no file: its history is the empty text.
 * @throws Fault `corrupt` `TIMELINE_HISTORY_INVALID` when a line does not parse, and when timelines do not increase or
 * do not lie below `timeline`.
 */
export function parseTimelineHistory(text: string, timeline?: TimelineId): TimelineHistory {
  const switches: TimelineSwitch[] = []
  let lineNumber = 0
  for (const line of text.split('\n')) {
    lineNumber += 1
    if (/^\s*(?:#|$)/.test(line)) continue
    const entry = parseLine(line)
    if (entry === undefined) throw invalid(lineNumber, 'expected a timeline and the position where it was left')
    const before = switches.at(-1)
    if (before !== undefined && entry.timeline <= before.timeline) throw invalid(lineNumber, 'timelines must increase')
    if (timeline !== undefined && entry.timeline >= timeline) throw invalid(lineNumber, `timelines must be below ${timeline}`)
    switches.push(entry)
  }
  return { timeline, switches }
}

/**
 * The timeline that wrote the byte at `position`, seen from the end of `history`. A switch position itself belongs to
 * the newer timeline. After the last switch that is the history's own timeline: undefined when it was not given.
 * Newest first, as the server searches: a recovery that was stopped before its target timeline began leaves a history
 * whose positions step back, and there the newer line is the true one.
 */
export function timelineAt(history: TimelineHistory, position: Lsn): TimelineId | undefined {
  const { switches } = history
  const last = switches.at(-1)
  if (last === undefined || position >= last.switchLsn) return history.timeline
  return switches.findLast((entry, index) => position < entry.switchLsn && position >= (switches[index - 1]?.switchLsn ?? 0n))?.timeline
}
