import { CHUNK_BYTES, coalesce, concatBytes, type ByteSource } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import { classifyWalFileName, type TimelineId, type WalFileName } from '@waltz/pg-structures'
import type { ArchiveContext } from './context.ts'
import { openRecordsCheck, type NamedSegment, type RecordsCheck } from './segment-records.ts'
import { judgeSegmentStart, SEGMENT_START_BYTES } from './segment-start.ts'
import { wrongContent } from './stored-start.ts'
import { HISTORY_LIMIT_BYTES, judgeHistory } from './timeline-files.ts'

/** A file that came out of the archive. */
export interface FetchedFile {
  readonly name: string
  readonly source: ByteSource
  readonly storedBytes: number
  /** Whether the stored form would have noticed damage by itself. */
  readonly damageDetected: boolean
  readonly signal: AbortSignal | undefined
}

/**
 * Passes a fetched file on and makes sure that it is what its name says: for segments the size, the first page header,
 * the cluster, and, where the stored form has no checksum, every record; for histories that they parse. Other files
 * pass as they are.
 * @throws Fault `corrupt` `WAL_CONTENT_WRONG` from the iteration, at the latest at its end.
 */
export function checkedContent(context: ArchiveContext, file: FetchedFile): ByteSource {
  const parts = classifyWalFileName(file.name)
  if (parts?.kind === 'segment' || parts?.kind === 'partial') {
    return checkedSegment(context, file, { timeline: parts.timeline, partial: parts.kind === 'partial' })
  }
  return parts?.kind === 'timeline-history' ? checkedHistory(file, parts.timeline) : file.source
}

/** What is known of a segment once its first bytes are there. */
interface SegmentGate {
  readonly segmentBytes: number
  readonly records: RecordsCheck | undefined
}

async function* checkedSegment(
  context: ArchiveContext,
  file: FetchedFile,
  named: NamedSegment,
): AsyncGenerator<Uint8Array, void, undefined> {
  let gate: SegmentGate | undefined
  let seen = 0
  // Whole pages for those who look at records; all else passes as the codec yields it.
  for await (const chunk of file.damageDetected ? withWholeStart(file.source) : coalesce(file.source, CHUNK_BYTES)) {
    gate ??= await openGate(context, { file, named, head: chunk })
    seen += chunk.length
    if (seen > gate.segmentBytes) throw wrong(file.name, `it has more than the ${gate.segmentBytes} bytes of a segment`)
    gate.records?.push(chunk)
    yield chunk
  }
  if (gate === undefined) throw wrong(file.name, 'it is empty')
  if (seen !== gate.segmentBytes) throw wrong(file.name, `it has ${seen} bytes, a segment has ${gate.segmentBytes}`)
  gate.records?.finish()
}

/** The same bytes, with the first chunk long enough for what is read at the start of a segment, where there are so many. */
async function* withWholeStart(source: ByteSource): AsyncGenerator<Uint8Array, void, undefined> {
  let start: Uint8Array | undefined
  let started = false
  for await (const chunk of source) {
    if (started) {
      yield chunk
      continue
    }
    start = start === undefined ? chunk : concatBytes([start, chunk])
    started = start.length >= SEGMENT_START_BYTES
    if (started) yield start
  }
  if (!started && start !== undefined) yield start
}

async function openGate(
  context: ArchiveContext,
  { file, named, head }: { readonly file: FetchedFile; readonly named: NamedSegment; readonly head: Uint8Array },
): Promise<SegmentGate> {
  const { name, signal } = file
  const start = judgeSegmentStart(head, { name, systemIdentifier: context.expectedSystemIdentifier, fault: wrongContent })
  const { segmentBytes } = start
  if (context.segmentBytes !== undefined && context.segmentBytes !== segmentBytes) {
    throw wrong(name, `its header says segments of ${segmentBytes} bytes, expected ${context.segmentBytes}`)
  }
  if (file.damageDetected) return { segmentBytes, records: undefined }
  const segment = { ...named, name: name as WalFileName, start, crc32c: await context.crc32c(), signal }
  return { segmentBytes, records: await openRecordsCheck(context, segment) }
}

async function* checkedHistory(file: FetchedFile, timeline: TimelineId): AsyncGenerator<Uint8Array, void, undefined> {
  const { name, source } = file
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of source) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > HISTORY_LIMIT_BYTES) throw wrong(name, `it has more than ${HISTORY_LIMIT_BYTES} bytes`)
    yield chunk
  }
  judgeHistory(text + decoder.decode(), timeline, { mayBeEmpty: file.damageDetected && file.storedBytes > 0 })
}

function wrong(name: string, message: string): Fault {
  return new Fault(wrongContent.kind, wrongContent.code, `${name}: ${message}`, { hint: wrongContent.hint, context: { name } })
}
