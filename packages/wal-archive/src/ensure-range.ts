import { classifyWalFileName, segmentName, segmentNumberFromName, timelineHistoryName, type WalFileName } from '@waltz/pg-structures'
import { Fault } from '@waltz/errors'
import { missingRuns } from './continuity.ts'
import type { ArchiveContext } from './context.ts'
import { findReadable } from './find-stored.ts'
import type { LocalWal } from './local-wal.ts'
import { pushWal } from './push.ts'

/** Which WAL must be in the archive, and where it can be had. */
export interface EnsureRangeRequest {
  /** Names of segments of one timeline, both ends included. Every one of them must be finished: the server writes to a later one. */
  readonly first: string
  readonly last: string
  readonly segmentBytes: number
  /** The file of that name; undefined when there is none (any more). */
  readonly source: (name: string) => LocalWal | undefined | Promise<LocalWal | undefined>
  readonly signal?: AbortSignal
  /** Told of each file that is pushed. */
  readonly onPushed?: (name: string) => void
}

/** What became of the range. */
export interface EnsuredRange {
  /** Nothing is missing. */
  readonly complete: boolean
  /** Files that this call stored, in order. */
  readonly pushed: readonly string[]
  /** How many files were there already. */
  readonly alreadyStored: number
  /** Files that are neither archived nor at hand. */
  readonly missing: readonly string[]
}

/** Pushes what the archive lacks of a range. See `WalArchive.ensureRange`. */
export async function ensureWalRange(context: ArchiveContext, request: EnsureRangeRequest): Promise<EnsuredRange> {
  const parts = classifyWalFileName(request.first)
  const timeline = classifyWalFileName(request.last)?.timeline
  if (parts?.kind !== 'segment' || timeline !== parts.timeline) {
    throw new Fault('invalid', 'WAL_NAME_INVALID', `${request.first} and ${request.last} are not segments of one timeline`, {
      hint: 'give two segment names of the same timeline',
    })
  }
  const { segmentBytes, signal } = request
  const first = segmentNumberFromName(request.first as WalFileName, segmentBytes)
  const last = segmentNumberFromName(request.last as WalFileName, segmentBytes)
  const outcome: Outcome = { pushed: [], missing: [], alreadyStored: 0 }
  // The history first: segments of a timeline that nobody knows the origin of look like a lost history.
  if (timeline > 1 && !(await isStored(context, timelineHistoryName(timeline), signal))) {
    await pushOne(context, request, { name: timelineHistoryName(timeline), outcome })
  } else if (timeline > 1) outcome.alreadyStored += 1
  let absent = 0
  for await (const run of missingRuns(context, { timeline, first, last, segmentBytes }, signal)) {
    absent += run.last - run.first + 1
    for (let number = run.first; number <= run.last; number += 1) {
      await pushOne(context, request, { name: segmentName(run.timeline, number, segmentBytes), outcome })
    }
  }
  outcome.alreadyStored += last - first + 1 - absent
  return { complete: outcome.missing.length === 0, ...outcome }
}

interface Outcome {
  readonly pushed: string[]
  readonly missing: string[]
  alreadyStored: number
}

async function pushOne(
  context: ArchiveContext,
  request: EnsureRangeRequest,
  { name, outcome }: { readonly name: string; readonly outcome: Outcome },
): Promise<void> {
  const { signal } = request
  const local = await request.source(name)
  if (local === undefined) {
    // The archiver may have stored and removed it since the listing.
    if (await isStored(context, name, signal)) outcome.alreadyStored += 1
    else outcome.missing.push(name)
    return
  }
  const what = await pushWal(context, name, local.open, { size: local.size, ...(signal && { signal }) })
  if (what === 'already-stored') outcome.alreadyStored += 1
  else {
    outcome.pushed.push(name)
    request.onPushed?.(name)
  }
}

/** Whether a file is archived in a form that can be read here. */
export async function isStored(context: ArchiveContext, name: string, signal: AbortSignal | undefined): Promise<boolean> {
  return (await findReadable(context, name, signal)).length > 0
}
