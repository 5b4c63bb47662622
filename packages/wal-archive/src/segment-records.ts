import { CHUNK_BYTES, coalesce } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import {
  createSegmentRecordCheck,
  segmentName,
  segmentNumberFromName,
  type Crc32c,
  type TimelineId,
  type WalFileName,
} from '@waltz/pg-structures'
import type { ArchiveContext } from './context.ts'
import { openArchived } from './open-archived.ts'
import { createRecordChain, type RecordChain } from './record-chain.ts'
import { judgeSegmentStart, readSegmentHead, type SegmentStart } from './segment-start.ts'
import { wrongContent } from './stored-start.ts'

/** What the name of a segment says. */
export interface NamedSegment {
  readonly timeline: TimelineId
  readonly partial: boolean
}

/** A fetched segment whose records are to be checked, because its stored form carries no checksum. */
export interface SegmentToCheck extends NamedSegment {
  readonly name: WalFileName
  readonly start: SegmentStart
  readonly crc32c: Crc32c
  readonly signal: AbortSignal | undefined
}

/** Takes a segment as its bytes come by. Both methods throw `corrupt` `WAL_CONTENT_WRONG`. */
export interface RecordsCheck {
  /** Whole pages. */
  push(pages: Uint8Array): void
  finish(): void
}

/**
 * Checks every record of a segment, the one that comes over from the segment before included (which is read from the
 * archive for that). PostgreSQL takes a damaged record for the end of the WAL, so damage must be found before it sees
 * the file.
 * @throws Fault of the store; `corrupt` when the segment before cannot be read.
 */
export async function openRecordsCheck(context: ArchiveContext, segment: SegmentToCheck): Promise<RecordsCheck> {
  const { name, timeline, partial, crc32c, start } = segment
  const { segmentBytes, blockBytes } = start
  const chain = start.continuationBytes === 0 ? undefined : await followUpTo(context, segment)
  const check = createSegmentRecordCheck({ segmentBytes, blockBytes, timeline, crc32c })
  return {
    push(pages) {
      check.push(pages)
      if (chain?.verdict() !== 'open') return
      chain.push(pages)
      if (chain.verdict() === 'wrong')
        throw wrongRecords(name, 'the record that comes over from the segment before does not match its checksum')
    },
    finish() {
      const { complete, ending, problem } = check.finish()
      if (problem !== undefined) throw wrongRecords(name, problem.message)
      if (!complete && !partial) throw wrongRecords(name, `its records end early (${ending})`)
    },
  }
}

function wrongRecords(name: string, message: string): Fault {
  return new Fault(wrongContent.kind, wrongContent.code, `${name}: ${message}`, { hint: wrongContent.hint, context: { name } })
}

/** A chain that has followed the records up to the start of the segment; undefined when what comes over cannot be known. */
async function followUpTo(context: ArchiveContext, segment: SegmentToCheck): Promise<RecordChain | undefined> {
  const before = await segmentsSinceRecordStart(context, segment)
  if (before === undefined) {
    context.report({ type: 'first-record-unchecked', name: segment.name })
    return undefined
  }
  const chain = createRecordChain({ blockBytes: segment.start.blockBytes, crc32c: segment.crc32c })
  for (const name of before) {
    await using opened = await openArchived(context, name, segment.signal)
    if (opened === undefined) return undefined
    for await (const chunk of coalesce(opened.source, CHUNK_BYTES)) chain.push(chunk)
  }
  chain.cross()
  return chain
}

/**
 * The segments before this one, oldest first, back to the nearest in which a record begins: nearly always one. The
 * header of each segment tells on which timeline the one before it was written.
 */
async function segmentsSinceRecordStart(context: ArchiveContext, segment: SegmentToCheck): Promise<readonly string[] | undefined> {
  const { segmentBytes } = segment.start
  const names: string[] = []
  let { timeline } = segment.start
  for (let number = segmentNumberFromName(segment.name, segmentBytes) - 1; number >= 0; number -= 1) {
    const name = segmentName(timeline, number, segmentBytes)
    await using opened = await openArchived(context, name, segment.signal)
    if (opened === undefined) return undefined
    const start = judgeSegmentStart(await readSegmentHead(opened.source), { name, fault: wrongContent })
    names.unshift(name)
    if (start.continuationBytes < contentBytes(start)) return names
    timeline = start.timeline
  }
  return undefined
}

/** What a segment holds besides page headers. */
function contentBytes({ segmentBytes, blockBytes }: SegmentStart): number {
  return segmentBytes - (segmentBytes / blockBytes) * 24 - 16
}
