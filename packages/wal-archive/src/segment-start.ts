import type { ByteSource } from '@waltz/bytes'
import { Fault, type FaultKind } from '@waltz/errors'
import {
  checkSegmentHeader,
  decodeWalPageHeader,
  type SegmentHeaderProblem,
  type SystemIdentifier,
  type TimelineId,
  type WalFileName,
} from '@waltz/pg-structures'

/** Bytes of the long page header with which every segment begins. */
export const SEGMENT_START_BYTES = 40

/** What the first page of a sound segment says. */
export interface SegmentStart {
  readonly systemIdentifier: SystemIdentifier
  readonly segmentBytes: number
  /** The WAL block size. */
  readonly blockBytes: number
  /** The timeline that wrote the first page: the name's, or an ancestor of it. */
  readonly timeline: TimelineId
  /** Bytes of a record from the segment before; 0 when a record begins here. */
  readonly continuationBytes: number
}

/** What is known of a segment besides its first bytes. */
export interface SegmentClaim {
  readonly name: string
  readonly fileBytes?: number | undefined
  readonly systemIdentifier?: SystemIdentifier | undefined
  /** What the fault shall say when the claim does not hold. */
  readonly fault: { readonly kind: FaultKind; readonly code: string; readonly hint: string }
}

/**
 * Judges the first bytes of a segment or `.partial` file by its name and whatever else is known.
 * @throws Fault of the kind and code that the claim names when they do not fit.
 */
export function judgeSegmentStart(bytes: Uint8Array, claim: SegmentClaim): SegmentStart {
  const { fileBytes, systemIdentifier } = claim
  const problems = checkSegmentHeader({
    bytes,
    name: claim.name as WalFileName,
    ...(fileBytes !== undefined && { fileBytes }),
    ...(systemIdentifier !== undefined && { systemIdentifier }),
  })
  if (problems.length > 0) throw segmentFault(problems, claim)
  const { long, timeline, remainingBytes } = decodeWalPageHeader(bytes)
  if (long === undefined) throw new Fault('internal', 'ASSERTION_FAILED', `${claim.name}: a long header was promised`)
  const { segmentBytes, blockBytes } = long
  return { systemIdentifier: long.systemIdentifier, segmentBytes, blockBytes, timeline, continuationBytes: remainingBytes }
}

function segmentFault(problems: readonly SegmentHeaderProblem[], { name, fault }: SegmentClaim): Fault {
  const message = problems.map((problem) => problem.message).join('; ')
  return new Fault(fault.kind, fault.code, message, { hint: fault.hint, context: { name, problem: problems[0]?.kind ?? '' } })
}

/**
 * Reads the first bytes of a segment and closes the source; fewer when the source is shorter.
 * @throws whatever the source throws.
 */
export async function readSegmentHead(source: ByteSource): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let have = 0
  for await (const chunk of source) {
    chunks.push(chunk)
    have += chunk.length
    if (have >= SEGMENT_START_BYTES) break
  }
  return (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).subarray(0, SEGMENT_START_BYTES)
}
